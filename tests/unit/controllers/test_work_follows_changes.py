"""What controllers look at grows with what changed, not with the cluster."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import msgspec
import pytest
import virtual
from world import World, pod, replica_set, template, view_of

from cybernetes.controllers import selecting
from cybernetes.controllers.daemonset.fits import Fits
from cybernetes.controllers.daemonset.objects import DaemonSet
from cybernetes.controllers.loop import Pace
from cybernetes.controllers.nodelifecycle.health import Health, Lease
from cybernetes.controllers.objects import Node, Selector

MANY = 200


def node(n: int, **labels: str) -> Node:
    return view_of({"metadata": {"name": f"node-{n}", "labels": labels}}, Node)


def daemon_set(image: str = "app:1") -> DaemonSet:
    pods = template(app="d")
    pods["spec"] |= {"nodeSelector": {"disk": "ssd"}, "containers": [{"name": "app", "image": image}]}
    spec = {"selector": {"matchLabels": {"app": "d"}}, "template": pods}
    return view_of({"metadata": {"name": "d", "namespace": "default"}, "spec": spec}, DaemonSet)


class Nodes:
    """asked: how often all of them were looked at."""

    def __init__(self) -> None:
        self.items = {f"node-{n}": node(n) for n in range(MANY)}
        self.asked = 0

    def __call__(self) -> Mapping[str, Node]:
        self.asked += 1
        return self.items


def test_a_template_judges_all_nodes_once_and_then_those_that_change() -> None:
    nodes = Nodes()
    fits = Fits(nodes)
    for _ in range(10):
        assert not any(each.run for each in fits.of("default/d", daemon_set()).values())
    assert fits.changed("node-7", node(7, disk="ssd")) == ["default/d"]
    assert fits.changed("node-8", node(8, disk="tape")) == []
    assert fits.changed("node-9", None) == ["default/d"]
    found = fits.of("default/d", daemon_set())
    assert [name for name, fit in found.items() if fit.run] == ["node-7"]
    assert len(found) == MANY - 1
    assert nodes.asked == 1
    fits.of("default/d", daemon_set("app:2"))
    assert nodes.asked == 2


class Looks(Selector, frozen=True):
    """Counts the pods that it is asked about."""

    def matches(self, labels: dict[str, str]) -> bool:
        looked.append(labels)
        return super().matches(labels)


looked: list[dict[str, str]] = []


def with_pods(*objects: dict[str, Any]) -> World:
    world = World()
    world.informers.pods.begin_list()
    world.informers.pods.add_listed([msgspec.json.encode(each) for each in objects])
    world.informers.pods.finish_list()
    return world


def test_pods_of_a_selector_are_found_by_their_rarest_label() -> None:
    others = [pod(f"other-{n}", app="other", tier="web") for n in range(MANY)]
    world = with_pods(*others, pod("mine", app="mine", tier="web"))
    looked.clear()
    found = selecting.matching(world.informers, "default", Looks(match_labels={"tier": "web", "app": "mine"}))
    assert [each.metadata.name for each in found] == ["mine"]
    assert len(looked) == 1


def test_a_selector_without_labels_is_asked_about_the_whole_namespace() -> None:
    world = with_pods(pod("a", app="a"), pod("b", app="b"))
    assert len(selecting.matching(world.informers, "default", Selector())) == 2


def test_pods_to_adopt_are_found_among_those_without_an_owner() -> None:
    owner = replica_set("web", 1)
    owned = [pod(f"owned-{n}", owner=owner, app="web") for n in range(MANY)]
    bare = [pod(f"bare-{n}", app="other") for n in range(MANY)]
    world = with_pods(*owned, *bare, pod("orphan", app="web"))
    found = selecting.orphans(world.informers, "default", Selector(match_labels={"app": "web"}))
    assert [each.metadata.name for each in found] == ["orphan"]


def test_a_look_for_silent_nodes_ends_at_the_first_that_was_heard_of() -> None:
    health = Health()
    for n in range(MANY):
        health.heard_of(node(n), 0.0)
    for n in range(2, MANY):
        health.renewed(view_of({"metadata": {"name": f"node-{n}"}, "spec": {"renewTime": "a"}}, Lease), 40.0)
    assert health.silent(50.0, 50.0) == []
    assert health.silent(50.0, 51.0) == ["node-0", "node-1"]
    health.renewed(view_of({"metadata": {"name": "node-0"}, "spec": {"renewTime": "b"}}, Lease), 51.0)
    assert health.silent(50.0, 60.0) == ["node-1"]
    assert health.silent(50.0, 91.0)[:2] == ["node-1", "node-2"]
    assert health.silent(50.0, 200.0)[-1] == "node-0"


def test_a_key_whose_work_takes_long_rests_longer() -> None:
    async def main() -> None:
        w = World()
        queue = w.edges.queue()
        pace = Pace(queue, w.clock, 0.1)
        for took_s, rest_s in ((0.0, 0.1), (0.001, 0.1), (0.5, 5.0)):
            pace.add("a")
            assert await queue.get() == "a", "a lone change is answered without delay"
            pace.worked("a", took_s)
            queue.done("a")
            began = w.clock.monotonic()
            pace.add("a")
            await queue.get()
            assert w.clock.monotonic() - began == pytest.approx(rest_s)
            queue.done("a")
            await asyncio.sleep(rest_s)

    virtual.run(main())
