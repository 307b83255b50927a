"""What the checks notice."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import orjson
import pytest

from cybernetes.sim.checks import Checks, Looker
from cybernetes.sim.loop import VirtualLoop
from cybernetes.sim.transcript import Transcript
from cybernetes.sim.truth import Truth


class Told:
    """Checks, and a truth that tests write: `put` and `delete` are the store's revisions."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.transcript = Transcript(loop)
        self.truth = Truth()
        self.checks = Checks(self.truth, self.transcript, cpu_milli=1000)

    @property
    def broken(self) -> list[str]:
        return [each.split(maxsplit=1)[1] for each in self.transcript.violations]

    def put(self, name: str, *, node: str = "", cpu: str = "100m", uid: str = "") -> int:
        spec = {"nodeName": node, "containers": [{"resources": {"requests": {"cpu": cpu}}}]}
        pod = {"metadata": {"name": name, "uid": uid or name}, "spec": spec, "status": {"phase": "Pending"}}
        self.truth.add(self.truth.revision + 1, f"/core/pods/shop/{name}", b"v1 Pod\n" + orjson.dumps(pod))
        return self.truth.revision

    def delete(self, name: str) -> int:
        self.truth.add(self.truth.revision + 1, f"/core/pods/shop/{name}", None)
        return self.truth.revision

    def looker(self, after: int, node: str = "") -> Looker:
        return Looker(self.truth, self.transcript, "/api/v1/pods", "/core/pods/", "", node, after)


@pytest.fixture
def told() -> Iterator[Told]:
    with _loop() as loop:
        yield Told(loop)


@contextmanager
def _loop() -> Iterator[VirtualLoop]:
    loop = VirtualLoop()
    try:
        yield loop
    finally:
        loop.close()


def frame(kind: str, name: str, revision: int) -> bytes:
    head = f'{{"type":"{kind}","object":{{"kind":"Pod","apiVersion":"v1","metadata":{{"resourceVersion":"{revision}",'
    return head.encode() + f'"name":"{name}"}}}}}}'.encode()


def test_a_pod_is_bound_once(told: Told) -> None:
    told.put("web")
    told.put("web", node="node-1")
    told.put("web", node="node-1")
    assert told.broken == []
    told.put("web", node="node-2")
    assert "was bound to node-1, now to 'node-2'" in told.broken[0]


def test_another_pod_of_the_same_name_may_go_elsewhere(told: Told) -> None:
    told.put("web", node="node-1", uid="1")
    told.delete("web")
    told.put("web", node="node-2", uid="2")
    assert told.broken == []


def test_a_node_is_not_overcommitted(told: Told) -> None:
    told.put("a", node="node-1", cpu="600m")
    told.put("b", node="node-1", cpu="400m")
    assert told.broken == []
    told.delete("a")
    told.put("c", node="node-1", cpu="600m")
    assert told.broken == []
    told.put("d", node="node-1", cpu="1m")
    assert "node node-1 is overcommitted" in told.broken[0]


def test_a_container_runs_once_and_on_one_node(told: Told) -> None:
    told.checks.container_started("node-1", "uid", "app", "c1")
    told.checks.container_ended("c1")
    told.checks.container_started("node-1", "uid", "app", "c2")
    assert told.broken == []
    told.checks.container_started("node-1", "uid", "app", "c3")
    told.checks.container_started("node-2", "uid", "other", "c4")
    assert [each.split()[0] for each in told.broken] == ["container", "pod"]


Story = Callable[[Told, Looker], None]


def whole(told: Told, looker: Looker) -> None:
    looker.see(frame("ADDED", "a", told.put("a")))
    looker.see(frame("MODIFIED", "a", told.put("a", node="n")))
    looker.see(frame("DELETED", "a", told.delete("a")))
    told.truth.add(9, "/core/services/shop/web", b"v1 Service\n{}")
    looker.see(frame("BOOKMARK", "", 9))


def skipping(told: Told, looker: Looker) -> None:
    told.put("a")
    looker.see(frame("ADDED", "b", told.put("b")))


def skipping_before_a_bookmark(told: Told, looker: Looker) -> None:
    looker.see(frame("BOOKMARK", "", told.put("a")))


def repeating(told: Told, looker: Looker) -> None:
    revision = told.put("a")
    looker.see(frame("ADDED", "a", revision))
    looker.see(frame("ADDED", "a", revision))


def going_back(told: Told, looker: Looker) -> None:
    first, second = told.put("a"), told.put("b")
    looker.see(frame("ADDED", "b", second))
    looker.see(frame("ADDED", "a", first))


def mistaking(told: Told, looker: Looker) -> None:
    looker.see(frame("MODIFIED", "a", told.put("a")))


@pytest.mark.parametrize(
    ("story", "broken"),
    [(whole, 0), (skipping, 1), (skipping_before_a_bookmark, 1), (repeating, 1), (going_back, 2), (mistaking, 1)],
)
def test_a_watch_has_each_event_once_and_in_order(told: Told, story: Story, broken: int) -> None:
    story(told, told.looker(0))
    assert len(told.broken) == broken


def test_a_watch_of_one_node_sees_pods_come_and_go(told: Told) -> None:
    looker = told.looker(0, "n")
    told.put("a")
    looker.see(frame("ADDED", "a", told.put("a", node="n")))
    told.put("b", node="other")
    looker.see(frame("DELETED", "a", told.delete("a")))
    assert told.broken == []


def test_a_revision_is_given_once(told: Told) -> None:
    told.put("a")
    told.checks.acknowledged(1, ["/core/pods/shop/a"])
    assert told.broken == []
    told.checks.acknowledged(1, ["/core/pods/shop/b"])
    told.checks.acknowledged(2, ["/core/pods/shop/c"])
    assert len(told.broken) == 2
