"""What is wrong with a request gets Kubernetes' own answer: code, reason, message and causes. Nothing of it is kept.

malformed.json: manifests, and for each case one change of one of them with the answer.
"""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from tests.contract.apiserver.calls import Client, Object, run

from apiserver_fixture import RunningApi
from cybernetes.wire.http.message import Request, Response

DATA: Object = json.loads((Path(__file__).parent / "malformed.json").read_text())
PLURALS = {
    "Pod": "pods",
    "Deployment": "deployments",
    "Service": "services",
    "Job": "jobs",
    "StatefulSet": "statefulsets",
    "NetworkPolicy": "networkpolicies",
    "Ingress": "ingresses",
    "HorizontalPodAutoscaler": "horizontalpodautoscalers",
    "PersistentVolumeClaim": "persistentvolumeclaims",
    "Role": "roles",
    "PodDisruptionBudget": "poddisruptionbudgets",
    "CronJob": "cronjobs",
    "ConfigMap": "configmaps",
    "Secret": "secrets",
    "EndpointSlice": "endpointslices",
    "Namespace": "namespaces",
}
# The rest of the message is the decoder's own, in its own words.
DECODER = "json: "
BILLION_LAUGHS = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{name}: &{name} [{','.join([f'*{before}'] * 9)}]\n" for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)


def _collection(manifest: Object, namespace: str) -> str:
    root = "/api/v1" if manifest["apiVersion"] == "v1" else f"/apis/{manifest['apiVersion']}"
    inside = "" if manifest["kind"] == "Namespace" else f"/namespaces/{namespace}"
    return f"{root}{inside}/{PLURALS[manifest['kind']]}"


def _changed(case: Object) -> Object:
    manifest: Object = copy.deepcopy(DATA["bases"][case["base"]])
    node: Any = manifest
    *way, last = case["at"]
    for key in way:
        node = node[key]
    if case["op"] == "remove":
        del node[last]
    elif case["op"] == "append":
        node[last].append(case["value"])
    else:
        node[last] = case["value"]
    return manifest


def _told(status: Object) -> tuple[int, str, str, list[Object]]:
    causes = status.get("details", status).get("causes", [])
    return status["code"], status["reason"], status["message"].split(DECODER)[0], causes


def test_a_hundred_malformed_manifests(api: RunningApi, space: str) -> None:
    async def test(client: Client) -> None:
        await client.namespace(space)
        unlike = []
        for case in DATA["cases"]:
            query = {"fieldValidation": case["fieldValidation"]} if "fieldValidation" in case else {}
            path = _collection(DATA["bases"][case["base"]], space)
            status, answer = await client.call("POST", path, _changed(case), **query)
            if status != case["code"] or _told(answer) != _told(case):
                unlike.append((case["base"], case["at"], _told(case), _told(answer)))
        assert not unlike, "\n".join(str(each) for each in unlike)
        for manifest in DATA["bases"].values():
            if manifest["kind"] != "Namespace":
                assert (await client.ok("GET", _collection(manifest, space)))["items"] == []

    run(api, test)


def _body(path: str, data: bytes, content: str = "application/json", method: str = "POST") -> Request:
    return Request(method, path, {}, {"content-type": content}, data)


POD = b'{"metadata":{"name":"a"},"spec":{"containers":[{"name":"a","image":"a"}]}}'
PATCH = "application/{}-patch+json"
# Path below the namespace, body, content type, method -> code, reason, a part of the message.
RAW = {
    "no JSON": ("/pods", b"{nonsense", "application/json", "POST", 400, "BadRequest", "couldn't get version/kind"),
    "cut off": ("/pods", POD[:-3], "application/json", "POST", 400, "BadRequest", "unexpected end of JSON input"),
    "nothing": ("/pods", b"", "application/json", "POST", 400, "BadRequest", "unexpected end of JSON input"),
    "an array": ("/pods", b"[]", "application/json", "POST", 400, "BadRequest", "cannot unmarshal array"),
    "a text": ("/pods", b'"pod"', "application/json", "POST", 400, "BadRequest", "cannot unmarshal string"),
    "not UTF-8": ("/pods", b'{"metadata":{"name":"\xff\xfe"}}', "application/json", "POST", 422, "Invalid", "metadata.name"),
    "another kind": (
        *("/pods", b'{"apiVersion":"v1","kind":"Service","metadata":{"name":"a"}}', "application/json", "POST"),
        *(400, "BadRequest", "cannot be handled as a Pod"),
    ),
    "another group": (
        *("/pods", b'{"apiVersion":"apps/v1","kind":"Pod","metadata":{"name":"a"}}', "application/json", "POST"),
        *(400, "BadRequest", "apps/v1"),
    ),
    "another namespace": (
        *("/pods", POD.replace(b'"name":"a"}', b'"name":"a","namespace":"elsewhere"}', 1), "application/json", "POST"),
        *(400, "BadRequest", "does not match the namespace"),
    ),
    "no media type that is known": ("/pods", POD, "text/html", "POST", 415, "UnsupportedMediaType", "unknown format"),
    "aliases without end": ("/configmaps", BILLION_LAUGHS.encode(), "application/yaml", "POST", 400, "BadRequest", ""),
    "half of YAML": ("/configmaps", b"metadata: {name: [", "application/yaml", "POST", 400, "BadRequest", ""),
    "more than 3 MB": (
        *("/configmaps", b'{"metadata":{"name":"a"},"data":{"k":"' + b"x" * 3_200_000 + b'"}}', "application/json", "POST"),
        *(413, "RequestEntityTooLarge", "limit is 3145728"),
    ),
    "nested without end": ("/pods", b'{"spec":' * 100_000, "application/json", "POST", 400, "BadRequest", ""),
    "protobuf that is none": ("/pods", b"k8s\0\xff\xff", "application/vnd.kubernetes.protobuf", "POST", 400, "BadRequest", ""),
    "protobuf without its mark": ("/pods", b"\0\0", "application/vnd.kubernetes.protobuf", "POST", 400, "BadRequest", ""),
    "a patch that is no list": ("/configmaps/kept", b"{}", PATCH.format("json"), "PATCH", 400, "BadRequest", ""),
    "a patch that is a text": (
        *("/configmaps/kept", b'"x"', PATCH.format("merge"), "PATCH", 400, "BadRequest"),
        "error decoding patch: json: cannot unmarshal string into Go value of type map[string]interface {}",
    ),
    "a merge patch that is null": ("/configmaps/kept", b"null", PATCH.format("merge"), "PATCH", 400, "BadRequest", "Invalid JSON Patch"),
    "an operation that is a text": (
        *("/configmaps/kept", b'["x"]', PATCH.format("json"), "PATCH", 400, "BadRequest"),
        "error decoding patch: json: cannot unmarshal string into Go value of type jsonpatch.Operation",
    ),
    "an operation that is none": (
        *("/configmaps/kept", b'[{"op":"nonsense","path":"/data"}]', PATCH.format("json"), "PATCH"),
        *(422, "Invalid", ""),
    ),
    "a path that leads nowhere": (
        *("/configmaps/kept", b'[{"op":"remove","path":"/data/absent/deep"}]', PATCH.format("json"), "PATCH"),
        *(422, "Invalid", "the server rejected our request due to an error in our request"),
    ),
    "a test that fails": (
        *("/configmaps/kept", b'[{"op":"test","path":"/data/key","value":"other"}]', PATCH.format("json"), "PATCH"),
        *(422, "Invalid", "the server rejected our request due to an error in our request"),
    ),
    "options of a deletion that are no JSON": (
        *("/configmaps/kept", b"xx", "application/json", "DELETE", 400, "BadRequest"),
        "couldn't get version/kind; json parse error: invalid character 'x' looking for beginning of value",
    ),
    "options of a deletion with a period that is no number": (
        *("/configmaps/kept", b"gracePeriodSeconds: soon", "application/yaml", "DELETE", 400, "BadRequest"),
        "json: cannot unmarshal string into Go struct field DeleteOptions.gracePeriodSeconds of type int64",
    ),
    "options of a deletion in no known form": (
        *("/configmaps/kept", b"{}", "text/plain", "DELETE", 415, "UnsupportedMediaType", "unknown format"),
    ),
    "a deletion with a pod for options": (
        *("/configmaps/kept", b'{"kind":"Pod","apiVersion":"v1"}', "application/json", "DELETE", 400, "BadRequest", "Pod"),
    ),
    "a kind that is no text": ("/pods", b'{"kind":{}}', "application/json", "POST", 400, "BadRequest", "field .kind of type string"),
    "a merge into no version": (
        *("/configmaps/kept", b'{"apiVersion":{}}', PATCH.format("merge"), "PATCH"),
        *(422, "Invalid", "\": couldn't get version/kind; json parse error: json: cannot unmarshal object into Go struct"),
    ),
    "a merge patch that is no JSON": ("/configmaps/kept", b"{", PATCH.format("merge"), "PATCH", 400, "BadRequest", ""),
    "a merge of another type": (
        *("/configmaps/kept", b'{"data":[1]}', PATCH.format("merge"), "PATCH"),
        *(422, "Invalid", ' "" is invalid: patch: Invalid value: '),
    ),
    "a directive that is none": (
        *("/configmaps/kept", b'{"data":{"$patch":"nonsense"}}', PATCH.format("strategic-merge"), "PATCH"),
        *(500, "", "unknown patch type: nonsense in map: map[$patch:nonsense]"),
    ),
    "apply without a manager": (
        *("/configmaps/kept", b'{"apiVersion":"v1","kind":"ConfigMap"}', "application/apply-patch+yaml", "PATCH"),
        *(422, "Invalid", "fieldManager: Required value"),
    ),
    "a patch of no known type": ("/configmaps/kept", b"{}", "application/json", "PATCH", 415, "UnsupportedMediaType", ""),
    "a version that is no number": (
        *("/configmaps/kept", b'{"metadata":{"name":"kept","resourceVersion":"x"}}', "application/json", "PUT"),
        *(409, "Conflict", "the object has been modified"),
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", RAW)
def test_what_is_no_object(api: RunningApi, space: str, what: str) -> None:
    path, data, content, method, code, reason, part = RAW[what]

    async def test(client: Client) -> None:
        root = await client.namespace(space)
        await client.ok("POST", f"{root}/configmaps", {"metadata": {"name": "kept"}, "data": {"key": "value"}})
        answer = await client.transport.send(_body(root + path, data, content, method))
        status = _status(answer)
        assert (answer.status, status.get("reason", "")) == (code, reason), status
        assert status["kind"] == "Status" and part in status["message"], status
        assert (await client.ok("GET", f"{root}/configmaps/kept"))["data"] == {"key": "value"}
        assert (await client.ok("GET", f"{root}/pods"))["items"] == []

    run(api, test)


def _status(answer: Response) -> Object:
    assert isinstance(answer.body, bytes)
    status: Object = json.loads(answer.body)
    return status


def test_patches_that_do_not_fit_are_to_blame_themselves(api: RunningApi, space: str) -> None:
    """Without the kind and the name of an object; strategic patches are printed, of others what they make."""
    deployment = DATA["bases"]["apps/v1/Deployment/dep-full"]
    strategic, merge = "application/strategic-merge-patch+json", "application/merge-patch+json"

    async def test(client: Client) -> None:
        deployments = f"{(await client.namespace(space)).replace('/api/v1', '/apis/apps/v1')}/deployments"
        await client.ok("POST", deployments, deployment)
        path = f"{deployments}/{deployment['metadata']['name']}"

        async def refused(body: Any, content: str, **query: str) -> str:
            status, answer = await client.call("PATCH", path, body, content=content, **query)
            assert (status, answer["reason"], sorted(answer["details"])) == (422, "Invalid", ["causes"]), answer
            message: str = answer["message"]
            return message

        unknown = {"spec": {"nope": [1, None], "replicas": 2}}
        text = await refused(unknown, strategic, fieldValidation="Strict")
        beginning = ' "" is invalid: patch: Invalid value: "map[spec:map[nope:[1 <nil>] replicas:2]]": '
        assert text == beginning + 'strict decoding error: unknown field "spec.nope"'
        text = await refused(unknown, merge, fieldValidation="Strict")
        assert text.startswith(' "" is invalid: patch: Invalid value: "{\\"')
        assert text.endswith(': strict decoding error: unknown field "spec.nope"')
        assert "json: cannot unmarshal string into" in await refused({"spec": {"replicas": "x"}}, merge)
        for change, problem in (
            ({"spec": {"replicas": "x"}}, "unrecognized type: int32"),
            ({"spec": {"replicas": 1.5}}, "cannot convert float64 to int32"),
            ({"spec": {"template": "x"}}, "cannot restore struct from: string"),
            ({"spec": {"template": []}}, "cannot restore struct from: slice"),
            ({"metadata": 5}, "cannot restore struct from: int64"),
            ({"metadata": {"labels": {"a": 1}}}, "cannot convert int64 to string"),
            ({"metadata": {"labels": "x"}}, "cannot restore map from string"),
            ({"spec": {"template": {"spec": {"volumes": "x"}}}}, "cannot restore slice from string"),
        ):
            assert (await refused(change, strategic)).endswith(f": {problem}")

    run(api, test)


def test_configurations_with_repeated_fields_are_told_so(api: RunningApi, space: str) -> None:
    body = b'apiVersion: v1\nkind: ConfigMap\ndata:\n  a: "1"\n  a: "2"\nmetadata:\n  labels: {}\n  labels: {b: c}\n'
    problem = (
        "error converting YAML to JSON: yaml: unmarshal errors:\n"
        '  line 5: key "a" already set in map\n  line 8: key "labels" already set in map'
    )

    async def test(client: Client) -> None:
        path = f"{await client.namespace(space)}/configmaps/cm"

        async def applied(validation: str) -> Response:
            query = {"fieldManager": ["m"], "fieldValidation": [validation]}
            headers = {"content-type": "application/apply-patch+yaml"}
            return await client.transport.send(Request("PATCH", path, query, headers, body))

        strict = await applied("Strict")
        assert isinstance(strict.body, bytes)
        assert (strict.status, json.loads(strict.body)["message"]) == (400, f"error strict decoding YAML: {problem}")
        warned = await applied("Warn")
        assert warned.status == 201
        assert any("already set in map" in value for name, value in warned.headers if name.lower() == "warning")
        ignored = await applied("Ignore")
        assert (ignored.status, [name for name, _ in ignored.headers if name.lower() == "warning"]) == (200, [])

    run(api, test)


def test_configurations_say_which_object_they_mean(api: RunningApi, space: str) -> None:
    """By kind, uid and resourceVersion: none of them is merged, all of them are held to."""
    apply = {"content": "application/apply-patch+yaml", "fieldManager": "m"}

    async def test(client: Client) -> None:
        maps = f"{await client.namespace(space)}/configmaps"
        kept = await client.ok("POST", maps, {"metadata": {"name": "kept"}})

        async def applied(name: str, **changes: Any) -> tuple[int, str]:
            body = {"apiVersion": "v1", "kind": changes.pop("kind", "ConfigMap"), "metadata": {"name": name, **changes}}
            status, answer = await client.call("PATCH", f"{maps}/{name}", body, **apply)
            return status, answer.get("message", "")

        version, uid = kept["metadata"]["resourceVersion"], kept["metadata"]["uid"]
        assert await applied("kept", uid=uid, resourceVersion=version, labels={"a": "b"}) == (200, "")
        assert (await applied("kept", resourceVersion=version))[0] == 409
        assert (await applied("kept", uid="other"))[0] == 409
        status, message = await applied("absent", uid=uid)
        assert (status, message.partition("uid mismatch: ")[2]) == (
            409,
            f"the provided object specified uid {uid}, and no existing object was found",
        )
        assert await applied("kept", kind="Pod") == (
            500,
            "failed to create typed patch object (/kept; v1, Kind=Pod): no corresponding type for v1, Kind=Pod",
        )

    run(api, test)


def test_what_is_null_again_and_again_changes_nothing(api: RunningApi, space: str) -> None:
    apply = {"content": "application/apply-patch+yaml", "fieldManager": "m"}

    async def test(client: Client) -> None:
        live = DATA["bases"]["apps/v1/Deployment/dep-full"]
        name = live["metadata"]["name"]
        path = f"{(await client.namespace(space)).replace('/api/v1', '/apis/apps/v1')}/deployments"
        await client.ok("POST", path, live)
        config = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name}, "spec": {"replicas": None}}
        emptied = await client.ok("PATCH", f"{path}/{name}", config, **apply, force="true")
        assert emptied["spec"]["replicas"] == 1
        emptied["metadata"]["managedFields"][0]["time"] = "2020-01-01T00:00:00Z"
        aged = await client.ok("PUT", f"{path}/{name}", emptied)
        assert await client.ok("PATCH", f"{path}/{name}", config, **apply) == aged

    run(api, test)
