"""How much a claim and a class may say."""

from __future__ import annotations

from typing import Any

import pytest

from cybernetes.model.validation.device_slices import validate_slice_update
from cybernetes.model.validation.devices import validate_claim, validate_device_class

REQUEST = {"name": "r", "exactly": {"deviceClassName": "gpu", "allocationMode": "ExactCount", "count": 1}}
CONSTRAINT = {"requests": ["r"], "matchAttribute": "gpu.example.com/model"}
CONFIG = {"opaque": {"driver": "gpu.example.com", "parameters": {}}}


@pytest.mark.parametrize(("field", "row"), [("constraints", CONSTRAINT), ("config", CONFIG)])
def test_a_claim_has_at_most_so_many_of_each(field: str, row: dict[str, Any]) -> None:
    claim: dict[str, Any] = {"spec": {"devices": {"requests": [REQUEST], field: [row] * 32}}}
    assert validate_claim(claim) == []
    claim["spec"]["devices"][field].append(row)
    (error,) = validate_claim(claim)
    assert (error.field, error.body) == (f"spec.devices.{field}", "Too many: 33: must have at most 32 items")


def test_a_class_has_at_most_so_many_configurations() -> None:
    found = validate_device_class({"spec": {"config": [CONFIG] * 33}})
    assert [each.field for each in found] == ["spec.config"]


def test_a_slice_stays_of_its_driver_pool_and_node() -> None:
    spec: dict[str, Any] = {
        "driver": "gpu.example.com",
        "nodeName": "a",
        "pool": {"name": "p", "resourceSliceCount": 1, "generation": 1},
        "devices": [{"name": "d"}],
    }
    grown = {**spec, "devices": [{"name": "d"}, {"name": "e"}], "pool": {**spec["pool"], "generation": 2}}
    assert validate_slice_update({"spec": grown}, {"spec": spec}) == []
    other = {**spec, "driver": "x.example.com", "nodeName": "b", "pool": {**spec["pool"], "name": "q"}}
    found = validate_slice_update({"spec": other}, {"spec": spec})
    assert [each.field for each in found] == ["spec.pool.name", "spec.driver", "spec.nodeName"]
