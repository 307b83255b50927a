"""Requests at the gate: they run, wait for others, give up, are turned away."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from prometheus_client import CollectorRegistry, generate_latest

from cybernetes.apiserver.flowcontrol import dumps
from cybernetes.apiserver.flowcontrol.gate import GROUP, LEVELS, SCHEMAS, Gate
from cybernetes.apiserver.flowcontrol.numbers import Collector
from cybernetes.apiserver.request import RequestInfo
from cybernetes.auth.user import User
from cybernetes.base.clock import SystemClock
from cybernetes.model import fairness
from cybernetes.wire.http.message import Request, Response

ANN, ROOT = User("ann", groups=("system:authenticated",)), User("root", groups=("system:masters",))
PODS = RequestInfo("/api/v1/pods", "get", True, "", "v1", "pods")


class Objects:
    """What a lister tells its subscribers."""

    def __init__(self) -> None:
        self._told: dict[str, Callable[[Any, Any], None]] = {}

    def subscribe_specs(self, group: str, plural: str, callback: Callable[[Any, Any], None]) -> None:
        assert group == GROUP
        self._told[plural] = callback

    def put(self, plural: str, obj: Any) -> None:
        self._told[plural](None, obj)

    def remove(self, plural: str, obj: Any) -> None:
        self._told[plural](obj, None)


def opened(total: int) -> tuple[Gate, Objects]:
    gate, objects = Gate(SystemClock(), total, lambda info: 0), Objects()
    gate.follow(objects)  # type: ignore[arg-type]
    for each in fairness.levels():
        objects.put(LEVELS, {**each, "metadata": {**each["metadata"], "uid": f"level-{each['metadata']['name']}"}})
    for each in fairness.schemas():
        objects.put(SCHEMAS, {**each, "metadata": {**each["metadata"], "uid": f"schema-{each['metadata']['name']}"}})
    return gate, objects


class Desk:
    """Answers requests when told to."""

    def __init__(self, gate: Gate) -> None:
        self.gate = gate
        self.busy: list[asyncio.Future[None]] = []
        self.headers: list[tuple[str, str]] = []

    async def _answer(self) -> Response:
        done = asyncio.get_running_loop().create_future()
        self.busy.append(done)
        await done
        return Response(200)

    def ask(self, user: User = ANN) -> asyncio.Task[Response]:
        """`headers` are those of the last request."""
        self.headers = []
        return asyncio.ensure_future(self.gate.admit(Request("GET", PODS.path), PODS, user, self.headers, self._answer))

    async def settle(self) -> None:
        for _ in range(5):
            await asyncio.sleep(0)

    def finish(self) -> None:
        self.busy.pop(0).set_result(None)


def test_requests_wait_for_a_seat_and_are_told_their_level() -> None:
    async def main() -> None:
        desk = Desk(opened(12)[0])
        first = desk.ask()
        headers = desk.headers
        second = desk.ask()
        await desk.settle()
        assert len(desk.busy) == 1, "global-default has one of twelve seats"
        root = desk.ask(ROOT)
        await desk.settle()
        assert len(desk.busy) == 2, "administrators never wait"
        desk.finish()
        assert (await first).status == 200
        assert headers == [
            ("X-Kubernetes-PF-FlowSchema-UID", "schema-global-default"),
            ("X-Kubernetes-PF-PriorityLevel-UID", "level-global-default"),
        ]
        await desk.settle()
        assert len(desk.busy) == 2
        desk.finish()
        desk.finish()
        assert (await second).status == (await root).status == 200
        assert all(level.idle for level in desk.gate.levels.values())

    asyncio.run(main())


def test_who_finds_neither_seat_nor_queue_is_turned_away() -> None:
    async def main() -> None:
        gate, objects = opened(12)
        for each in fairness.levels():
            if each["metadata"]["name"] == "global-default":
                limited = {**each["spec"]["limited"], "limitResponse": {"type": "Reject"}}
                objects.put(LEVELS, {**each, "spec": {"type": "Limited", "limited": limited}})
        desk = Desk(gate)
        first = desk.ask()
        await desk.settle()
        refused = await desk.ask()
        assert (refused.status, refused.body) == (429, b"Too many requests, please try again later.\n")
        assert ("Retry-After", "1") in refused.headers
        desk.finish()
        assert (await first).status == 200

    asyncio.run(main())


def test_a_client_that_goes_away_leaves_its_place() -> None:
    async def main() -> None:
        desk = Desk(opened(12)[0])
        first, gone, third = desk.ask(), desk.ask(), desk.ask()
        await desk.settle()
        gone.cancel()
        await desk.settle()
        assert desk.gate.levels["global-default"].waiting == 1
        # Just let in and gone in the same moment: its seat goes on to the next.
        desk.finish()
        third.cancel()
        await desk.settle()
        assert (await first).status == 200 and third.cancelled()
        assert all(level.idle for level in desk.gate.levels.values())

    asyncio.run(main())


def test_a_level_that_is_gone_serves_whom_it_has_and_its_schemas_are_passed_over() -> None:
    async def main() -> None:
        gate, objects = opened(12)
        desk = Desk(gate)
        first, waiting = desk.ask(), desk.ask()
        await desk.settle()
        for each in fairness.levels():
            if each["metadata"]["name"] == "global-default":
                objects.remove(LEVELS, each)
        other = desk.ask()
        await desk.settle()
        assert ("X-Kubernetes-PF-FlowSchema-UID", "schema-catch-all") in desk.headers
        assert len(desk.busy) == 2 and "global-default" not in gate.levels
        for _ in range(3):
            desk.finish()
            await desk.settle()
        assert (await first).status == (await waiting).status == (await other).status == 200

    asyncio.run(main())


def test_mandatory_levels_are_there_without_objects() -> None:
    async def main() -> None:
        gate = Gate(SystemClock(), 600, lambda info: 0)
        desk = Desk(gate)
        root = desk.ask(ROOT)
        await desk.settle()
        assert sorted(gate.levels) == ["catch-all", "exempt"] and gate.levels["exempt"].executing == 1
        desk.finish()
        assert (await root).status == 200

    asyncio.run(main())


def test_dumps_and_metrics_tell_what_is_going_on() -> None:
    async def main() -> None:
        gate, _ = opened(12)
        desk = Desk(gate)
        asked = [desk.ask(), desk.ask()]
        await desk.settle()
        levels = dumps.answer(gate, Request("GET", f"{dumps.PATH}dump_priority_levels"), 0.0, 0.0)
        assert levels is not None and "global-default, 2, false, false, 1, 1, 1, 0, 0, 0\n" in levels
        path = f"{dumps.PATH}dump_requests"
        requests = dumps.answer(gate, Request("GET", path, {"includeRequestDetails": ["1"]}), 0.0, 0.0)
        assert requests is not None and requests.splitlines()[1].endswith(", ann, get, /api/v1/pods, , , v1, pods, ")
        assert dumps.answer(gate, Request("GET", f"{dumps.PATH}other"), 0.0, 0.0) is None
        registry = CollectorRegistry()
        registry.register(Collector(gate))  # type: ignore[arg-type]
        text = generate_latest(registry).decode()
        of = 'flow_schema="global-default",priority_level="global-default"'
        assert f"apiserver_flowcontrol_current_inqueue_requests{{{of}}} 1.0" in text
        assert f"apiserver_flowcontrol_dispatched_requests_total{{{of}}} 1.0" in text
        assert 'apiserver_flowcontrol_nominal_limit_seats{priority_level="workload-low"} 5.0' in text
        for each in asked:
            desk.finish()
            await each

    asyncio.run(main())
