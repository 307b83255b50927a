"""Kinds whose whole validation is compared with recorded answers: share of equal errors, and no false refusals."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import orjson
import pytest
from test_crd_validation import changed

from cybernetes.base.random import SystemRandom
from cybernetes.model import resources
from cybernetes.model.field import invalid_object
from cybernetes.model.resource import WriteContext
from cybernetes.model.schema.compile import node
from cybernetes.model.schema.decode import decode
from cybernetes.model.schema.default import default

CONTEXT = WriteContext(now=0.0, random=SystemRandom(), namespace="golden")
ROWS = {(row.api_version, row.kind): row for row in resources.load()}


@pytest.mark.parametrize(
    ("kind", "equal"),
    [
        ("ValidatingWebhookConfiguration", 1.0),
        ("MutatingWebhookConfiguration", 1.0),
        ("ValidatingAdmissionPolicy", 0.98),
        ("ValidatingAdmissionPolicyBinding", 1.0),
        ("Event", 1.0),
        ("DeviceClass", 0.85),
        ("ResourceClaim", 1.0),
        ("ResourceClaimTemplate", 1.0),
        ("ResourceSlice", 1.0),
        ("FlowSchema", 1.0),
        ("PriorityLevelConfiguration", 1.0),
        ("APIService", 1.0),
    ],
)
def test_validation_answers_as_the_reference_does(kind: str, equal: float) -> None:
    folder = Path(os.environ.get("CYBERNETES_GOLDEN", Path(__file__).parents[4] / "shared" / "golden"))
    if not (folder / "mutations.jsonl").exists():
        pytest.skip(f"no recorded answers in {folder}: set CYBERNETES_GOLDEN")
    bases: dict[str, Any] = {}
    for line in (folder / "bases.json").read_text().splitlines():
        each = json.loads(line)
        bases[f"{each['apiVersion']}/{each['kind']}/{each['metadata']['name']}"] = each
    right = asked = 0
    for line in (folder / "mutations.jsonl").read_text().splitlines():
        case = json.loads(line)
        change, answer = case["request"]["mutate"], case["answer"]
        if change["base"].split("/")[-2] != kind or answer["code"] not in (201, 422):
            continue
        base = bases[change["base"]]
        row = ROWS[base["apiVersion"], base["kind"]]
        body = orjson.dumps(changed(base, change))
        definition = node(row.schema)
        obj = decode(definition, body, "application/json", kind=row.kind, api_version=row.api_version).object
        default(definition, obj)
        if row.namespaced:
            obj["metadata"]["namespace"] = "golden"
        row.strategy.prepare_create(obj, CONTEXT)
        errors = row.strategy.validate_create(obj, CONTEXT)
        if answer["code"] == 201:
            assert errors == [], change
            continue
        asked += 1
        told = invalid_object(
            (row.stored_as or (row.group,))[0], row.kind, obj["metadata"].get("name", ""), errors
        ).status()
        right += told["message"] == answer["body"]["message"]
    print(f"{kind}: {right} of {asked} equal")
    assert right >= equal * asked
    assert asked > 5
