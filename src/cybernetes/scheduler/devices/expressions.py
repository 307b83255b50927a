"""Selectors in CEL over one device, each answer remembered for as long as the device is the same.

source  Kubernetes documentation "Dynamic Resource Allocation", device selectors: `device.driver`,
        `device.attributes["DOMAIN"].NAME`, `device.capacity["DOMAIN"].NAME`
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cybernetes.cel.library.semver import semver
from cybernetes.model import quantity
from cybernetes.model.cel import CelError, compiled
from cybernetes.model.expressions.quantities import Quantity
from cybernetes.scheduler.devices.objects import Attribute, Device, DeviceSelector

# (expression, driver, id of the device object): answers; forgotten as a whole when there are too many.
REMEMBERED_MAX = 200_000


class SelectorFailed(Exception):
    """An expression that does not compile, or failed on a device; the text has Kubernetes' words."""


class Selectors:
    def __init__(self) -> None:
        # The device is kept with its answer, so that its id is not given to another one.
        self._answers: dict[tuple[str, int], tuple[Device, bool]] = {}

    def all_accept(self, selectors: Sequence[DeviceSelector] | None, driver: str, device: Device, whose: str) -> bool:
        """whose: begins the words of a failure. Raises SelectorFailed."""
        return all(
            self._accepts(each.cel.expression, driver, device, f"{whose}: selector #{n}")
            for n, each in enumerate(selectors or ())
            if each.cel is not None
        )

    def _accepts(self, expression: str, driver: str, device: Device, whose: str) -> bool:
        key = expression, id(device)
        known = self._answers.get(key)
        if known is not None:
            return known[1]
        try:
            program = compiled(expression, ("device",))
        except CelError as wrong:
            raise SelectorFailed(f"{whose}: CEL compile error: {wrong}") from wrong
        try:
            answer = program.evaluate({"device": variable(driver, device)})
        except CelError as wrong:
            raise SelectorFailed(f"{whose}: CEL runtime error: {wrong}") from wrong
        if len(self._answers) >= REMEMBERED_MAX:
            self._answers.clear()
        self._answers[key] = device, answer is True
        return answer is True


def variable(driver: str, device: Device) -> dict[str, Any]:
    """The device as expressions see it: attributes and capacities by domain, the driver's where a name has none."""
    attributes: dict[str, dict[str, Any]] = {}
    for name, attribute in (device.attributes or {}).items():
        domain, own = _split(name, driver)
        attributes.setdefault(domain, {})[own] = value_of(attribute)
    capacity: dict[str, dict[str, Any]] = {}
    for name, found in (device.capacity or {}).items():
        domain, own = _split(name, driver)
        capacity.setdefault(domain, {})[own] = Quantity(quantity.nano(found.value))
    return {
        "driver": driver,
        "attributes": attributes,
        "capacity": capacity,
        "allowMultipleAllocations": bool(device.allow_multiple_allocations),
    }


def value_of(attribute: Attribute) -> Any:
    """Of its type, so that only values of one type are equal."""
    if attribute.version is not None:
        return semver(attribute.version)
    return next(
        (each for each in (attribute.int_value, attribute.bool_value, attribute.string) if each is not None), None
    )


def attribute_of(device: Device, driver: str, name: str) -> Attribute | None:
    """By its whole name; or without the domain where that is the driver."""
    attributes = device.attributes or {}
    domain, own = _split(name, driver)
    return attributes.get(name) or (attributes.get(own) if domain == driver else None)


def _split(name: str, driver: str) -> tuple[str, str]:
    domain, slash, own = name.partition("/")
    return (domain, own) if slash else (driver, name)
