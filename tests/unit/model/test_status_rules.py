"""What the status of a workload may say, whoever writes it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from cybernetes.base.random import SeededRandom
from cybernetes.model.field import FieldError
from cybernetes.model.resource import Resource, WriteContext
from cybernetes.model.resources.apps import daemonsets, deployments, replicasets, statefulsets
from cybernetes.model.resources.autoscaling import horizontalpodautoscalers
from cybernetes.model.resources.batch import jobs
from cybernetes.model.resources.core import (
    nodes,
    persistentvolumeclaims,
    pods,
    replicationcontrollers,
    resourcequotas,
    services,
)
from cybernetes.model.resources.networking import ingresses
from cybernetes.model.resources.policy import poddisruptionbudgets
from cybernetes.model.validation.jobs import validate_job_update

Object = dict[str, Any]
CONTEXT = WriteContext(now=0.0, random=SeededRandom(1))
META = {"name": "x", "uid": "u", "resourceVersion": "1"}
START, LATER = "2026-01-01T00:00:00Z", "2026-01-01T00:01:00Z"


def words(errors: list[FieldError]) -> list[str]:
    return [f"{each.field}: {each.body}" for each in errors]


def complaints(resource: Resource, status: Object, before: Object | None = None, **spec: Any) -> list[str]:
    (rules,) = [
        each.strategy.validate_update for each in resource.subresources if each.name == "status" and each.strategy
    ]
    obj, old = ({"metadata": META, "spec": spec, "status": each} for each in (status, before or {}))
    return words(rules(obj, old, CONTEXT))


@pytest.mark.parametrize(
    ("resource", "status", "complaint"),
    [
        (
            deployments,
            {"observedGeneration": -1},
            "status.observedGeneration: Invalid value: -1: must be greater than or equal to 0",
        ),
        (
            deployments,
            {"replicas": 2, "readyReplicas": 1, "availableReplicas": 2},
            "status.availableReplicas: Invalid value: 2: cannot be greater than readyReplicas",
        ),
        (
            replicasets,
            {"replicas": 1, "fullyLabeledReplicas": 2},
            "status.fullyLabeledReplicas: Invalid value: 2: cannot be greater than status.replicas",
        ),
        (
            replicationcontrollers,
            {"replicas": 1, "readyReplicas": 2},
            "status.readyReplicas: Invalid value: 2: cannot be greater than status.replicas",
        ),
        (
            statefulsets,
            {"replicas": 3, "readyReplicas": 1, "availableReplicas": 2},
            "status.availableReplicas: Invalid value: 2: cannot be greater than status.readyReplicas",
        ),
        (daemonsets, {"numberReady": -1}, "status.numberReady: Invalid value: -1: must be greater than or equal to 0"),
        (
            poddisruptionbudgets,
            {"conditions": [{"type": "T", "status": "True", "reason": "R"}]},
            "status.conditions[0].lastTransitionTime: Required value: must be set",
        ),
        (
            horizontalpodautoscalers,
            {"desiredReplicas": -1},
            "status.desiredReplicas: Invalid value: -1: must be greater than or equal to 0",
        ),
        (
            resourcequotas,
            {"used": {"pods": "-1"}},
            'status.used[pods]: Invalid value: "-1": must be greater than or equal to 0',
        ),
    ],
)
def test_no_count_is_below_zero_and_no_part_above_the_whole(resource: Any, status: Object, complaint: str) -> None:
    assert complaints(resource.RESOURCE, status) == [complaint]


def test_collisions_are_never_forgotten() -> None:
    assert complaints(deployments.RESOURCE, {}, {"collisionCount": 1}) == [
        "status.collisionCount: Invalid value: 0: cannot be decremented"
    ]


def true(*kinds: str) -> list[Object]:
    return [{"type": kind, "status": "True"} for kind in kinds]


COMPLETE = {"conditions": true("SuccessCriteriaMet", "Complete"), "startTime": START, "completionTime": LATER}


@pytest.mark.parametrize(
    ("status", "before", "complaint"),
    [
        (
            {"conditions": true("Complete"), "startTime": START, "completionTime": LATER},
            {"startTime": START},
            "status.conditions: Invalid value: cannot set Complete=True condition without the SuccessCriteriaMet=true condition",
        ),
        (
            {"conditions": true("Failed"), "startTime": START},
            {"startTime": START},
            "status.conditions: Invalid value: cannot set Failed=True condition without the FailureTarget=true condition",
        ),
        (COMPLETE | {"active": 1}, {}, "status.active: Invalid value: 1: active>0 is invalid for finished job"),
        (
            {"startTime": START, "completionTime": LATER},
            {"startTime": START},
            f'status.completionTime: Invalid value: "{LATER}": '
            "cannot set completionTime when there is no Complete=True condition",
        ),
        ({"failed": 1}, {"failed": 2}, "status.failed: Invalid value: 1: cannot decrease the failed counter"),
        (
            {"startTime": LATER},
            {"startTime": START},
            f'status.startTime: Invalid value: "{LATER}": field is immutable for unsuspended job once set',
        ),
        ({"ready": 2, "active": 1}, {}, "status.ready: Invalid value: 2: cannot set more ready pods than active"),
        (
            {"completedIndexes": "0"},
            {},
            'status.completedIndexes: Invalid value: "0": '
            "cannot set non-empty completedIndexes when non-indexed completion mode",
        ),
        (
            {"uncountedTerminatedPods": {"succeeded": ["a"], "failed": ["a"]}},
            {},
            'status.uncountedTerminatedPods.failed[0]: Duplicate value: "a"',
        ),
    ],
)
def test_how_a_job_ends_is_told_in_order_and_stays(status: Object, before: Object, complaint: str) -> None:
    assert complaints(jobs.RESOURCE, status, before, completions=2) == [complaint]


def test_a_job_may_end_and_one_that_is_suspended_loses_its_start() -> None:
    assert not complaints(jobs.RESOURCE, COMPLETE, {"startTime": START}, completions=1)
    assert not complaints(jobs.RESOURCE, {}, {"startTime": START}, completions=1, suspend=True)


def test_an_index_is_done_or_lost() -> None:
    how: Object = {"completions": 5, "completionMode": "Indexed", "backoffLimitPerIndex": 1}
    assert not complaints(jobs.RESOURCE, {"completedIndexes": "0-2", "failedIndexes": "3,4"}, None, **how)
    assert complaints(jobs.RESOURCE, {"completedIndexes": "0-2", "failedIndexes": "2-3"}, None, **how) == [
        'status.failedIndexes: Invalid value: "2-3": failedIndexes and completedIndexes overlap at index: 2'
    ]


def suspended(**status: Any) -> Callable[[str], Object]:
    def job(cpu: str) -> Object:
        container = {"name": "c", "image": "i", "imagePullPolicy": "Always", "resources": {"requests": {"cpu": cpu}}}
        pod = {"restartPolicy": "Never", "containers": [container]}
        spec = {"suspend": True, "manualSelector": True, "selector": {"matchLabels": {"a": "b"}}, "completions": 1}
        template = {"metadata": {"labels": {"a": "b"}}, "spec": pod}
        return {"metadata": META, "spec": {**spec, "template": template}, "status": status}

    return job


def test_what_a_suspended_jobs_pods_ask_for_may_change_while_it_has_none() -> None:
    paused, stopping = suspended(), suspended(active=1)
    assert "spec.template" not in {each.field for each in validate_job_update(paused("2"), paused("1"))}
    assert "spec.template" in {each.field for each in validate_job_update(stopping("2"), stopping("1"))}


POD: dict[str, Any] = {"spec": {"resourceClaims": [{"name": "gpu"}]}}
NAME = "a lowercase RFC 1123 subdomain must consist of"


@pytest.mark.parametrize(
    ("status", "complaint"),
    [
        ({"podIPs": [{"ip": "x"}]}, 'status.podIPs[0]: Invalid value: "x": must be a valid IP address'),
        (
            {"podIPs": [{"ip": "10.0.0.1"}, {"ip": "10.0.0.2"}]},
            'status.podIPs: Invalid value: [{"ip":"10.0.0.1"},{"ip":"10.0.0.2"}]: may specify no more than one IP for each',
        ),
        (
            {"hostIPs": [{"ip": "10.0.0.1"}, {"ip": "fd00::1"}, {"ip": "fd00::2"}]},
            "status.hostIPs: Invalid value: ",
        ),
        ({"observedGeneration": -1}, "status.observedGeneration: Invalid value: -1: must be a non-negative integer"),
        ({"nominatedNodeName": "A_"}, f'status.nominatedNodeName: Invalid value: "A_": {NAME}'),
        (
            {"conditions": [{"type": "A B", "status": "True"}]},
            'metadata.conditions[0].Type: Invalid value: "A B": name part must consist of',
        ),
        (
            {"resourceClaimStatuses": [{"name": "other"}]},
            'status.resourceClaimStatuses[0].name: Invalid value: "other": must match the name of an entry in',
        ),
        (
            {"resourceClaimStatuses": [{"name": "gpu"}, {"name": "gpu"}]},
            'status.resourceClaimStatuses[1].name: Duplicate value: "gpu"',
        ),
    ],
)
def test_what_the_status_of_a_pod_may_not_say(status: Object, complaint: str) -> None:
    [found] = complaints(pods.RESOURCE, status, **POD["spec"])
    assert found.startswith(complaint)


@pytest.mark.parametrize(
    "status",
    [
        {"podIPs": [{"ip": "10.0.0.1"}, {"ip": "fd00::1"}], "hostIPs": [{"ip": "fd00::2"}]},
        {"conditions": [{"type": "Ready", "status": "True"}, {"type": "example.test/gate", "status": "X"}]},
        {"resourceClaimStatuses": [{"name": "gpu", "resourceClaimName": "p-gpu"}], "nominatedNodeName": "node-1"},
    ],
)
def test_what_the_status_of_a_pod_may_say(status: Object) -> None:
    assert complaints(pods.RESOURCE, status, **POD["spec"]) == []


def test_a_bound_pod_is_nominated_no_more_and_keeps_what_it_had() -> None:
    bound = "status.nominatedNodeName: Forbidden: may not be set on pods that are already bound to a node"
    assert complaints(pods.RESOURCE, {"nominatedNodeName": "b"}, {"nominatedNodeName": "a"}, nodeName="a") == [bound]
    strange = {"nominatedNodeName": "A_", "podIPs": [{"ip": "x"}]}
    assert complaints(pods.RESOURCE, strange, strange, nodeName="a") == []


@pytest.mark.parametrize(
    ("ingress", "complaint"),
    [
        ({"ip": "x", "ipMode": "VIP"}, 'ip: Invalid value: "x": must be a valid IP address'),
        ({"hostname": "A_"}, f'hostname: Invalid value: "A_": {NAME}'),
        ({"hostname": "1.2.3.4"}, 'hostname: Invalid value: "1.2.3.4": must be a DNS name, not an IP address'),
    ],
)
@pytest.mark.parametrize("resource", [services.RESOURCE, ingresses.RESOURCE])
def test_a_load_balancer_is_reached_by_addresses_and_names(resource: Resource, ingress: Object, complaint: str) -> None:
    status = {"loadBalancer": {"ingress": [ingress]}}
    [found] = complaints(resource, status, type="LoadBalancer")
    assert found.startswith(f"status.loadBalancer.ingress[0].{complaint}")


@pytest.mark.parametrize(
    ("ingress", "complaint"),
    [
        ({"ip": "1.2.3.4"}, "Required value: must be specified when `ip` is set"),
        ({"hostname": "a.b", "ipMode": "VIP"}, "Forbidden: may not be specified when `ip` is not set"),
        ({"ip": "1.2.3.4", "ipMode": "X"}, 'Unsupported value: "X": supported values: "Proxy", "VIP"'),
    ],
)
def test_the_address_of_a_load_balancer_has_a_mode(ingress: Object, complaint: str) -> None:
    status = {"loadBalancer": {"ingress": [ingress]}}
    found = complaints(services.RESOURCE, status, type="LoadBalancer")
    assert found == [f"status.loadBalancer.ingress[0].ipMode: {complaint}"]


def test_an_address_that_was_there_may_stay_whatever_it_is() -> None:
    status = {"loadBalancer": {"ingress": [{"ip": "010.0.0.x", "ipMode": "VIP"}, {"hostname": "a.b"}]}}
    assert complaints(services.RESOURCE, status, status, type="LoadBalancer") == []
    assert complaints(services.RESOURCE, status, status) == []
    none = "status.loadBalancer.ingress: Forbidden: may only be used when `spec.type` is 'LoadBalancer'"
    assert complaints(services.RESOURCE, status) == [none]


def test_a_node_has_whole_numbers_of_what_can_not_be_shared_and_nothing_below_zero() -> None:
    status = {"capacity": {"pods": "1500m", "cpu": "-1"}, "allocatable": {"memory": "-1"}}
    assert complaints(nodes.RESOURCE, status) == [
        'status.capacity.cpu: Invalid value: "-1": must be greater than or equal to 0',
        'status.capacity.pods: Invalid value: "1500m": must be an integer',
        'status.allocatable.memory: Invalid value: "-1": must be greater than or equal to 0',
    ]


def test_a_job_that_does_not_tell_its_ready_pods_is_told_of_the_active_ones() -> None:
    below = "status.active: Invalid value: -1: must be greater than or equal to 0"
    assert complaints(jobs.RESOURCE, {"active": -1}) == [below]


def test_a_claim_has_an_amount_and_grows_in_known_steps() -> None:
    status = {
        "capacity": {"storage": "-1"},
        "allocatedResources": {"storage": "1Gi", "cpu": "1"},
        "allocatedResourceStatuses": {"storage": "Soon"},
    }
    found = complaints(persistentvolumeclaims.RESOURCE, status)
    assert [each.partition(": supported")[0] for each in found] == [
        "status.capacity[storage]: Invalid value: -1: must be a valid resource quantity",
        'status.allocatedResourceStatus: Unsupported value: "Soon"',
        'status.allocatedResources: Unsupported value: "cpu"',
    ]
    growing = {"allocatedResources": {"storage": "2Gi"}, "allocatedResourceStatuses": {"storage": "NodeResizePending"}}
    assert complaints(persistentvolumeclaims.RESOURCE, {"capacity": {"storage": "1Gi"}, **growing}) == []
