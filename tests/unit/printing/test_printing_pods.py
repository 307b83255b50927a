"""The words that tables say of a pod's state."""

from __future__ import annotations

from typing import Any

import pytest

from cybernetes.model.printing.formats import human_duration
from cybernetes.model.printing.pods import PODS, row_conditions, status


def pod(phase: str = "Running", *statuses: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "metadata": {"name": "a", **more.pop("metadata", {})},
        "spec": {"containers": [{"name": "app"}], "initContainers": more.pop("inits", [])},
        "status": {"phase": phase, "containerStatuses": list(statuses), **more},
    }


def container(state: dict[str, Any], ready: bool = False, restarts: int = 0, **more: Any) -> dict[str, Any]:
    return {"name": "app", "state": state, "ready": ready, "restartCount": restarts, **more}


RUNNING = container({"running": {}}, ready=True)
DONE = container({"terminated": {"exitCode": 0, "reason": "Completed"}})
INIT_WAITING = {"name": "init", "state": {"waiting": {"reason": "ImagePullBackOff"}}, "restartCount": 0}
INIT_RUNNING = {"name": "init", "state": {"running": {}}, "restartCount": 0}
INIT_FAILED = {"name": "init", "state": {"terminated": {"exitCode": 3}}, "restartCount": 2}


@pytest.mark.parametrize(
    ("obj", "word"),
    [
        (pod("Pending"), "Pending"),
        (pod("Running", RUNNING), "Running"),
        (pod("Succeeded", DONE), "Completed"),
        (pod("Running", container({"waiting": {"reason": "CrashLoopBackOff"}})), "CrashLoopBackOff"),
        (pod("Failed", container({"terminated": {"exitCode": 1, "reason": "Error"}})), "Error"),
        (pod("Failed", container({"terminated": {"exitCode": 137, "signal": 9}})), "Signal:9"),
        (pod("Failed", container({"terminated": {"exitCode": 2}})), "ExitCode:2"),
        (pod("Running", RUNNING, metadata={"deletionTimestamp": "2026-01-01T00:00:00Z"}), "Terminating"),
        (pod("Succeeded", DONE, metadata={"deletionTimestamp": "2026-01-01T00:00:00Z"}), "Completed"),
        (pod("Failed", reason="Evicted"), "Evicted"),
        (pod("Pending", inits=[{"name": "init"}], initContainerStatuses=[INIT_RUNNING]), "Init:0/1"),
        (pod("Pending", inits=[{"name": "init"}], initContainerStatuses=[INIT_WAITING]), "Init:ImagePullBackOff"),
        (pod("Pending", inits=[{"name": "init"}], initContainerStatuses=[INIT_FAILED]), "Init:ExitCode:3"),
        (
            pod("Pending", conditions=[{"type": "PodScheduled", "status": "False", "reason": "SchedulingGated"}]),
            "SchedulingGated",
        ),
    ],
)
def test_status(obj: dict[str, Any], word: str) -> None:
    assert status(obj) == word


def cells(obj: dict[str, Any], now: float) -> dict[str, Any]:
    return {column.name: column.cell(obj, now) for column in PODS}


def test_restarts_tell_when_the_last_one_was() -> None:
    finished = {"terminated": {"exitCode": 1, "finishedAt": "1970-01-01T00:10:00Z"}}
    obj = pod("Running", container({"running": {}}, ready=True, restarts=4, lastState=finished))
    found = cells(obj, 900.0)
    assert found["Restarts"] == "4 (5m ago)"
    assert found["Ready"] == "1/1"
    assert found["Node"] == "<none>"


def test_sidecars_count_among_the_containers() -> None:
    sidecar = {"name": "proxy", "state": {"running": {}}, "started": True, "ready": True, "restartCount": 0}
    inits = [{"name": "proxy", "restartPolicy": "Always"}]
    obj = pod("Running", RUNNING, inits=inits, initContainerStatuses=[sidecar])
    assert cells(obj, 0.0)["Ready"] == "2/2"


def test_ended_pods_have_a_condition_on_their_row() -> None:
    assert row_conditions(pod("Running")) == []
    assert row_conditions(pod("Failed"))[0]["message"] == "The pod failed."


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-5, "<invalid>"),
        (0, "0s"),
        (119, "119s"),
        (120, "2m"),
        (330, "5m30s"),
        (600, "10m"),
        (3 * 3600, "3h"),
        (3 * 3600 + 720, "3h12m"),
        (40 * 3600, "40h"),
        (52 * 3600, "2d4h"),
        (41 * 86400, "41d"),
        (740 * 86400, "2y10d"),
        (3000 * 86400, "8y"),
    ],
)
def test_durations_show_two_units_at_most(seconds: int, text: str) -> None:
    assert human_duration(seconds) == text
