"""Remembering changes no answer: validation with and without it, over values that come again with small changes."""

from __future__ import annotations

from typing import Any

import orjson
from hypothesis import given
from hypothesis import strategies as st

from cybernetes.model.apply import Writing
from cybernetes.model.field import Path
from cybernetes.model.memo import Memo
from cybernetes.model.ownership import record_creation
from cybernetes.model.schema import compile as schema
from cybernetes.model.schema.default import default
from cybernetes.model.schema.reader import converter
from cybernetes.model.validation import pods
from cybernetes.model.warnings import pods as warnings

NAMES = st.sampled_from(["", "a", "b", "Not_A_Label", "a" * 64])
SOURCES = st.sampled_from(
    [
        {"emptyDir": {}},
        {"ephemeral": {}},
        {"persistentVolumeClaim": {"claimName": "pod-a"}},
        {"hostPath": {"path": ".."}},
    ]
)
SPECS = st.fixed_dictionaries(
    {
        "containers": st.lists(
            st.fixed_dictionaries({"name": NAMES, "image": NAMES, "imagePullPolicy": st.just("Always")}), max_size=2
        ),
        "volumes": st.lists(st.builds(lambda name, source: {"name": name, **source}, NAMES, SOURCES), max_size=3),
        "restartPolicy": st.sampled_from(["Always", "Sometimes"]),
        "dnsPolicy": st.just("Default"),
    }
)


@given(st.lists(st.tuples(SPECS, st.sampled_from([None, {"name": "pod"}, {"name": "P"}])), min_size=1, max_size=6))
def test_specs_are_judged_as_if_for_the_first_time(asked: list[tuple[dict[str, Any], dict[str, Any] | None]]) -> None:
    for spec, meta in asked:
        name = (meta or {}).get("name", "")
        assert pods.validate_pod_spec(spec, meta, Path("spec")) == list(pods._judge(spec, name, "spec"))
        assert warnings._of_spec(spec, "spec") == warnings._judge_spec(spec, "spec")


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2), inner, max_size=3),
    max_leaves=6,
)


@given(st.lists(st.tuples(VALUES, st.integers(0, 2)), max_size=40), st.integers(1, 200))
def test_a_memo_is_its_function_at_any_size(asked: list[tuple[Any, int]], bytes_max: int) -> None:
    memo = Memo(lambda value, more: (repr(value), more), bytes_max)
    for value, more in asked:
        assert memo(value, more) == (repr(value), more)


def test_a_memo_asks_again_only_for_what_it_forgot() -> None:
    asked: list[str] = []
    memo = Memo(asked.append, bytes_max=20)
    for each in ("a", "a", "b", "a"):
        memo(each)
    assert asked == ["a", "b"]
    for n in range(100, 120):
        memo(str(n))
    memo("a")
    assert asked[-1] == "a"


def test_what_is_remembered_of_a_spec_belongs_to_each_caller() -> None:
    node = schema.node("io.k8s.api.core.v1.Pod")
    body = {"metadata": {"name": "a"}, "spec": {"containers": [{"name": "a", "resources": {"limits": {"cpu": "1"}}}]}}
    writing = Writing(manager="me", api_version="v1", now="2026-01-01T00:00:00Z")
    seen = []
    for _ in range(3):
        obj = converter(node)(body)
        default(node, obj)
        record_creation(node, obj, writing)
        seen.append(orjson.dumps(obj))
        obj["spec"]["containers"][0]["resources"].clear()
        obj["spec"]["containers"].append({})
        obj["metadata"]["managedFields"][0]["fieldsV1"]["f:spec"].clear()
    assert len(set(seen)) == 1
    assert b'"requests":{"cpu":"1"}' in seen[0]
