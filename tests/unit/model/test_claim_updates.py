"""What of a claim may change, and when."""

from __future__ import annotations

from typing import Any

import pytest

from cybernetes.model.validation.persistent_volumes import validate_claim_update

SPEC = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "2Gi"}}, "volumeMode": "Filesystem"}
FIXED = "spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims"
SMALLER = "field can not be less than status.capacity"
GIVEN = {"volumeName": "pv", "storageClassName": "local"}


def asks(storage: str) -> dict[str, Any]:
    return {"resources": {"requests": {"storage": storage}}}


@pytest.mark.parametrize(
    ("phase", "before", "change", "said"),
    [
        ("Pending", {}, {"volumeName": "pv"}, []),
        ("Bound", GIVEN, {"volumeName": "other"}, [FIXED]),
        ("Pending", {}, {"storageClassName": "local"}, []),
        ("Pending", {"storageClassName": ""}, {"storageClassName": "local"}, [FIXED]),
        ("Pending", {"storageClassName": "local"}, {"storageClassName": None}, [FIXED]),
        ("Pending", {}, asks("3Gi"), [FIXED]),
        ("Bound", GIVEN, asks("3Gi"), []),
        ("Bound", GIVEN, asks("1Gi"), [SMALLER]),
        ("Bound", GIVEN, {"resources": {"limits": {"storage": "9Gi"}, **asks("2Gi")["resources"]}}, [FIXED]),
        ("Bound", GIVEN, {"volumeAttributesClassName": "gold"}, []),
        ("Pending", {}, {"volumeAttributesClassName": "gold"}, [FIXED]),
        ("Bound", GIVEN, {"volumeMode": "Block"}, [FIXED, "field is immutable"]),
    ],
)
def test_what_of_a_claim_may_change(
    phase: str, before: dict[str, Any], change: dict[str, Any], said: list[str]
) -> None:
    status = {"phase": phase, "capacity": {"storage": "2Gi"} if phase == "Bound" else {}}
    old = {"metadata": {"name": "data"}, "spec": {**SPEC, **before}, "status": status}
    new = {**old, "spec": {**SPEC, **before, **change}}
    assert [each.body.rpartition(": ")[2] for each in validate_claim_update(new, old)] == said
