"""Expressions that choose devices."""

from __future__ import annotations

import pytest

from cybernetes.model.field import Path
from cybernetes.model.validation.devices import selectors

NESTED = (
    "device.attributes.all(a, device.attributes.all(b, device.attributes.all(c, device.attributes.all(d, a != d))))"
)


def told(text: str) -> list[str]:
    return [each.body for each in selectors([{"cel": {"expression": text}}], Path("selectors"))]


@pytest.mark.parametrize(
    "text",
    [
        "device.driver == 'gpu.example.com'",
        "device.attributes['gpu.example.com'].model == 'a' && device.attributes['gpu.example.com'].slots > 3",
        "device.capacity['gpu.example.com'].memory.compareTo(quantity('40Gi')) >= 0",
        "'gpu.example.com' in device.attributes && device.attributes['gpu.example.com'].?model.hasValue()",
        "device.attributes['gpu.example.com'].version.isGreaterThan(semver('1.0.0'))",
        "device.attributes['gpu.example.com'].ready",
    ],
)
def test_devices_have_attributes_and_capacities(text: str) -> None:
    assert told(text) == []


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("0", 'Invalid value: "0": must evaluate to bool or the unknown type, not int'),
        ("device.nothing == 1", "undefined field 'nothing'"),
        ("self == 1", "undeclared reference to 'self' (in container '')"),
        (NESTED, "Forbidden: too complex, exceeds cost limit"),
        ("true || '" + "x" * 10_240 + "' == ''", "Too long: may not be more than 10240 bytes"),
    ],
)
def test_what_chooses_no_devices_is_refused(text: str, why: str) -> None:
    found = told(text)
    assert len(found) == 1
    assert why in found[0]
