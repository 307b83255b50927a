"""Orders of merged lists: as the plain merge of two orders gives them, in time that grows with the lists only."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from cybernetes.model import strategic
from cybernetes.model.schema import compile as schema

ITEMS = st.lists(st.integers(0, 6) | st.sampled_from(["a", None]), max_size=7)


@given(ITEMS, ITEMS, ITEMS)
def test_orders_are_merged_like_two_sorted_lists(items: list[Any], wanted: list[Any], old: list[Any]) -> None:
    named = sorted((each for each in items if each in wanted), key=wanted.index)
    others = [each for each in items if each not in wanted]
    merged: list[Any] = []
    while named and others:
        both = named[0] in old and others[0] in old
        merged.append(others.pop(0) if both and old.index(named[0]) > old.index(others[0]) else named.pop(0))
    assert strategic._ordered(items, wanted, old, "") == [*merged, *named, *others]
    keyed = [[{"k": each} for each in some] for some in (items, wanted, old)]
    assert strategic._ordered(*keyed, "k") == [{"k": each} for each in (*merged, *named, *others)]


def test_a_body_full_of_list_items_is_merged_in_one_pass() -> None:
    node = schema.node("io.k8s.api.core.v1.Pod")
    many = 100_000
    finalizers = [f"f{i}" for i in range(many)]
    env = [{"name": f"e{i}", "value": ""} for i in range(many)]
    change = {
        "metadata": {"finalizers": finalizers, "$deleteFromPrimitiveList/finalizers": finalizers[::2]},
        "spec": {"containers": [{"name": "a", "env": env}]},
    }
    once = strategic.strategic_merge(node, {"metadata": {}, "spec": {"containers": [{"name": "a"}]}}, change)
    twice = strategic.strategic_merge(node, once, change)
    assert twice["spec"]["containers"][0]["env"] == env
    gone = {
        "spec": {"containers": [{"name": "a", "env": [{"$patch": "delete", "name": f"e{i}"} for i in range(many)]}]}
    }
    assert strategic.strategic_merge(node, twice, gone)["spec"]["containers"][0]["env"] == []
