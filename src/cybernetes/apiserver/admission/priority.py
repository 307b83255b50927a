"""Priority: a pod's priority is that of its class; one class at most is the default."""

from __future__ import annotations

from typing import Any

import msgspec

from cybernetes.apiserver.admission.attributes import AdmissionAttributes, Place
from cybernetes.apiserver.admission.chain import CatchUp, Step
from cybernetes.auth.lister import Lister

Object = dict[str, Any]

GROUP = "scheduling.k8s.io"


class PriorityClass(msgspec.Struct, frozen=True, gc=False):
    name: str
    value: int
    preemption_policy: str | None
    is_default: bool


_NO_CLASS = PriorityClass("", 0, "PreemptLowerPriority", False)


class Priority:
    name = "Priority"

    def __init__(self, lister: Lister, catch_up: CatchUp) -> None:
        self._catch_up = catch_up
        self._classes: dict[str, PriorityClass] = {}
        self._default: PriorityClass | None = None
        lister.subscribe(GROUP, "priorityclasses", self._changed)

    def mutator(self, place: Place) -> Step | None:
        if place.is_pod("CREATE"):
            return self._resolve
        return _keep_priority if place.is_pod("UPDATE") else None

    def validator(self, place: Place) -> Step | None:
        return self._check_default if place.is_(GROUP, "priorityclasses", "CREATE", "UPDATE") else None

    def _resolve(self, attributes: AdmissionAttributes) -> Any:
        name = attributes.new["spec"].get("priorityClassName")
        if not name:
            return _give(attributes, self._default or _NO_CLASS)
        found = self._classes.get(name)
        return self._resolve_late(attributes, name) if found is None else _give(attributes, found)

    async def _resolve_late(self, attributes: AdmissionAttributes, name: str) -> None:
        await self._catch_up()
        found = self._classes.get(name)
        if found is None:
            raise attributes.forbidden(f"no PriorityClass with name {name} was found")
        _give(attributes, found)

    def _check_default(self, attributes: AdmissionAttributes) -> None:
        default = self._default
        if not attributes.new.get("globalDefault") or default is None:
            return
        if default.name != attributes.new["metadata"].get("name"):
            raise attributes.forbidden(
                f"PriorityClass {default.name} is already marked as default. Only one default can exist"
            )

    def _changed(self, old: Object | None, new: Object | None) -> None:
        if new is not None:
            name = new["metadata"]["name"]
            self._classes[name] = PriorityClass(
                name, new.get("value", 0), new.get("preemptionPolicy"), bool(new.get("globalDefault"))
            )
        elif old is not None:
            self._classes.pop(old["metadata"]["name"], None)
        defaults = [each for each in self._classes.values() if each.is_default]
        self._default = min(defaults, key=lambda each: each.value, default=None)


def _give(attributes: AdmissionAttributes, found: PriorityClass) -> None:
    spec = attributes.new["spec"]
    asked = spec.get("priority")
    if asked is not None and asked != found.value:
        raise attributes.forbidden(
            f"the integer value of priority ({asked}) must not be provided in pod spec; "
            f"priority admission controller computed {found.value} from the given PriorityClass name"
        )
    policy, wanted = found.preemption_policy, spec.get("preemptionPolicy")
    if policy is not None and wanted is not None and wanted != policy:
        raise attributes.forbidden(
            f"the string value of PreemptionPolicy ({wanted}) must not be provided in pod spec; "
            f"priority admission controller computed {policy} from the given PriorityClass name"
        )
    if found.name:
        spec["priorityClassName"] = found.name
    spec["priority"] = found.value
    if policy is not None:
        spec["preemptionPolicy"] = policy


def _keep_priority(attributes: AdmissionAttributes) -> None:
    """Clients of before there was priority send pods without it."""
    spec, before = attributes.new["spec"], attributes.before["spec"]
    for field in ("priority", "preemptionPolicy"):
        if spec.get(field) is None and before.get(field) is not None:
            spec[field] = before[field]
