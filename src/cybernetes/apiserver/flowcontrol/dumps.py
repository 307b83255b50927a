"""/debug/api_priority_and_fairness: what is in the levels now, as comma-separated tables."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from cybernetes.apiserver.flowcontrol.gate import Gate
from cybernetes.base.clock import rfc3339_micro
from cybernetes.wire.http.message import Request

PATH = "/debug/api_priority_and_fairness/"

_LEVELS = (
    "PriorityLevelName", "ActiveQueues", "IsIdle", "IsQuiescing", "WaitingRequests", "ExecutingRequests",
    "DispatchedRequests", "RejectedRequests", "TimedoutRequests", "CancelledRequests",
)  # fmt: skip
_QUEUES = (
    "PriorityLevelName", "Index", "PendingRequests", "ExecutingRequests", "SeatsInUse", "NextDispatchR",
    "InitialSeatsSum", "MaxSeatsSum", "TotalWorkSum",
)  # fmt: skip
_REQUESTS = (
    "PriorityLevelName", "FlowSchemaName", "QueueIndex", "RequestIndexInQueue", "FlowDistingsher", "ArriveTime",
    "InitialSeats", "FinalSeats", "AdditionalLatency",
)  # fmt: skip
_DETAILS = ("UserName", "Verb", "APIPath", "Namespace", "Name", "APIVersion", "Resource", "SubResource")


def answer(gate: Gate, request: Request, now: float, monotonic: float) -> str | None:
    """The dump that the path names, None where it names none."""
    match request.path.removeprefix(PATH):
        case "dump_priority_levels":
            return _table(_LEVELS, _levels(gate))
        case "dump_queues":
            return _table(_QUEUES, _queues(gate))
        case "dump_requests":
            details = request.flag("includeRequestDetails")
            return _table(
                (*_REQUESTS, *(_DETAILS if details else ())), _requests(gate, now - monotonic, details=details)
            )
        case _:
            return None


def _levels(gate: Gate) -> Iterable[Sequence[Any]]:
    for name, level in sorted(gate.levels.items()):
        dispatched, rejected, late = gate.numbers.totals(name)
        active = sum(bool(each.waiting or each.running) for each in level.queues)
        idle = str(level.idle).lower()
        yield name, active, idle, "false", level.waiting, level.executing, dispatched, rejected, late, 0


def _queues(gate: Gate) -> Iterable[Sequence[Any]]:
    for name, level in sorted(gate.levels.items()):
        for each in level.queues:
            most = max((ticket.seats for ticket in each.waiting), default=0)
            numbers = each.index, len(each.waiting), each.running, each.running_seats
            yield name, *numbers, f"{each.virtual:.8f}ss", each.waiting_seats, most, f"{each.waiting_seats:.8f}ss"


def _requests(gate: Gate, offset: float, *, details: bool) -> Iterable[Sequence[Any]]:
    for name, level in sorted(gate.levels.items()):
        for queue in level.queues:
            for i, each in enumerate(queue.waiting):
                arrived = rfc3339_micro(each.arrived + offset)
                row = (name, each.schema, queue.index, i, each.distinguisher, arrived, each.seats, 0, "0s")
                info = each.what
                more = (
                    each.distinguisher, info.verb, info.path, info.namespace, info.name, info.version, info.resource,
                    info.subresource,
                )  # fmt: skip
                yield (*row, *more) if details else row


def _table(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    return "".join(", ".join(map(str, row)) + "\n" for row in (header, *rows))
