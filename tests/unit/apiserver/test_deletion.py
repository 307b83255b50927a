"""What deletion does to an object before it goes."""

from __future__ import annotations

from typing import Any

import pytest

from cybernetes.apiserver.handlers.delete import DeleteOptions, finalizers_after, marked
from cybernetes.apiserver.registry import Registry
from cybernetes.apiserver.write import ends
from cybernetes.base.clock import parse_rfc3339

REGISTRY = Registry()
NOW = 1_000_000.0


def row(group: str, plural: str) -> Any:
    served = REGISTRY.any_version(group, plural)
    assert served is not None
    return served.resource


PODS, MAPS, JOBS = row("", "pods"), row("", "configmaps"), row("batch", "jobs")


def pod(node: str = "one", **metadata: Any) -> dict[str, Any]:
    return {
        "kind": "Pod",
        "metadata": {"name": "a", "generation": 1, **metadata},
        "spec": {"nodeName": node, "terminationGracePeriodSeconds": 30},
        "status": {"phase": "Running"},
    }


def test_a_running_pod_gets_its_grace_period() -> None:
    found = marked(PODS, pod(), DeleteOptions(), NOW)
    assert found is not None
    assert parse_rfc3339(found["metadata"]["deletionTimestamp"]) == NOW + 30
    assert found["metadata"]["deletionGracePeriodSeconds"] == 30
    assert found["metadata"]["generation"] == 2
    assert not ends(found)


def test_a_period_of_grace_may_be_longer_than_time_can_be_written() -> None:
    forever = 2**63 - 1
    found = marked(PODS, pod(), DeleteOptions(grace_s=forever), NOW)
    assert found is not None
    assert found["metadata"]["deletionTimestamp"] == "9999-12-31T23:59:59Z"
    assert found["metadata"]["deletionGracePeriodSeconds"] == forever
    hastened = marked(PODS, found, DeleteOptions(grace_s=5), NOW)
    assert hastened is not None
    assert hastened["metadata"]["deletionGracePeriodSeconds"] == 5


def test_a_pod_without_a_node_goes_at_once() -> None:
    found = marked(PODS, pod(node=""), DeleteOptions(), NOW)
    assert found is not None
    assert ends(found)


def test_a_second_deletion_may_shorten_but_not_lengthen() -> None:
    first = marked(PODS, pod(), DeleteOptions(), NOW)
    assert first is not None
    assert marked(PODS, first, DeleteOptions(grace_s=60), NOW + 5) is None
    shorter = marked(PODS, first, DeleteOptions(grace_s=10), NOW + 5)
    assert shorter is not None
    assert parse_rfc3339(shorter["metadata"]["deletionTimestamp"]) == NOW + 10
    now = marked(PODS, shorter, DeleteOptions(grace_s=0), NOW + 6)
    assert now is not None
    assert ends(now)


def test_finalizers_hold_an_object() -> None:
    found = marked(MAPS, {"kind": "ConfigMap", "metadata": {"name": "a", "finalizers": ["x/y"]}}, DeleteOptions(), NOW)
    assert found is not None
    assert found["metadata"]["deletionGracePeriodSeconds"] == 0
    assert not ends(found)


@pytest.mark.parametrize(
    ("resource", "options", "expected"),
    [
        (MAPS, DeleteOptions(), []),
        (MAPS, DeleteOptions(policy="Orphan"), ["orphan"]),
        (MAPS, DeleteOptions(policy="Foreground"), ["foregroundDeletion"]),
        (MAPS, DeleteOptions(orphan_dependents=True), ["orphan"]),
        (JOBS, DeleteOptions(), ["orphan"]),
        (JOBS, DeleteOptions(policy="Background"), []),
    ],
)
def test_the_propagation_policy_becomes_a_finalizer(resource: Any, options: DeleteOptions, expected: list[str]) -> None:
    assert finalizers_after(resource, [], options) == expected


def test_a_namespace_ends_when_its_content_is_gone() -> None:
    namespace = {"kind": "Namespace", "metadata": {"name": "a"}, "spec": {"finalizers": ["kubernetes"]}}
    found = marked(row("", "namespaces"), namespace, DeleteOptions(), NOW)
    assert found is not None
    assert found["status"]["phase"] == "Terminating"
    assert not ends(found)
    found["spec"]["finalizers"] = []
    assert ends(found)
