from __future__ import annotations

from typing import Any

import orjson
import pytest

from cybernetes.model.defaults import registry
from cybernetes.model.defaults.pods import pull_policy
from cybernetes.model.schema import compile as schema
from cybernetes.model.schema.decode import decode
from cybernetes.model.schema.default import default
from cybernetes.model.schema.node import ListNode, MapNode, Node, StructNode


def filled(body: dict[str, Any]) -> dict[str, Any]:
    node = schema.kind_node(body["apiVersion"], body["kind"])
    assert node is not None
    obj = decode(node, orjson.dumps(body), "application/json", kind=body["kind"], api_version=body["apiVersion"]).object
    default(node, obj)
    return obj


POD_SPEC = {"containers": [{"name": "a", "image": "b", "resources": {"limits": {"cpu": "1"}}}]}


def test_only_pods_get_requests_from_limits_and_service_links() -> None:
    pod = filled({"apiVersion": "v1", "kind": "Pod", "spec": POD_SPEC})["spec"]
    template = filled({"apiVersion": "apps/v1", "kind": "Deployment", "spec": {"template": {"spec": POD_SPEC}}})
    inner = template["spec"]["template"]["spec"]
    assert pod["containers"][0]["resources"] == {"limits": {"cpu": "1"}, "requests": {"cpu": "1"}}
    assert inner["containers"][0]["resources"] == {"limits": {"cpu": "1"}}
    assert pod["enableServiceLinks"] is True
    assert "enableServiceLinks" not in inner
    assert inner["restartPolicy"] == pod["restartPolicy"] == "Always"


def test_a_pod_has_a_second_where_its_grace_is_negative_and_a_template_keeps_it() -> None:
    spec = {**POD_SPEC, "terminationGracePeriodSeconds": -1}
    pod = filled({"apiVersion": "v1", "kind": "Pod", "spec": spec})
    template = filled({"apiVersion": "v1", "kind": "PodTemplate", "template": {"spec": spec}})
    assert pod["spec"]["terminationGracePeriodSeconds"] == 1
    assert template["template"]["spec"]["terminationGracePeriodSeconds"] == -1


def test_pod_level_requests_come_from_containers_then_from_limits() -> None:
    containers = [
        {"name": "a", "image": "a", "resources": {"requests": {"cpu": "200m"}}},
        {"name": "b", "image": "b", "resources": {"requests": {"cpu": "300m"}}},
    ]
    spec = {"containers": containers, "resources": {"limits": {"cpu": "2", "memory": "1Gi"}}}
    found = filled({"apiVersion": "v1", "kind": "Pod", "spec": spec})["spec"]["resources"]
    assert found["requests"] == {"cpu": "500m", "memory": "1Gi"}


def test_defaults_leave_fields_in_the_order_of_the_struct() -> None:
    spec = filled({"apiVersion": "v1", "kind": "Pod", "spec": POD_SPEC})["spec"]
    node = schema.node("io.k8s.api.core.v1.PodSpec")
    assert list(spec) == [name for name in node.fields if name in spec]
    strategy = {"rollingUpdate": {"maxSurge": 1}}
    deployment = filled({"apiVersion": "apps/v1", "kind": "Deployment", "spec": {"strategy": strategy}})["spec"]
    assert list(deployment["strategy"]) == ["type", "rollingUpdate"]
    assert list(deployment["strategy"]["rollingUpdate"]) == ["maxUnavailable", "maxSurge"]


def test_filling_twice_changes_nothing() -> None:
    once = filled({"apiVersion": "apps/v1", "kind": "StatefulSet", "spec": {"volumeClaimTemplates": [{"spec": {}}]}})
    assert filled(once) == once
    assert list(filled(once)["spec"]["volumeClaimTemplates"][0])[:2] == ["kind", "apiVersion"]


def test_a_secrets_plain_texts_are_merged_into_its_data() -> None:
    body = {"apiVersion": "v1", "kind": "Secret", "data": {"a": "AA==", "b": "AA=="}, "stringData": {"a": "new"}}
    found = filled(body)
    assert found["data"] == {"a": "bmV3", "b": "AA=="}
    assert "stringData" not in found
    assert found["type"] == "Opaque"


def test_resource_lists_are_rounded_up_to_thousandths() -> None:
    spec = {"hard": {"cpu": "1n", "memory": "1Gi", "pods": "1500u"}}
    assert filled({"apiVersion": "v1", "kind": "ResourceQuota", "spec": spec})["spec"]["hard"] == {
        "cpu": "1m",
        "memory": "1Gi",
        "pods": "2m",
    }


@pytest.mark.parametrize(
    ("image", "policy"),
    [
        ("nginx", "Always"),
        ("nginx:latest", "Always"),
        ("localhost:5000/nginx", "Always"),
        ("nginx:1", "IfNotPresent"),
        ("nginx@sha256:" + "a" * 64, "IfNotPresent"),
        ("nginx:latest@sha256:" + "a" * 64, "Always"),
        ("Bad_Image!", "IfNotPresent"),
        ("", "IfNotPresent"),
        ("a" * 300, "IfNotPresent"),
    ],
)
def test_the_pull_policy_follows_the_tag(image: str, policy: str) -> None:
    assert pull_policy(image) == policy


def test_every_default_belongs_to_a_definition() -> None:
    assert [name for name in registry() if not isinstance(schema.node(name), StructNode)] == []
    assert len(registry()) > 60


def _structs(node: Node, seen: set[str]) -> None:
    if isinstance(node, StructNode) and node.name not in seen:
        seen.add(node.name)
        for field in node.fields.values():
            _structs(field.node, seen)
    elif isinstance(node, ListNode):
        _structs(node.item, seen)
    elif isinstance(node, MapNode):
        _structs(node.value, seen)


def test_every_default_is_reached_from_some_kind() -> None:
    seen: set[str] = set()
    for kinds in schema.kinds().values():
        for name in kinds.values():
            _structs(schema.node(name), seen)
    assert set(registry()) - seen == set()
