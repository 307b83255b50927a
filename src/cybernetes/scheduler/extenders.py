"""HTTP extenders: other programs that have a say in filtering, scoring, preempting and binding.

enters   pods as the API server has them, nodes by name or whole
leaves   POST requests with JSON in the form of `k8s.io/kube-scheduler/extender/v1` (Go's field names, capitalised)
fails    ExtenderFailed; one that is ignorable is left out instead, by whoever asks
source   Kubernetes reference "kube-scheduler Configuration (v1)", Extender; "Scheduler extender" design
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

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


class Extender:
    def __init__(self, terms: Terms, transport: Transport) -> None:
        self.terms = terms
        self._transport = transport

    def concerns(self, pod: PodEntry) -> bool:
        managed = self.terms.managed
        return not managed or any(name in managed for name, _ in pod.shape.requests.amounts)

    async def filter(self, pod: Object, names: Sequence[str], nodes: Mapping[str, bytes]) -> Verdict:
        """nodes: whole ones by name, asked for where it does not know them itself. Raises ExtenderFailed."""
        found = await self._post(self.terms.filter_verb, self._args(pod, names, nodes))
        if found.get("Error"):
            raise ExtenderFailed(str(found["Error"]))
        if self.terms.knows_nodes and found.get("NodeNames") is not None:
            possible = frozenset(found["NodeNames"])
        else:
            items = (found.get("Nodes") or {}).get("items") or ()
            possible = frozenset(each["metadata"]["name"] for each in items)
        return Verdict(possible, found.get("FailedNodes") or {}, found.get("FailedAndUnresolvableNodes") or {})

    async def prioritize(self, pod: Object, names: Sequence[str], nodes: Mapping[str, bytes]) -> dict[str, int]:
        """Weighted scores by node, as they are added to the scheduler's. Raises ExtenderFailed."""
        found = await self._post(self.terms.prioritize_verb, self._args(pod, names, nodes))
        if not isinstance(found, list):
            raise ExtenderFailed("the answer to prioritize is no list")
        return {each["Host"]: int(each["Score"]) * self.terms.weight * SCALE for each in found}

    async def preempt(self, pod: Object, candidates: Iterable[Candidate]) -> dict[str, tuple[frozenset[str], int]]:
        """Node -> uids of its victims and how many break a budget, for the nodes that it agrees to. Raises ExtenderFailed."""
        victims = {
            each.node: {"Pods": [{"UID": pod.uid} for pod in each.victims], "NumPDBViolations": each.violations}
            for each in candidates
        }
        found = await self._post(self.terms.preempt_verb, {"Pod": pod, "NodeNameToMetaVictims": victims})
        agreed = found.get("NodeNameToMetaVictims") or {}
        return {
            name: (frozenset(pod["UID"] for pod in each.get("Pods") or ()), int(each.get("NumPDBViolations") or 0))
            for name, each in agreed.items()
        }

    async def bind(self, pod: PodEntry, node_name: str) -> None:
        """Raises ExtenderFailed."""
        args = {"PodName": pod.name, "PodNamespace": pod.namespace, "PodUID": pod.uid, "Node": node_name}
        found = await self._post(self.terms.bind_verb, args)
        if found.get("Error"):
            raise ExtenderFailed(str(found["Error"]))

    async def close(self) -> None:
        await self._transport.close()

    def _args(self, pod: Object, names: Sequence[str], nodes: Mapping[str, bytes]) -> Object:
        if self.terms.knows_nodes:
            return {"Pod": pod, "Nodes": None, "NodeNames": list(names)}
        items = [orjson.Fragment(nodes[name]) for name in names if name in nodes]
        return {"Pod": pod, "Nodes": {"kind": "NodeList", "apiVersion": "v1", "items": items}, "NodeNames": None}

    async def _post(self, verb: str, args: Object) -> Any:
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
            return orjson.loads(body)
        except orjson.JSONDecodeError as wrong:
            raise ExtenderFailed(f"{self.terms.url}{path}: the answer is no JSON: {wrong}") from wrong
