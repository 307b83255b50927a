from __future__ import annotations

from typing import Any

import orjson
import pytest

from cybernetes.base.errors import ApiError
from cybernetes.model.schema import compile as schema
from cybernetes.model.schema.decode import Decoded, decode

POD = schema.kind_node("v1", "Pod")
JSON = "application/json"


def pod(spec: dict[str, Any], **metadata: Any) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}


def read(
    body: Any, validation: str = "Warn", *, content: str = JSON, kind: str = "Pod", version: str = "v1"
) -> Decoded:
    data = body if isinstance(body, bytes) else orjson.dumps(body)
    node = schema.kind_node(version, kind)
    assert node is not None
    return decode(node, data, content, kind=kind, api_version=version, field_validation=validation)


def refusal(body: Any, validation: str = "Warn", **settings: Any) -> str:
    with pytest.raises(ApiError) as caught:
        read(body, validation, **settings)
    assert caught.value.code == 400
    return caught.value.message


def test_what_go_writes_even_when_empty_appears_and_the_rest_vanishes() -> None:
    found = read(pod({"containers": [{"image": "a", "args": [], "stdin": False}], "hostNetwork": False})).object
    assert found == {
        "kind": "Pod",
        "apiVersion": "v1",
        "metadata": {},
        "spec": {"containers": [{"name": "", "image": "a", "resources": {}}]},
        "status": {},
    }


def test_a_node_without_drivers_has_a_list_of_them() -> None:
    body = {"kind": "CSINode", "apiVersion": "storage.k8s.io/v1", "metadata": {"name": "n"}, "spec": {"drivers": []}}
    assert read(body, kind="CSINode", version="storage.k8s.io/v1").object["spec"] == {"drivers": []}


@pytest.mark.parametrize(
    ("kind", "version", "kept"),
    [("Deployment", "apps/v1", True), ("ReplicationController", "v1", True), ("Job", "batch/v1", False)],
)
def test_labels_of_a_template_that_is_selected_by_them_may_be_empty(kind: str, version: str, kept: bool) -> None:
    template = {"metadata": {"labels": {}, "annotations": {}}, "spec": {"containers": []}}
    body = {"kind": kind, "apiVersion": version, "metadata": {"labels": {}}, "spec": {"template": template}}
    found = read(body, kind=kind, version=version).object
    assert found["spec"]["template"]["metadata"] == ({"labels": {}} if kept else {})
    assert found["metadata"] == {}


def test_fields_come_in_the_order_of_the_struct_and_maps_sorted() -> None:
    body = {
        "spec": {"containers": [], "volumes": [{"name": "v"}]},
        "kind": "Pod",
        "metadata": {"labels": {"b": "1", "a": "2"}, "name": "x"},
    }
    found = read(body).object
    assert list(found) == ["kind", "apiVersion", "metadata", "spec", "status"]
    assert list(found["metadata"]) == ["name", "labels"]
    assert list(found["metadata"]["labels"]) == ["a", "b"]
    assert list(found["spec"]) == ["volumes", "containers"]


def test_pointers_to_zero_are_kept() -> None:
    found = read(pod({"containers": [], "automountServiceAccountToken": False, "priority": 0})).object
    assert found["spec"] == {"containers": None, "automountServiceAccountToken": False, "priority": 0}


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        (
            {"terminationGracePeriodSeconds": "x"},
            "json: cannot unmarshal string into Go struct field PodSpec.spec.terminationGracePeriodSeconds of type int64",
        ),
        (
            {"priority": 1.5},
            "json: cannot unmarshal number 1.5 into Go struct field PodSpec.spec.priority of type int32",
        ),
        (
            {"priority": 2**31},
            "json: cannot unmarshal number 2147483648 into Go struct field PodSpec.spec.priority of type int32",
        ),
        (
            {"containers": {}},
            "json: cannot unmarshal object into Go struct field PodSpec.spec.containers of type []v1.Container",
        ),
        (
            {"containers": [{"readinessProbe": {"httpGet": {"port": True}}}]},
            "json: cannot unmarshal bool into Go struct field "
            "HTTPGetAction.spec.containers.readinessProbe.ProbeHandler.httpGet.port of type int32",
        ),
        (
            {"containers": [{"resources": {"limits": {"cpu": "1x"}}}]},
            "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'",
        ),
    ],
)
def test_a_wrong_type_is_told_in_the_words_of_go(spec: dict[str, Any], message: str) -> None:
    assert refusal(pod(spec)) == f'Pod in version "v1" cannot be handled as a Pod: {message}'


def test_the_first_error_in_the_order_of_the_document_counts() -> None:
    body = b'{"kind":"Pod","spec":{"hostname":1,"priority":"x"},"metadata":{"name":2}}'
    assert refusal(body).endswith("PodSpec.spec.hostname of type string")


def test_unknown_and_repeated_fields_warn_or_fail_or_pass() -> None:
    body = b'{"kind":"Pod","spec":{"containers":[{"name":"a","name":"b","nope":1}]}}'
    complaints = ('duplicate field "spec.containers[0].name"', 'unknown field "spec.containers[0].nope"')
    assert read(body).warnings == complaints
    assert read(body, "Ignore").warnings == ()
    assert read(body, "Ignore").object["spec"]["containers"][0]["name"] == "b"
    assert refusal(body, "Strict").endswith("strict decoding error: " + ", ".join(complaints))


def test_fields_of_features_that_are_off_are_known_and_dropped() -> None:
    body = pod({"containers": [{"name": "a"}], "evictionResponders": [{"name": "x"}]})
    found = read(body, "Strict")
    assert "evictionResponders" not in found.object["spec"]
    assert "nope" not in str(read({**body, "nope": 1}).object)


def test_nulls_are_nothing_but_in_lists_and_maps_they_are_zero() -> None:
    body = {"kind": "ConfigMap", "data": {"a": None}, "immutable": None, "metadata": None}
    found = read(body, kind="ConfigMap").object
    assert found == {"kind": "ConfigMap", "apiVersion": "v1", "metadata": {}, "data": {"a": ""}}
    assert read(pod({"containers": [None]})).object["spec"]["containers"] == [{"name": "", "resources": {}}]


def test_quantities_and_times_become_canonical() -> None:
    spec = {"containers": [{"name": "a", "resources": {"limits": {"cpu": 0.5, "memory": "1024Mi"}}}]}
    found = read(pod(spec, creationTimestamp="2026-01-02T03:04:05.9+01:00")).object
    assert found["spec"]["containers"][0]["resources"]["limits"] == {"cpu": "500m", "memory": "1Gi"}
    assert found["metadata"]["creationTimestamp"] == "2026-01-02T02:04:05Z"
    assert "creationTimestamp" not in read(pod({}, creationTimestamp=None)).object["metadata"]


def test_micro_times_need_six_digits() -> None:
    spec = {"renewTime": "2026-01-02T03:04:05Z"}
    message = refusal({"kind": "Lease", "spec": spec}, kind="Lease", version="coordination.k8s.io/v1")
    assert message.endswith('as "2006-01-02T15:04:05.000000Z07:00": cannot parse "Z" as ".000000"')


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"{", "json parse error: unexpected end of JSON input ({)"),
        (b"", "json parse error: unexpected end of JSON input (<empty>)"),
        (b"a: b", "json parse error: invalid character 'a' looking for beginning of value (613a2062)"),
        *(
            (
                b'{"%s":%s}' % (field, value),
                f"json parse error: json: cannot unmarshal {kind} into Go struct field .{field.decode()} of type "
                f'string ({{"{field.decode()}":{value.decode()}}})',
            )
            for field in (b"apiVersion", b"kind")
            for value, kind in ((b"{}", "object"), (b"[]", "array"), (b"0", "number"), (b"false", "bool"))
        ),
    ],
)
def test_a_body_that_is_no_object_is_not_recognized(body: bytes, message: str) -> None:
    assert refusal(body).endswith("couldn't get version/kind; " + message)


def test_other_kinds_and_versions_are_refused() -> None:
    other = {"apiVersion": "v1", "kind": "Secret"}
    converting = "converting (v1.Secret) to (core.Pod): unknown conversion"
    assert refusal(other) == f'Secret in version "v1" cannot be handled as a Pod: {converting}'
    assert 'no kind "Pod" is registered for version "apps/v1"' in refusal({"apiVersion": "apps/v1", "kind": "Pod"})
    scaler = {"apiVersion": "autoscaling/v1", "kind": "HorizontalPodAutoscaler"}
    assert refusal(scaler, kind="HorizontalPodAutoscaler", version="autoscaling/v2") == (
        "the API version in the data (autoscaling/v1) does not match the expected API version (autoscaling/v2)"
    )


def test_yaml_is_read_as_kubectl_reads_it() -> None:
    body = b"kind: ConfigMap\nmetadata: {name: a}\ndata: {port: '80', on: 'x'}\n"
    found = read(body, kind="ConfigMap", content="application/yaml").object
    assert found["data"] == {"port": "80", "true": "x"}
    wrong = refusal(b"data: {on: yes}", kind="ConfigMap", content="application/yaml")
    assert wrong.endswith("json: cannot unmarshal bool into Go struct field ConfigMap.data of type string")


def test_an_unknown_media_type_is_415() -> None:
    with pytest.raises(ApiError) as caught:
        read(b"", content="text/html")
    assert (caught.value.code, caught.value.reason) == (415, "UnsupportedMediaType")


def test_json_schemas_may_contain_themselves() -> None:
    inner = {"type": "object", "additionalProperties": True, "properties": {"a": {"items": {"type": "string"}}}}
    versions = [{"name": "v1", "schema": {"openAPIV3Schema": inner}}]
    body = {"kind": "CustomResourceDefinition", "spec": {"versions": versions}}
    found = read(body, kind="CustomResourceDefinition", version="apiextensions.k8s.io/v1").object
    assert found["spec"]["versions"][0]["schema"]["openAPIV3Schema"] == inner
