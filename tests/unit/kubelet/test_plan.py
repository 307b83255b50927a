"""What is done next for a pod, from its spec and what the runtime has of it."""

from __future__ import annotations

from typing import Any

import pytest
from tests.unit.kubelet.making import box, ended, init, pod, run, seen

from cybernetes.kubelet.backoff import Entry
from cybernetes.kubelet.observe import Observed
from cybernetes.kubelet.plan import (
    Health,
    RunSandbox,
    StartContainer,
    StopContainer,
    StopPod,
    plan,
    restart_key,
    stop_order,
)
from cybernetes.kubelet.runtime.api import ContainerStatus, SandboxStatus

NOW = 1000.0
SIDE = init("side", restartPolicy="Always")


def actions(obj: Any, observed: Observed, health: Health = Health(), entries: Any = None) -> list[Any]:  # noqa: B008
    return list(plan(obj, observed, health, entries or {}, NOW, limit_s=300).actions)


def test_a_new_pod_gets_a_sandbox_first() -> None:
    assert actions(pod(), Observed()) == [RunSandbox(0)]


def test_main_containers_start_together_once_there_are_no_init_containers() -> None:
    wanted = [StartContainer("a", "main", 0), StartContainer("b", "main", 0)]
    assert actions(pod("a", "b"), seen()) == wanted


def test_a_running_pod_needs_nothing() -> None:
    assert actions(pod(), seen(run("a"))) == []


@pytest.mark.parametrize(
    ("policy", "code", "wanted"),
    [
        ("Always", 0, [StartContainer("a", "main", 1)]),
        ("OnFailure", 1, [StartContainer("a", "main", 1)]),
        ("OnFailure", 0, [StopPod(restarts=False)]),
        ("Never", 1, [StopPod(restarts=False)]),
    ],
)
def test_the_restart_policy_decides_about_an_ended_container(policy: str, code: int, wanted: list[Any]) -> None:
    assert actions(pod(restartPolicy=policy), seen(ended("a", code))) == wanted


def test_restart_rules_go_before_the_policy() -> None:
    rule = {"action": "Restart", "exitCodes": {"operator": "In", "values": [42]}}
    obj = pod(restartPolicy="Never")
    obj["spec"]["containers"][0]["restartPolicyRules"] = [rule]
    assert actions(obj, seen(ended("a", 42))) == [StartContainer("a", "main", 1)]
    assert actions(obj, seen(ended("a", 1))) == [StopPod(restarts=False)]


def test_a_crashing_container_waits_out_its_back_off() -> None:
    obj = pod()
    entries = {restart_key(obj["spec"]["containers"][0]): Entry(20.0, NOW - 8)}
    held = plan(obj, seen(ended("a", 1, 2, at=NOW - 5)), Health(), entries, NOW, limit_s=300)
    assert held.actions == ()
    assert held.wake_after_s == 15.0
    text = "back-off 20s restarting failed container=a pod=web_shop(u1)"
    assert held.waiting == {"a": ("CrashLoopBackOff", text)}


def test_init_containers_run_one_after_the_other() -> None:
    obj = pod(initContainers=[init("one"), init("two")])
    assert actions(obj, seen()) == [StartContainer("one", "init", 0)]
    assert actions(obj, seen(run("one"))) == []
    assert actions(obj, seen(ended("one"))) == [StartContainer("two", "init", 0)]
    assert actions(obj, seen(ended("one"), ended("two"))) == [StartContainer("a", "main", 0)]


def test_a_failed_init_container_is_repeated_or_ends_the_pod() -> None:
    steps = [init("one")]
    assert actions(pod(initContainers=steps), seen(ended("one", 1))) == [StartContainer("one", "init", 1)]
    assert actions(pod(initContainers=steps, restartPolicy="Never"), seen(ended("one", 1))) == [StopPod(restarts=False)]


def test_the_next_container_waits_until_a_sidecar_has_started() -> None:
    obj = pod(initContainers=[SIDE, init("two")])
    assert actions(obj, seen()) == [StartContainer("side", "init", 0)]
    assert actions(obj, seen(run("side"))) == []
    assert actions(obj, seen(run("side")), Health(frozenset({"side0"}))) == [StartContainer("two", "init", 0)]


def test_a_sidecar_is_restarted_while_main_containers_run_and_not_after() -> None:
    obj = pod(initContainers=[SIDE], restartPolicy="Never")
    assert actions(obj, seen(ended("side"), run("a"))) == [StartContainer("side", "init", 1)]
    assert actions(obj, seen(run("side"), ended("a"))) == [StopPod(restarts=False)]


def test_a_lost_sandbox_is_replaced_and_init_containers_run_again() -> None:
    obj = pod(initContainers=[init("one")])
    gone = seen(box(0, ready=False), ended("one"), ended("a", 137))
    assert actions(obj, gone) == [RunSandbox(1)]
    fresh = seen(box(0, ready=False), box(1), ended("one"), ended("a", 137))
    assert actions(obj, fresh) == [StartContainer("one", "init", 1)]


def test_what_still_runs_in_a_lost_sandbox_is_stopped_first() -> None:
    assert actions(pod(), seen(box(ips=()), run("a"))) == [StopPod(restarts=True), RunSandbox(1)]


def test_a_pod_that_finished_in_a_lost_sandbox_ends_and_gets_no_new_one() -> None:
    assert actions(pod(restartPolicy="Never"), seen(box(ready=False), ended("a", 137))) == [StopPod(restarts=False)]
    assert actions(pod(restartPolicy="OnFailure"), seen(box(ready=False), ended("a"))) == [StopPod(restarts=False)]
    assert actions(pod(restartPolicy="OnFailure"), seen(box(ready=False), ended("a", 1))) == [RunSandbox(1)]


@pytest.mark.parametrize(
    ("policy", "message"),
    [
        ("Always", "Container a failed liveness probe, will be restarted"),
        ("Never", "Container a failed liveness probe"),
    ],
)
def test_an_unhealthy_container_is_stopped(policy: str, message: str) -> None:
    health = Health(frozenset({"a0"}), {"a0": "liveness"})
    assert actions(pod(restartPolicy=policy), seen(run("a")), health) == [StopContainer("a", "a0", message, "liveness")]


def test_a_changed_image_restarts_the_container() -> None:
    obj = pod()
    obj["spec"]["containers"][0]["image"] = "other"
    assert actions(obj, seen(run("a"))) == [
        StopContainer("a", "a0", "Container a definition changed, will be restarted")
    ]


def test_ephemeral_containers_start_once() -> None:
    obj = pod(ephemeralContainers=[init("debug")])
    assert actions(obj, seen(run("a"))) == [StartContainer("debug", "ephemeral", 0)]
    assert actions(obj, seen(run("a"), ended("debug", 1))) == []


def test_sidecars_are_stopped_after_the_others_last_started_first() -> None:
    obj = pod("a", "b", initContainers=[init("s1", restartPolicy="Always"), init("s2", restartPolicy="Always")])
    running: list[ContainerStatus | SandboxStatus] = [run("s1"), run("s2"), run("a"), run("b")]
    names = [sorted(each.name for each in group) for group in stop_order(obj, seen(*running))]
    assert names == [["a", "b"], ["s2"], ["s1"]]
