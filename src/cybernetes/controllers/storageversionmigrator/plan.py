"""Conditions of migrations. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cybernetes.base.clock import rfc3339
from cybernetes.controllers.objects import Condition, Meta, View

Object = dict[str, Any]

RUNNING, SUCCEEDED, FAILED = "Running", "Succeeded", "Failed"
_REASONS = {
    RUNNING: "StorageVersionMigrationInProgress",
    SUCCEEDED: "StorageVersionMigrationSucceeded",
    FAILED: "StorageVersionMigrationFailed",
}


class Resource(View, frozen=True, gc=False):
    group: str = ""
    resource: str = ""

    @property
    def shown(self) -> str:
        return f"{self.resource}.{self.group}" if self.group else self.resource


class Spec(View, frozen=True, gc=False):
    resource: Resource = Resource()


class Status(View, frozen=True, gc=False):
    conditions: tuple[Condition, ...] = ()
    resource_version: str = ""


class Migration(View, frozen=True, gc=False):
    metadata: Meta
    spec: Spec = Spec()
    status: Status = Status()

    @property
    def is_over(self) -> bool:
        return any(each.type in (SUCCEEDED, FAILED) and each.status == "True" for each in self.status.conditions)


def is_over(found: Sequence[Object]) -> bool:
    return any(each["type"] in (SUCCEEDED, FAILED) and each["status"] == "True" for each in found)


def conditions(old: Sequence[Object], kind: str, message: str, now: float) -> list[Object]:
    """With one that is true by now; a migration that is over is not running any more."""
    found = [dict(each) for each in old]
    _set(found, kind, "True", message, now)
    if kind != RUNNING and any(each["type"] == RUNNING for each in found):
        _set(found, RUNNING, "False", "", now)
    return found


def _set(found: list[Object], kind: str, status: str, message: str, now: float) -> None:
    wanted = {"type": kind, "status": status, "reason": _REASONS[kind], "message": message}
    former = next((each for each in found if each["type"] == kind), None)
    if former is None:
        found.append({**wanted, "lastTransitionTime": rfc3339(now)})
    elif former["status"] != status:
        former.update(wanted, lastTransitionTime=rfc3339(now))
