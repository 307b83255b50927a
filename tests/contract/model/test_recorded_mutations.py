"""Recorded manifests with one change: what is refused here, and in which words, without a server.

The recordings are not part of the repository; see docs/conformance.md.
"""

from __future__ import annotations

import importlib.util
import json
import os
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from cybernetes.base.errors import ApiError
from cybernetes.base.random import SystemRandom
from cybernetes.model.field import invalid_object
from cybernetes.model.resource import Resource, WriteContext
from cybernetes.model.resources import load
from cybernetes.model.schema import compile as schema_compile
from cybernetes.model.schema import decode, default

GOLDEN = Path(os.environ.get("CYBERNETES_GOLDEN") or Path(__file__).resolve().parents[4] / "shared/golden")
CONTEXT = WriteContext(now=1e9, random=SystemRandom())
RESOURCES = {(row.api_version, row.kind): row for row in load()}
# The rest: empty maps against none, an estimated cost.
EQUAL_SHARE_MIN = 0.99

pytestmark = pytest.mark.skipif(
    not (GOLDEN / "mutations.jsonl").exists(), reason=f"no recorded answers in {GOLDEN}; set CYBERNETES_GOLDEN"
)


def recorded() -> Iterator[tuple[Resource, str, dict[str, Any], dict[str, Any]]]:
    """(row, validation of fields, body, answer) of all that was refused as invalid, or taken."""
    cases = _cases()
    texts = (GOLDEN / "bases.json").read_text().splitlines()
    bases = {cases.base_id(each): each for each in map(json.loads, texts)}
    for line in (GOLDEN / "mutations.jsonl").open():
        case = json.loads(line)
        mutation, answer = case["request"]["mutate"], case["answer"]
        version, kind, _ = mutation["base"].rsplit("/", 2)
        row = RESOURCES.get((version, kind))
        if row is None or answer["code"] not in (201, 422):
            continue
        base, operation = bases[mutation["base"]], mutation["op"]
        if operation != "none":
            base = cases.mutated(base, operation, tuple(mutation["at"]), mutation.get("value"))
        yield row, (case["request"].get("query") or {}).get("fieldValidation", ""), base, answer


def _cases() -> ModuleType:
    spec = importlib.util.spec_from_file_location("golden_cases", GOLDEN / "cases.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def refusal(row: Resource, validation: str, body: dict[str, Any]) -> str:
    """The message with which a new object is refused; "" where it is taken."""
    node = schema_compile.node(row.schema)
    try:
        obj = decode.decode(
            node,
            json.dumps(body).encode(),
            "application/json",
            kind=row.kind,
            api_version=row.api_version,
            field_validation=validation,
        ).object
    except ApiError as refused:
        return refused.message
    default.default(node, obj)
    obj.setdefault("metadata", {})
    if row.namespaced:
        obj["metadata"].setdefault("namespace", "golden")
    obj["metadata"].setdefault("uid", "u")
    row.strategy.prepare_create(obj, CONTEXT)
    errors = row.strategy.validate_create(obj, CONTEXT)
    group = row.stored_as[0] if row.stored_as else row.group
    return invalid_object(group, row.kind, obj["metadata"].get("name", ""), errors).message if errors else ""


def test_what_is_refused_is_refused_in_the_same_words() -> None:
    total, differing = 0, []
    for row, validation, body, answer in recorded():
        total += 1
        wanted = answer["body"]["message"] if answer["code"] == 422 else ""
        if refusal(row, validation, body) != wanted:
            differing.append((row.kind, wanted))
    assert total > 3000
    assert len(differing) <= total * (1 - EQUAL_SHARE_MIN), differing[:10]
