"""Pods without constraints of their own are spread by what selects them."""

from __future__ import annotations

import json
from typing import Any

import msgspec
from memory_api import node, pod

from cybernetes.base.random import SeededRandom
from cybernetes.scheduler.columns import Columns
from cybernetes.scheduler.cycle import Cycle
from cybernetes.scheduler.nominations import Nominations
from cybernetes.scheduler.objects import MapSelectorObject, NodeObject, PodObject, SelectorObject
from cybernetes.scheduler.outcome import Placement
from cybernetes.scheduler.owners import Owners
from cybernetes.scheduler.pods import Interner
from cybernetes.scheduler.profile import Profile


def decoded(manifest: dict[str, Any], kind: Any) -> Any:
    return msgspec.json.decode(json.dumps(manifest).encode(), type=kind)


def test_a_service_and_a_replica_set_together_select() -> None:
    owners = Owners()
    service = {"metadata": {"name": "web", "namespace": "shop"}, "spec": {"selector": {"app": "web"}}}
    replica_set = {"metadata": {"name": "rs"}, "spec": {"selector": {"matchLabels": {"hash": "1"}}}}
    owners.changer("Service")("shop/web", None, decoded(service, MapSelectorObject))
    owners.changer("ReplicaSet")("shop/rs", None, decoded(replica_set, SelectorObject))
    manifest = pod("web-1")
    manifest["metadata"]["ownerReferences"] = [{"kind": "ReplicaSet", "name": "rs", "controller": True}]
    entry = Interner().entry(decoded(manifest, PodObject))
    assert [each.key for each in owners.selector(entry) or ()] == ["app", "hash"]
    owners.changer("Service")("shop/web", decoded(service, MapSelectorObject), None)
    assert [each.key for each in owners.selector(entry) or ()] == ["hash"]


def test_selected_pods_spread_over_nodes_though_one_has_more_room() -> None:
    owners = Owners()
    service = {"metadata": {"name": "web", "namespace": "shop"}, "spec": {"selector": {"app": "web"}}}
    owners.changer("Service")("shop/web", None, decoded(service, MapSelectorObject))
    columns, interner = Columns(), Interner()
    columns.put_node(decoded(node("large", cpu="64", memory="256Gi"), NodeObject))
    columns.put_node(decoded(node("small"), NodeObject))
    cycle = Cycle(columns, Profile(), Nominations(), owners.selector)
    chosen = []
    for n in range(2):
        entry = interner.entry(decoded(pod(f"web-{n}", cpu="10m"), PodObject))
        decision = cycle.decide(entry, SeededRandom(1))
        assert isinstance(decision, Placement)
        columns.add_pod(entry, decision.node)
        chosen.append(decision.node)
    assert sorted(chosen) == ["large", "small"]
