"""Who is waited for before the next step of replacing the authority."""

from __future__ import annotations

from typing import Any

from cybernetes.install.agreement import behind, other_servers
from cybernetes.run import published

BUNDLE = b"both"


def _node(name: str, said: bytes | None) -> dict[str, Any]:
    annotations = {} if said is None else {published.CONFIRMED: published.confirmation(said)}
    return {"metadata": {"name": name, "annotations": annotations}}


def test_nodes_elsewhere_that_have_not_said_it_are_waited_for() -> None:
    nodes = [_node("here", None), _node("silent", None), _node("late", b"old"), _node("there", BUNDLE)]
    assert behind([*nodes, {"metadata": {"name": "bare"}}], ["here"], BUNDLE) == ["bare", "late", "silent"]
    assert behind([_node("there", BUNDLE)], [], BUNDLE) == []


def test_servers_elsewhere_are_those_with_other_addresses() -> None:
    endpoints = {"subsets": [{"addresses": [{"ip": "10.0.0.2"}, {"ip": "10.0.0.1"}]}]}
    assert other_servers(endpoints, ["10.0.0.1"]) == ["10.0.0.2"]
    assert other_servers({}, ["10.0.0.1"]) == []
