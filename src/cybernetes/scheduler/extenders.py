"""HTTP extenders: other programs that have a say in filtering, scoring, preempting and binding.

enters   pods as the API server has them, nodes by name or whole
leaves   POST requests with JSON in the form of `k8s.io/kube-scheduler/extender/v1` (Go's field names, capitalised)
fails    ExtenderFailed; one that is ignorable is left out instead, by whoever asks
source   Kubernetes reference "kube-scheduler Configuration (v1)", Extender; "Scheduler extender" design
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeVar

import msgspec
import orjson

from cybernetes.base.errors import EdgeError
from cybernetes.client.answer import whole_body
from cybernetes.scheduler.pods import PodEntry
from cybernetes.scheduler.victims import Candidate
from cybernetes.wire.http.message import Request, Transport

# An extender's scores go to 10, the scheduler's to 100.
SCALE = 10
JSON = {"content-type": "application/json", "accept": "application/json"}

Object = dict[str, Any]


class Tls(msgspec.Struct, frozen=True):
    """PEM; insecure: the server's certificate is not looked at."""

    insecure: bool = False
    server_name: str = ""
    authority: bytes = b""
    certificate: bytes = b""
    key: bytes = b""


class Terms(msgspec.Struct, frozen=True):
    """What the configuration says of one extender. managed: resources; empty: it is asked about every pod."""

    url: str
    filter_verb: str = ""
    preempt_verb: str = ""
    prioritize_verb: str = ""
    bind_verb: str = ""
    weight: int = 1
    timeout_s: float = 5.0
    knows_nodes: bool = False
    managed: frozenset[str] = frozenset()
    unscheduled: frozenset[str] = frozenset()
    ignorable: bool = False
    tls: Tls | None = None


class ExtenderFailed(Exception):
    """It was not reached, or said that something went wrong."""


class Verdict(msgspec.Struct, frozen=True):
    """Names of nodes that are still possible; words about the others, by name."""

    possible: frozenset[str]
    failed: Mapping[str, str] = {}
    never: Mapping[str, str] = {}


class _Name(msgspec.Struct, frozen=True):
    name: str


class _Node(msgspec.Struct, frozen=True):
    metadata: _Name


class _Nodes(msgspec.Struct, frozen=True):
    items: list[_Node] | None = None


class _Filtered(msgspec.Struct, frozen=True, rename="pascal"):
    nodes: _Nodes | None = None
    node_names: list[str] | None = None
    failed_nodes: dict[str, str] | None = None
    failed_and_unresolvable_nodes: dict[str, str] | None = None
    error: str = ""


class _Score(msgspec.Struct, frozen=True, rename="pascal"):
    host: str
    score: int


class _Victim(msgspec.Struct, frozen=True, rename={"uid": "UID"}):
    uid: str


class _Victims(msgspec.Struct, frozen=True, rename={"pods": "Pods", "violations": "NumPDBViolations"}):
    pods: list[_Victim] | None = None
    violations: int = 0


class _Agreed(msgspec.Struct, frozen=True, rename={"victims": "NodeNameToMetaVictims"}):
    victims: dict[str, _Victims] | None = None


class _Bound(msgspec.Struct, frozen=True, rename="pascal"):
    error: str = ""


T = TypeVar("T")


class Extender:
    def __init__(self, terms: Terms, transport: Transport) -> None:
        self.terms = terms
        self._transport = transport

    def concerns(self, pod: PodEntry) -> bool:
        managed = self.terms.managed
        return not managed or any(name in managed for name, _ in pod.shape.requests.amounts)

    async def filter(self, pod: Object, names: Sequence[str], nodes: Mapping[str, bytes]) -> Verdict:
        """nodes: whole ones by name, asked for where it does not know them itself. Raises ExtenderFailed."""
        found = await self._post(self.terms.filter_verb, self._args(pod, names, nodes), _Filtered) or _Filtered()
        if found.error:
            raise ExtenderFailed(found.error)
        if self.terms.knows_nodes and found.node_names is not None:
            possible = frozenset(found.node_names)
        else:
            items = (found.nodes.items if found.nodes is not None else None) or ()
            possible = frozenset(each.metadata.name for each in items)
        return Verdict(possible, found.failed_nodes or {}, found.failed_and_unresolvable_nodes or {})

    async def prioritize(self, pod: Object, names: Sequence[str], nodes: Mapping[str, bytes]) -> dict[str, int]:
        """Weighted scores by node, as they are added to the scheduler's. Raises ExtenderFailed."""
        found = await self._post(self.terms.prioritize_verb, self._args(pod, names, nodes), list[_Score])
        return {each.host: each.score * self.terms.weight * SCALE for each in found or ()}

    async def preempt(self, pod: Object, candidates: Iterable[Candidate]) -> dict[str, tuple[frozenset[str], int]]:
        """Node -> uids of its victims and how many break a budget, for the nodes that it agrees to. Raises ExtenderFailed."""
        victims = {
            each.node: {"Pods": [{"UID": pod.uid} for pod in each.victims], "NumPDBViolations": each.violations}
            for each in candidates
        }
        asked = {"Pod": pod, "NodeNameToMetaVictims": victims}
        found = await self._post(self.terms.preempt_verb, asked, _Agreed) or _Agreed()
        return {
            name: (frozenset(pod.uid for pod in each.pods or ()), each.violations)
            for name, each in (found.victims or {}).items()
        }

    async def bind(self, pod: PodEntry, node_name: str) -> None:
        """Raises ExtenderFailed."""
        args = {"PodName": pod.name, "PodNamespace": pod.namespace, "PodUID": pod.uid, "Node": node_name}
        found = await self._post(self.terms.bind_verb, args, _Bound)
        if found is not None and found.error:
            raise ExtenderFailed(found.error)

    async def close(self) -> None:
        await self._transport.close()

    def _args(self, pod: Object, names: Sequence[str], nodes: Mapping[str, bytes]) -> Object:
        if self.terms.knows_nodes:
            return {"Pod": pod, "Nodes": None, "NodeNames": list(names)}
        items = [orjson.Fragment(nodes[name]) for name in names if name in nodes]
        return {"Pod": pod, "Nodes": {"kind": "NodeList", "apiVersion": "v1", "items": items}, "NodeNames": None}

    async def _post(self, verb: str, args: Object, shape: type[T]) -> T | None:
        path = f"/{verb.lstrip('/')}"
        try:
            async with asyncio.timeout(self.terms.timeout_s):
                answer = await self._transport.send(Request("POST", path, {}, dict(JSON), orjson.dumps(args)))
                body = await whole_body(answer)
        except TimeoutError as late:
            raise ExtenderFailed(f"{self.terms.url}{path}: no answer within {self.terms.timeout_s:g} s") from late
        except EdgeError as broken:
            raise ExtenderFailed(str(broken)) from broken
        if answer.status != 200:
            raise ExtenderFailed(f"failed {verb} with extender at URL {self.terms.url}{path}, code {answer.status}")
        try:
            return msgspec.json.decode(body, type=shape | None)
        except msgspec.MsgspecError as wrong:
            why = f"the answer has not the shape of this API: {wrong}"
            raise ExtenderFailed(f"{self.terms.url}{path}: {why}") from wrong
