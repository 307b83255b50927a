"""Status, phase and conditions as clients see them."""

from __future__ import annotations

from typing import Any

import pytest
from tests.unit.kubelet.making import box, ended, init, pod, run, seen

from cybernetes.kubelet import status
from cybernetes.kubelet.observe import Observed
from cybernetes.kubelet.status import NodeFacts, View

NODE = NodeFacts(("192.0.2.1",))
NOW = 1_700_000_000.0
TIME = "2023-11-14T22:13:20Z"


def compute(obj: Any, observed: Observed, previous: Any = None, **view: Any) -> Any:
    return status.compute(obj, observed, View(**view), previous or {}, NODE, NOW)


def brief(computed: Any) -> dict[str, str]:
    return {each["type"]: each["status"] for each in computed["conditions"]}


def test_a_pod_that_was_just_bound_is_pending() -> None:
    computed = compute(pod(), Observed())
    assert computed["phase"] == "Pending"
    assert computed["startTime"] == TIME
    assert computed["containerStatuses"][0]["state"] == {"waiting": {"reason": "ContainerCreating"}}
    assert [each["type"] for each in computed["conditions"]] == [
        "PodReadyToStartContainers",
        "Initialized",
        "Ready",
        "ContainersReady",
        "PodScheduled",
    ]
    ready = computed["conditions"][2]
    assert (ready["status"], ready["reason"], ready["message"]) == (
        "False",
        "ContainersNotReady",
        "containers with unready status: [a]",
    )
    assert ready["observedGeneration"] == 3


def test_a_pod_that_is_deleted_before_it_ran_fails() -> None:
    """Whoever counts ended pods has to be told of an end, and of no success."""
    computed = compute(pod(), Observed(), {"phase": "Pending"}, ending=True, gone=True)
    assert computed["phase"] == "Failed"
    ended_state = computed["containerStatuses"][0]["state"]["terminated"]
    assert (ended_state["exitCode"], ended_state["reason"]) == (137, "ContainerStatusUnknown")


def test_a_pod_that_is_deleted_before_it_was_initialized_shows_that() -> None:
    waiting = pod(initContainers=[init("one")])
    computed = compute(waiting, seen(ended("one", 1)), {"phase": "Pending"}, ending=True, gone=True)
    assert computed["phase"] == "Failed"
    assert computed["containerStatuses"][0]["state"] == {"waiting": {"reason": "PodInitializing"}}


def test_a_rejected_pod_says_nothing_of_containers() -> None:
    rejected = {"ending": True, "phase": "Failed", "reason": "OutOfcpu", "message": "m"}
    first = compute(pod(), Observed(), **rejected)
    computed = compute(pod(), Observed(), first, gone=True, **rejected)
    assert "containerStatuses" not in computed
    assert compute(pod(), Observed(), computed) == computed


def test_the_end_of_a_container_shows_once_it_is_not_restarted_any_more() -> None:
    held = {"a": ("CrashLoopBackOff", "back-off")}
    computed = compute(pod(), seen(ended("a", 3)), {"phase": "Running"}, ending=True, gone=True, waiting=held)
    assert computed["containerStatuses"][0]["state"]["terminated"]["exitCode"] == 3
    assert computed["phase"] == "Failed"


def test_a_running_pod_is_ready_when_its_containers_are() -> None:
    both = frozenset({"a0"})
    computed = compute(pod(), seen(run("a")), started=both, ready=both)
    assert computed["phase"] == "Running"
    assert set(brief(computed).values()) == {"True"}
    assert computed["podIPs"] == [{"ip": "10.0.0.1"}]
    assert computed["hostIP"] == "192.0.2.1"
    assert computed["containerStatuses"][0]["containerID"] == "containerd://a0"


def test_a_container_whose_hook_still_runs_is_shown_as_waiting() -> None:
    computed = compute(pod(), seen(run("a")), hooking=frozenset({"a0"}))
    assert computed["containerStatuses"][0]["state"] == {"waiting": {"reason": "ContainerCreating"}}


def test_a_crashing_container_shows_its_last_end() -> None:
    computed = compute(pod(), seen(ended("a", 1, 1)), waiting={"a": ("CrashLoopBackOff", "back-off")})
    shown = computed["containerStatuses"][0]
    assert shown["state"] == {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off"}}
    assert shown["lastState"]["terminated"]["exitCode"] == 1
    assert shown["restartCount"] == 1
    assert computed["phase"] == "Running"


def test_main_containers_wait_for_init_containers() -> None:
    obj = pod(initContainers=[init("one")])
    computed = compute(obj, seen(run("one")))
    assert computed["containerStatuses"][0]["state"] == {"waiting": {"reason": "PodInitializing"}}
    condition = computed["conditions"][1]
    assert (condition["reason"], condition["message"]) == (
        "ContainersNotInitialized",
        "containers with incomplete status: [one]",
    )
    assert brief(compute(obj, seen(ended("one"), run("a"))))["Initialized"] == "True"


@pytest.mark.parametrize(
    ("policy", "code", "ending", "gone", "phase"),
    [
        ("Never", 0, True, True, "Succeeded"),
        ("Never", 1, True, True, "Failed"),
        ("Never", 0, True, False, "Running"),
        ("Always", 0, False, False, "Running"),
        ("Always", 0, True, True, "Succeeded"),
    ],
)
def test_a_pod_ends_when_all_has_stopped(policy: str, code: int, ending: bool, gone: bool, phase: str) -> None:
    computed = compute(
        pod(restartPolicy=policy), seen(ended("a", code)), {"phase": "Running"}, ending=ending, gone=gone
    )
    assert computed["phase"] == phase


def test_a_terminal_phase_never_changes_back() -> None:
    assert compute(pod(), seen(run("a")), {"phase": "Failed"})["phase"] == "Failed"


def test_a_verdict_sets_phase_reason_and_message() -> None:
    computed = compute(
        pod(),
        seen(ended("a", 137)),
        ending=True,
        gone=True,
        phase="Failed",
        reason="Evicted",
        message="low",
        disruption="low",
    )
    assert (computed["phase"], computed["reason"], computed["message"]) == ("Failed", "Evicted", "low")
    last = computed["conditions"][-1]
    assert (last["type"], last["reason"], last["message"]) == ("DisruptionTarget", "TerminationByKubelet", "low")


def test_a_container_that_was_lost_is_reported_when_the_pod_ends() -> None:
    before = {"name": "a", "state": {"running": {}}, "containerID": "containerd://x", "restartCount": 2}
    computed = compute(pod(), seen(box(ready=False)), {"containerStatuses": [before]}, ending=True, gone=True)
    shown = computed["containerStatuses"][0]["state"]["terminated"]
    assert (shown["exitCode"], shown["reason"]) == (137, "ContainerStatusUnknown")
    assert computed["phase"] == "Failed"


def test_readiness_gates_hold_the_pod_back() -> None:
    both = frozenset({"a0"})
    obj = pod(readinessGates=[{"conditionType": "x/y"}])
    computed = compute(obj, seen(run("a")), started=both, ready=both)
    ready = computed["conditions"][2]
    assert ready["reason"] == "ReadinessGatesNotReady"
    assert ready["message"] == 'corresponding condition of pod readiness gate "x/y" does not exist.'


def test_times_of_transitions_stay_while_the_status_does() -> None:
    old = {"conditions": [{"type": "PodScheduled", "status": "True", "lastTransitionTime": "2020-01-01T00:00:00Z"}]}
    computed = compute(pod(), Observed(), old)
    assert computed["conditions"][4]["lastTransitionTime"] == "2020-01-01T00:00:00Z"
    assert computed["conditions"][2]["lastTransitionTime"] == TIME


def test_a_patch_names_only_what_changed_and_takes_old_reasons_away() -> None:
    old = {
        "phase": "Pending",
        "podIP": "10.0.0.1",
        "podIPs": [{"ip": "10.0.0.1"}],
        "conditions": [
            {"type": "Ready", "status": "False", "reason": "ContainersNotReady", "message": "m"},
            {"type": "x/y", "status": "True"},
            {"type": "PodScheduled", "status": "True", "lastProbeTime": None},
        ],
    }
    new = {
        "phase": "Running",
        "podIP": "10.0.0.2",
        "podIPs": [{"ip": "10.0.0.2"}],
        "conditions": [{"type": "Ready", "status": "True"}, {"type": "PodScheduled", "status": "True"}],
    }
    assert status.patch(old, new) == {
        "phase": "Running",
        "podIP": "10.0.0.2",
        "podIPs": [{"ip": "10.0.0.2"}, {"$patch": "delete", "ip": "10.0.0.1"}],
        "$setElementOrder/podIPs": [{"ip": "10.0.0.2"}],
        "conditions": [{"type": "Ready", "status": "True", "reason": None, "message": None}],
    }
    assert status.patch(new, new) == {}


def test_nulls_and_empty_objects_are_no_difference() -> None:
    said = {"containerStatuses": [{"name": "app", "state": {"running": {}}, "lastState": {}, "allocated": None}]}
    kept = {"containerStatuses": [{"name": "app", "state": {"running": None}}]}
    assert status.patch(kept, said) == status.patch(said, kept) == {}
    ready = {"containerStatuses": [{"name": "app", "state": {}, "ready": True}]}
    assert status.patch(kept, ready) == ready
