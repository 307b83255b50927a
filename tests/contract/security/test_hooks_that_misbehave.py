"""Admission webhooks that hang, lie or babble: each costs its own request, in Kubernetes' words."""

import asyncio
import json
from base64 import b64encode

import pytest
from running_server import running

from hook_server import hooks

CONFIGURATIONS = "/apis/admissionregistration.k8s.io/v1/{}webhookconfigurations"
FAILED = 'Internal error occurred: failed calling webhook "HOOK": '
CALL = FAILED + 'failed to call webhook: Post "URL?timeout=TIMEs": '
WRONG = FAILED + "received invalid webhook response: "
GVK = "admission.k8s.io/v1, Kind=AdmissionReview"


def review(request, **response):
    shape = {"kind": "AdmissionReview", "apiVersion": "admission.k8s.io/v1"}
    return {**shape, "response": {"uid": request["uid"], "allowed": True, **response}}


def responding(**response):
    return lambda asked: review(asked["request"], **response)


def patching(*operations, **response):
    patch = b64encode(json.dumps(list(operations)).encode()).decode()
    return responding(patch=patch, patchType="JSONPatch", **response)


def op(kind, path, **rest):
    return {"op": kind, "path": path, **rest}


# What a mutating hook does, and what the client is told.
MUTATING = {
    "hang": ("/hang", CALL + "context deadline exceeded"),
    "early": ("/early", CALL + "EOF"),
    "half": ("/half", CALL + "unexpected EOF"),
    "no-http": ("/no-http", CALL + "net/http: HTTP/1.x transport connection broken: malformed HTTP response"),
    "three-gigabytes": ("/3gb", CALL + "the answer is larger than 16777216 bytes"),
    "redirect": (
        "/redirect",
        FAILED
        + "failed to call webhook: the server responded with the status code 307 but did not return more details",
    ),
    "broken": (
        "/500",
        FAILED + 'failed to call webhook: an error on the server ("boom") has prevented the request from succeeding',
    ),
    "absent": ("/404", FAILED + "failed to call webhook: the server could not find the requested resource"),
    "html": (lambda asked: b"<html>", FAILED + "failed to call webhook: couldn't get version/kind; json parse error: "),
    "list": (lambda asked: [], FAILED + "failed to call webhook: couldn't get version/kind; json parse error: "),
    "wrong-type": (responding(allowed="yes"), FAILED + "failed to call webhook: couldn't get version/kind"),
    "warnings-no-list": (responding(warnings="x"), FAILED + "failed to call webhook: couldn't get version/kind"),
    "deep": (lambda asked: b"[" * 100_000, FAILED + "failed to call webhook: couldn't get version/kind"),
    "no-kind": (lambda asked: {}, WRONG + f"expected webhook response of {GVK}, got /, Kind="),
    "other-kind": (
        lambda asked: {**review(asked["request"]), "kind": "Pod"},
        WRONG + f"expected webhook response of {GVK}, got admission.k8s.io/v1, Kind=Pod",
    ),
    "other-version": (
        lambda asked: {**review(asked["request"]), "apiVersion": "admission.k8s.io/v1beta1"},
        WRONG + f"expected webhook response of {GVK}, got admission.k8s.io/v1beta1, Kind=AdmissionReview",
    ),
    "no-response": (
        lambda asked: {**review(asked["request"]), "response": None},
        WRONG + "webhook response was absent",
    ),
    "other-uid": (responding(uid="of-another"), WRONG + 'expected response.uid="UID", got "of-another"'),
    "no-patch-type": (responding(patch="W10="), WRONG + "webhook returned response.patch but not response.patchType"),
    "no-patch": (
        responding(patchType="JSONPatch"),
        WRONG + "webhook returned response.patchType but not response.patch",
    ),
    "other-patch": (
        responding(patch="W10=", patchType="Merge"),
        WRONG + 'webhook returned invalid response.patchType of "Merge"',
    ),
    "no-base64": (
        responding(patch="%%", patchType="JSONPatch"),
        FAILED + "failed to call webhook: illegal base64 data",
    ),
    "patch-no-json": (
        responding(patch=b64encode(b"{").decode(), patchType="JSONPatch"),
        "Internal error occurred: the patch is no JSON",
    ),
    "patch-no-list": (
        responding(patch=b64encode(b"{}").decode(), patchType="JSONPatch"),
        "Internal error occurred: json: cannot unmarshal object into Go value of type jsonpatch.Patch",
    ),
    "patch-nowhere": (
        patching(op("replace", "/data/none/none", value="x")),
        "Internal error occurred: the server rejected our request due to an error in our request",
    ),
    "patch-doubles": (
        patching(op("add", "/list", value=["x"]), *[op("copy", "/list/-", **{"from": "/list"}) for _ in range(80)]),
        "Internal error occurred: the server rejected our request due to an error in our request",
    ),
    "patch-to-text": (patching(op("replace", "", value="x")), "Internal error occurred: "),
    "patch-wrong-type": (patching(op("replace", "/data", value=["x"])), "Internal error occurred: "),
    "patch-other-name": (patching(op("replace", "/metadata/name", value="../x")), 'ConfigMap "../x" is invalid: '),
    "refuses": (
        responding(allowed=False, status={"message": "no", "code": 418}),
        'admission webhook "HOOK" denied the request: no',
    ),
    "refuses-with-wild-code": (
        responding(allowed=False, status={"reason": "Nope", "code": 70000}),
        'admission webhook "HOOK" denied the request: Nope',
    ),
}
VALIDATING = {
    "patches": (responding(patch="W10="), WRONG + "validating webhook may not return response.patch"),
    "patch-type": (responding(patchType="JSONPatch"), WRONG + "validating webhook may not return response.patchType"),
}
# A hook that need not be asked can't be asked, and the write goes on; a patch that can't be applied is never forgiven.
FORGIVEN = ("hang", "three-gigabytes", "redirect", "html", "other-uid", "no-base64", "wrong-type")
CASES = [
    *(("Mutating", name, "Fail") for name in MUTATING),
    *(("Validating", name, "Fail") for name in VALIDATING),
    *(("Mutating", name, "Ignore") for name in (*FORGIVEN, "patch-nowhere")),
]


def config_map(name="c", **metadata):
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, **metadata}, "data": {"k": "v"}}


def configuration(kind, name, client_config, namespace, **rest):
    rule = {"operations": ["*"], "apiGroups": ["*"], "apiVersions": ["*"], "resources": ["configmaps", "configmaps/*"]}
    hook = {
        "name": f"{name}.example.test",
        "clientConfig": client_config,
        "rules": [rule],
        "sideEffects": "None",
        "admissionReviewVersions": ["v1"],
        "timeoutSeconds": 1 if client_config["url"].endswith("/hang") else 20,
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}},
        **rest,
    }
    shape = {"apiVersion": "admissionregistration.k8s.io/v1", "kind": f"{kind}WebhookConfiguration"}
    return {**shape, "metadata": {"name": name}, "webhooks": [hook]}


async def hooked(server, hook, kind, name, answer, **rest):
    """A namespace of this name, whose config maps a hook looks at; the path of its config maps."""
    path = answer if isinstance(answer, str) else f"/{kind}-{name}"
    if not isinstance(answer, str):
        hook.answers[path] = answer
    made = configuration(kind, name, hook.client_config(path), name, **rest)
    await server.make(CONFIGURATIONS.format(kind.lower()), made)
    await server.make("/api/v1/namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    await server.server.core.consistent()
    return f"/api/v1/namespaces/{name}/configmaps", path


@pytest.fixture(scope="module")
def outcomes():
    """(answer, hook's path, review) of one create for each case, all at once, and of one beside them."""

    async def one(server, hook, kind, name, policy):
        answer = (MUTATING if kind == "Mutating" else VALIDATING)[name][0]
        case = f"{kind}-{name}-{policy}".lower()
        configmaps, path = await hooked(server, hook, kind, case, answer, failurePolicy=policy)
        answered = await server.ask("POST", configmaps, config_map())
        reviews = hook.asked(path)
        message = answered.message.replace(f"{case}.example.test", "HOOK")
        message = (
            message.replace(hook.client_config(path)["url"], "URL").replace("=1s", "=TIMEs").replace("=20s", "=TIMEs")
        )
        if reviews:
            message = message.replace(reviews[-1]["uid"], "UID")
        return answered, message

    async def all_of_them():
        async with running() as server, hooks() as hook:
            await server.namespace("calm")
            asking = [asyncio.create_task(one(server, hook, *case)) for case in CASES]
            calm = [
                await server.ask("POST", "/api/v1/namespaces/calm/configmaps", config_map(f"c{n}")) for n in range(9)
            ]
            found = dict(zip(CASES, await asyncio.gather(*asking), strict=True))
            return found, calm, hook

    return asyncio.run(all_of_them())


@pytest.mark.parametrize("case", CASES, ids="-".join)
def test_a_hook_that_misbehaves_costs_its_own_request(outcomes, case):
    found, _, _ = outcomes
    kind, name, policy = case
    answer, message = found[case]
    expected = (MUTATING if kind == "Mutating" else VALIDATING)[name][1]
    if policy == "Ignore" and name in FORGIVEN:
        assert answer.code == 201, answer
        return
    assert message.startswith(expected), message
    assert 400 <= answer.code <= 599
    assert answer.code == 500 or not expected.startswith("Internal error")


def test_who_asks_beside_them_is_answered(outcomes):
    _, calm, hook = outcomes
    assert [each.code for each in calm] == [201] * 9
    # Of three gigabytes, twice, little was taken; nobody went where a redirect pointed.
    assert hook.sent < 256 << 20
    assert hook.asked("/elsewhere") == []


def test_warnings_and_annotations_of_a_hook_are_held_to_limits():
    async def scenario():
        async with running() as server, hooks() as hook:
            bad = ["x" * 5000, "one\r\nSet-Cookie: a=b", "\x00\x1b[31mred", "ü" * 3000]
            said = responding(warnings=bad, auditAnnotations={"fine": "v", "not fine": "v", "a/b/c": "v"})
            configmaps, _ = await hooked(server, hook, "Validating", "babbles", said)
            answer = await server.ask("POST", configmaps, config_map())
            assert answer.code == 201
            assert sum(map(len, answer.warnings)) < 6000
            assert all(each.isprintable() for each in answer.warnings)

    asyncio.run(scenario())


def test_dry_runs_ask_only_hooks_that_have_no_side_effects():
    async def scenario():
        async with running() as server, hooks() as hook:
            for effects, code in (("NoneOnDryRun", 201), ("None", 201)):
                name = effects.lower()
                configmaps, path = await hooked(server, hook, "Validating", name, responding(), sideEffects=effects)
                answer = await server.ask("POST", configmaps, config_map(), query={"dryRun": "All"})
                assert (effects, answer.code) == (effects, code)
                assert [each["dryRun"] for each in hook.asked(path)] == [True]
                assert hook.asked(path)[0]["options"]["dryRun"] == ["All"]

    asyncio.run(scenario())


def test_hooks_may_ask_for_an_equivalent_version():
    async def scenario():
        async with running() as server, hooks() as hook:
            space = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}}
            await server.make("/api/v1/namespaces", space)
            hook.answers["/seen"] = patching(op("replace", "/spec/maxReplicas", value=7))
            rule = {"operations": ["CREATE"], "apiGroups": ["autoscaling"], "apiVersions": ["v1"]}
            rules = [{**rule, "resources": ["horizontalpodautoscalers"]}]
            for name, policy in (("exact", "Exact"), ("equivalent", "Equivalent")):
                made = configuration(
                    "Mutating", name, hook.client_config("/seen"), "shop", rules=rules, matchPolicy=policy
                )
                await server.make(CONFIGURATIONS.format("mutating"), made)
            await server.server.core.consistent()
            target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}
            cpu = {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 50}}
            scaler = {
                "apiVersion": "autoscaling/v2",
                "kind": "HorizontalPodAutoscaler",
                "metadata": {"name": "web"},
                "spec": {
                    "scaleTargetRef": target,
                    "maxReplicas": 3,
                    "metrics": [{"type": "Resource", "resource": cpu}],
                },
            }
            made = await server.make("/apis/autoscaling/v2/namespaces/shop/horizontalpodautoscalers", scaler)
            (asked,) = hook.asked("/seen")
            assert asked["object"]["apiVersion"] == "autoscaling/v1"
            assert asked["object"]["spec"]["targetCPUUtilizationPercentage"] == 50
            assert (asked["kind"]["version"], asked["requestKind"]["version"]) == ("v1", "v2")
            assert (asked["resource"]["version"], asked["requestResource"]["version"]) == ("v1", "v2")
            assert (made["apiVersion"], made["spec"]["maxReplicas"]) == ("autoscaling/v2", 7)
            assert made["spec"]["metrics"][0]["resource"]["target"]["averageUtilization"] == 50

    asyncio.run(scenario())
