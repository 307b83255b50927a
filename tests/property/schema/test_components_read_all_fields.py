"""What components read of an object takes every field that the API lets it have, whether they use it or not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import orjson

from cybernetes.base.clock import SystemClock
from cybernetes.base.random import SeededRandom
from cybernetes.client.api import ApiClient
from cybernetes.client.events import EventRecorder
from cybernetes.client.target import NODES, POD_DISRUPTION_BUDGETS, PODS, Target
from cybernetes.controllers.informers import Informers
from cybernetes.controllers.loop import Edges
from cybernetes.controllers.manager import ManagerConfig, rows
from cybernetes.model import resources
from cybernetes.model.schema import compile as schema
from cybernetes.model.schema.node import ListNode, MapNode, Node, StructNode, UnionNode
from cybernetes.scheduler.devices.state import KINDS as DEVICES
from cybernetes.scheduler.objects import BudgetObject, NodeObject, PodObject
from cybernetes.scheduler.storage.state import KINDS as STORAGE
from cybernetes.wire.http.message import Request, Response

DEPTH_MAX = 16
SCALARS = {"int32": 1, "int64": 1, "bool": True, "double": 1.5, "quantity": "1", "time": "2026-01-02T03:04:05Z"}
NAMED = {(row.api_version, row.kind): row.schema for row in resources.load()}


def full(node: Node, depth: int = 0) -> Any:
    """A value that has every field, and one item in every list."""
    if isinstance(node, StructNode):
        fields = node.fields.items() if depth < DEPTH_MAX else ()
        return {name: full(each.node, depth + 1) for name, each in fields}
    if isinstance(node, ListNode):
        return [full(node.item, depth + 1)]
    if isinstance(node, MapNode):
        return {"k": full(node.value, depth + 1)}
    if isinstance(node, UnionNode):
        return full(node.members[0], depth)
    return SCALARS.get(node.type, "a")


class Followed(Informers):
    """Informers that tell what they were made for."""

    def __init__(self, client: ApiClient) -> None:
        super().__init__(client, SystemClock(), SeededRandom(1))
        self.decoders: list[tuple[Target, Callable[[bytes], Any]]] = []

    def make(self, target: Target, decode: Callable[[bytes], Any], **how: Any) -> Any:
        if not how.get("metadata_only"):
            self.decoders.append((target, decode))
        return super().make(target, decode, **how)


class Nowhere:
    """A transport of those who are only made."""

    async def send(self, request: Request) -> Response:
        raise AssertionError(request.path)

    async def close(self) -> None:
        return None


def test_whatever_is_followed_can_be_read() -> None:
    client, clock, chance = ApiClient(Nowhere(), user_agent="test", clock=SystemClock()), SystemClock(), SeededRandom(1)
    followed = Followed(client)
    config = ManagerConfig(identity="a", root_ca="a", pod_ranges=(("10.0.0.0/16", 24),))
    recorder = EventRecorder(client, component="test", clock=clock)
    for row in rows(config):
        row.build(Edges(client, recorder, followed, clock, chance))
    structs = ((PODS, PodObject), (NODES, NodeObject), (POD_DISRUPTION_BUDGETS, BudgetObject), *STORAGE, *DEVICES)
    decoders = [*followed.decoders, *((target, msgspec.json.Decoder(struct).decode) for target, struct in structs)]
    objects = {
        target: orjson.dumps(full(schema.node(NAMED[target.api_version, target.kind]))) for target, _ in decoders
    }
    unreadable = []
    for target, decode in decoders:
        try:
            decode(objects[target])
        except msgspec.ValidationError as wrong:
            unreadable.append((target.plural, str(wrong)))
    assert len(decoders) > 40 and unreadable == []
