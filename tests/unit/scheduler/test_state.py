"""What informers report becomes counts on nodes and pods in the queue."""

from __future__ import annotations

import itertools
import json
from typing import Any

import msgspec
from memory_api import node, pod

from cybernetes.base.clock import SystemClock
from cybernetes.scheduler.columns import ID_PODS
from cybernetes.scheduler.objects import NodeObject, PodObject
from cybernetes.scheduler.pods import GROUP_LABEL, Interner, PodEntry
from cybernetes.scheduler.queue import SchedulingQueue
from cybernetes.scheduler.selectors import Requirement
from cybernetes.scheduler.state import ClusterState
from cybernetes.scheduler.tallies import own_namespace

INTERNER = Interner()
WEB = own_namespace("shop", (Requirement("app", "In", ("web",)),))


def state() -> ClusterState:
    found = ClusterState(SystemClock(), SchedulingQueue(), ["default-scheduler"])
    found.on_node("a", None, msgspec.json.decode(json.dumps(node("a")).encode(), type=NodeObject))
    return found


def entry(name: str = "web", labels: dict[str, str] | None = None, status: Any = None, **spec: Any) -> PodEntry:
    manifest = pod(name, **spec)
    manifest["metadata"].update(labels=labels or {"app": "web"}, resourceVersion=str(id(manifest)))
    manifest["status"] = status or {}
    return INTERNER.entry(msgspec.json.decode(json.dumps(manifest).encode(), type=PodObject))


def pods_on_a(found: ClusterState) -> tuple[int, int]:
    """(pods counted on the node, pods that the selection counts there)."""
    columns = found.columns
    return columns.used[ID_PODS * columns.stride], columns.tallies.count(WEB).total


def test_an_assumed_pod_is_counted_once_when_it_is_confirmed() -> None:
    found, waiting = state(), entry()
    found.on_pod(waiting.key, None, waiting)
    popped = found.queue.pop(0.0)
    assert popped is not None
    found.assume(popped.pod, "a")
    assert pods_on_a(found) == (1, 1)
    found.on_pod(waiting.key, waiting, entry(nodeName="a", labels={"app": "web", "zone": "z"}))
    assert pods_on_a(found) == (1, 1)
    assert not found.is_assumed(waiting.key)


def test_labels_of_a_running_pod_can_change() -> None:
    found, running = state(), entry(nodeName="a")
    found.on_pod(running.key, None, running)
    found.on_pod(running.key, running, entry(nodeName="a", labels={"app": "db"}))
    assert pods_on_a(found) == (1, 0)


def test_a_binding_that_failed_takes_the_pod_off_its_node_only_once() -> None:
    found, waiting = state(), entry()
    found.assume(waiting, "a")
    assert found.forget_assumed(waiting)
    assert not found.forget_assumed(waiting)
    assert pods_on_a(found) == (0, 0)


def test_a_finished_pod_frees_its_room_and_a_terminating_one_does_not() -> None:
    found, running = state(), entry(nodeName="a")
    found.on_pod(running.key, None, running)
    going = entry(nodeName="a")
    found.on_pod(running.key, running, going)
    assert pods_on_a(found) == (1, 1)
    found.on_pod(running.key, going, entry(nodeName="a", status={"phase": "Succeeded"}))
    assert pods_on_a(found) == (0, 0)


def test_a_pod_on_a_node_that_is_not_known_yet_is_counted_when_it_appears() -> None:
    found = ClusterState(SystemClock(), SchedulingQueue(), ["default-scheduler"])
    running = entry(nodeName="a")
    found.on_pod(running.key, None, running)
    assert found.columns.count == 0
    found.on_node("a", None, msgspec.json.decode(json.dumps(node("a")).encode(), type=NodeObject))
    assert (found.columns.count, *pods_on_a(found)) == (1, 1, 1)


def test_a_pod_of_the_same_name_with_another_uid_replaces_the_old_one() -> None:
    found, old = state(), entry(nodeName="a")
    found.on_pod(old.key, None, old)
    manifest = pod("web")
    manifest["metadata"]["uid"] = "another"
    new = INTERNER.entry(msgspec.json.decode(json.dumps(manifest).encode(), type=PodObject))
    # As after a break in the watch: that the old one went was not seen.
    found.on_pod(old.key, old, new)
    assert pods_on_a(found) == (0, 0)
    popped = found.queue.pop(0.0)
    assert popped is not None
    assert popped.pod.uid == "another"


def test_the_size_of_a_group_follows_its_pods() -> None:
    found = state()
    grouped = {"app": "web", GROUP_LABEL: "train"}
    one, two = entry("one", grouped, nodeName="a"), entry("two", grouped)
    group = one.group
    for each in (one, two):
        found.on_pod(each.key, None, each)
    assert found.group_size(group) == 1
    found.assume(two, "a")
    assert found.group_size(group) == 2
    found.unassume(two)
    assert found.group_size(group) == 1
    found.on_pod(one.key, one, entry("one", nodeName="a"))
    assert found.group_size(group) == 0
    found.on_pod(one.key, one, entry("one", grouped, nodeName="a"))
    found.on_pod(one.key, one, None)
    assert found.group_size(group) == 0


def test_an_image_has_the_median_of_the_sizes_that_nodes_say_whoever_spoke_first() -> None:
    for order in itertools.permutations([("a", 10), ("b", 30), ("c", 20), ("d", 40)]):
        found = state()
        for name, size in order:
            put_images(found, name, {"names": ["web:1"], "sizeBytes": size})
        assert found.columns.images["web:1"].size_bytes() == 30
        put_images(found, "d", {"names": ["db:1"], "sizeBytes": 7})
        assert found.columns.images["web:1"].size_bytes() == 20
        found.columns.remove_node("d")
        assert "db:1" not in found.columns.images


def test_of_an_image_that_a_node_lists_twice_the_first_size_counts() -> None:
    found = state()
    put_images(found, "a", {"names": ["web:1"], "sizeBytes": 10}, {"names": ["web:1", "web:2"], "sizeBytes": 30})
    assert found.columns.images["web:1"].size_bytes() == 10
    assert found.columns.images["web:2"].size_bytes() == 30


def put_images(found: ClusterState, name: str, *images: dict[str, Any]) -> None:
    manifest = node(name)
    manifest["status"]["images"] = list(images)
    found.columns.put_node(msgspec.json.decode(json.dumps(manifest).encode(), type=NodeObject))
