"""One container's end restarts all containers of its pod, in place."""

from __future__ import annotations

from typing import Any

from tests.unit.kubelet.making import ended, init, pod, run, seen

from cybernetes.kubelet import restart_all, status
from cybernetes.kubelet.backoff import Entry
from cybernetes.kubelet.observe import Observed
from cybernetes.kubelet.plan import CRASH_LOOP, Health, RestartAll, StartContainer, StopPod, plan, restart_key
from cybernetes.kubelet.status import NodeFacts, View

NOW = 1000.0
RULES = [{"action": "RestartAllContainers", "exitCodes": {"operator": "In", "values": [42]}}]
SIDE = init("side", restartPolicy="Always")


def trigger_pod(**spec: Any) -> Any:
    """Containers a and b, never restarted by themselves; b may ask for all."""
    obj = pod("a", "b", restartPolicy="Never", **spec)
    obj["spec"]["containers"][1] |= {"restartPolicy": "Never", "restartPolicyRules": RULES}
    return obj


def actions(obj: Any, observed: Observed, entries: Any = None, **more: Any) -> list[Any]:
    return list(plan(obj, observed, Health(), entries or {}, NOW, limit_s=300, **more).actions)


def test_the_code_that_a_rule_names_restarts_all_and_others_do_not() -> None:
    assert actions(trigger_pod(), seen(run("a"), ended("b", 42))) == [RestartAll()]
    assert actions(trigger_pod(), seen(ended("a", 1), ended("b", 42))) == [RestartAll()]
    assert actions(trigger_pod(), seen(run("a"), ended("b", 1))) == []
    assert actions(trigger_pod(), seen(ended("a", 42), ended("b", 1))) == [StopPod(restarts=False)]


def test_init_containers_and_sidecars_may_ask_for_it_too() -> None:
    for asking in (
        init("one", restartPolicyRules=RULES),
        init("one", restartPolicy="Always", restartPolicyRules=RULES),
    ):
        obj = pod(restartPolicy="Never", initContainers=[SIDE, asking])
        assert actions(obj, seen(run("side"), ended("one", 42))) == [RestartAll()]


def test_the_first_rule_that_matches_decides() -> None:
    obj = trigger_pod()
    restart = {"action": "Restart", "exitCodes": {"operator": "NotIn", "values": [0]}}
    obj["spec"]["containers"][1]["restartPolicyRules"] = [restart, *RULES]
    assert actions(obj, seen(run("a"), ended("b", 42))) == [StartContainer("b", "main", 1)]


def test_what_fails_again_soon_waits_and_the_rest_is_left_alone() -> None:
    obj = trigger_pod()
    entries = {restart_key(obj["spec"]["containers"][1]): Entry(20.0, NOW - 30)}
    held = plan(obj, seen(run("a"), ended("b", 42, at=NOW - 5)), Health(), entries, NOW, limit_s=300)
    assert (held.actions, held.wake_after_s, held.waiting["b"][0]) == ((), 15.0, CRASH_LOOP)
    assert actions(obj, seen(run("a"), ended("b", 42, at=NOW - 20)), entries) == [RestartAll()]


def test_once_they_are_gone_all_start_from_the_first_with_the_next_number() -> None:
    obj = trigger_pod(initContainers=[init("one")])
    counts = {"one": 1, "a": 1, "b": 3}
    assert actions(obj, seen(), counts=counts) == [StartContainer("one", "init", 1)]
    wanted = [StartContainer("a", "main", 1), StartContainer("b", "main", 3)]
    assert actions(obj, seen(ended("one", 0, 1)), counts=counts) == wanted


def test_triggers_go_last_and_ephemeral_containers_stay() -> None:
    obj = trigger_pod(ephemeralContainers=[init("debug")])
    observed = seen(ended("b", 42), run("a"), run("debug"))
    assert [each.name for each in restart_all.doomed(obj, observed)] == ["a", "b"]


def shown(obj: Any, observed: Observed, previous: Any, **view: Any) -> Any:
    node = NodeFacts(("192.0.2.1",))
    view = {"restarting": restart_all.was_under_way(previous), **view}
    return status.compute(obj, observed, View(**view), previous, node, NOW)


def restarting(computed: Any) -> tuple[str, str]:
    condition = next(each for each in computed["conditions"] if each["type"] == "AllContainersRestarting")
    return condition["status"], condition.get("reason", "")


def test_status_tells_of_it_from_the_first_to_the_second_life() -> None:
    obj = trigger_pod(initContainers=[init("one")])
    before = shown(obj, seen(ended("one"), run("a"), run("b")), {})
    assert (before["phase"], restarting(before)) == ("Running", ("False", ""))
    asked = shown(obj, seen(ended("one"), run("a"), ended("b", 42)), before)
    assert (asked["phase"], restarting(asked)) == ("Running", ("True", "RestartAllContainersStarted"))
    killed = shown(obj, seen(ended("one"), ended("a", 137), ended("b", 42)), asked)
    assert killed["phase"] == "Running"

    # A kubelet that was away meanwhile counts nothing twice.
    half = shown(obj, seen(ended("b", 42)), killed)
    assert [each["restartCount"] for each in half["containerStatuses"]] == [1, 0]
    gone = shown(obj, seen(), half)
    assert (gone["phase"], restarting(gone)) == ("Pending", ("False", ""))
    for each in (*gone["initContainerStatuses"], *gone["containerStatuses"]):
        assert each["state"]["waiting"]["reason"] == "RestartingAllContainers"
        ended_so = {"exitCode": 137, "reason": "RestartingAllContainers", "message": restart_all.MESSAGE}
        assert (each["lastState"]["terminated"], each["restartCount"]) == (ended_so, 1)
    assert restart_all.counts(gone) == {"one": 1, "a": 1, "b": 1}

    first = shown(obj, seen(run("one", 1)), gone)
    assert (first["phase"], first["containerStatuses"][0]["restartCount"]) == ("Pending", 1)
    again = shown(obj, seen(ended("one", 0, 1), run("a", 1), run("b", 1)), first)
    assert again["phase"] == "Running"
    for each in (*again["initContainerStatuses"], *again["containerStatuses"]):
        assert (each["restartCount"], each["lastState"]["terminated"]["exitCode"]) == (1, 137)


def test_pods_without_such_rules_have_no_such_condition() -> None:
    kinds = [each["type"] for each in shown(pod(), seen(run("a")), {})["conditions"]]
    assert "AllContainersRestarting" not in kinds
    ended_pod = shown(trigger_pod(), seen(ended("a", 0), ended("b", 0)), {}, ending=True, gone=True)
    assert (ended_pod["phase"], restarting(ended_pod)) == ("Succeeded", ("False", "PodCompleted"))
