"""Which of the names that definitions ask for they get. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from cybernetes.base.clock import rfc3339
from cybernetes.model.field import quoted

Object = dict[str, Any]

NAMES_ACCEPTED, ESTABLISHED, TERMINATING = "NamesAccepted", "Established", "Terminating"
_DELETION_PENDING = "CustomResourceDefinition marked for deletion; CustomResource deletion will begin soon"
_INITIAL = "the initial names have been accepted"
# field of the names, reason of its conflict, whether it names kinds (else resources)
_SINGLE = (
    ("plural", "PluralConflict", False),
    ("singular", "SingularConflict", False),
    ("kind", "KindConflict", True),
    ("listKind", "ListKindConflict", True),
)


def status_of(definition: Object, others: Iterable[Object], now: float) -> Object:
    """The status that a definition should have, next to the other definitions of its group.

    Names in use are those that others were given, not those that they ask for.
    """
    status: Object = definition.get("status") or {}
    resources, kinds = _in_use(others)
    accepted, conflict = _accept(definition["spec"]["names"], status.get("acceptedNames") or {}, resources, kinds)
    conditions = [dict(each) for each in status.get("conditions") or ()]
    if conflict is None:
        _set(conditions, NAMES_ACCEPTED, True, "NoConflicts", "no conflicts found", now)
        _set(conditions, ESTABLISHED, True, "InitialNamesAccepted", _INITIAL, now)
    else:
        _set(conditions, NAMES_ACCEPTED, False, *conflict, now)
        if not is_established(definition):
            _set(conditions, ESTABLISHED, False, "NotAccepted", "not all names are accepted", now)
    return {**status, "conditions": conditions, "acceptedNames": accepted}


def is_established(definition: Object) -> bool:
    conditions = (definition.get("status") or {}).get("conditions") or ()
    return any(each["type"] == ESTABLISHED and each["status"] == "True" for each in conditions)


def terminate(definition: Object, now: float) -> None:
    """Say in place that the definition waits for its objects to go."""
    status = definition.setdefault("status", {})
    conditions = [dict(each) for each in status.get("conditions") or ()]
    _set(conditions, TERMINATING, True, "InstanceDeletionPending", _DELETION_PENDING, now)
    status["conditions"] = conditions


def _in_use(others: Iterable[Object]) -> tuple[set[str], set[str]]:
    resources: set[str] = set()
    kinds: set[str] = set()
    for each in others:
        names = (each.get("status") or {}).get("acceptedNames") or {}
        resources |= {names.get("plural", ""), names.get("singular", ""), *(names.get("shortNames") or ())}
        kinds |= {names.get("kind", ""), names.get("listKind", "")}
    return resources - {""}, kinds - {""}


def _accept(
    wanted: Object, given: Object, resources: set[str], kinds: set[str]
) -> tuple[Object, tuple[str, str] | None]:
    """(names that the definition has now, the last conflict as reason and message)."""
    accepted: Object = {"plural": "", "kind": "", **given}
    conflicts: dict[str, tuple[str, str]] = {}
    for field, reason, names_kind in _SINGLE:
        name = wanted.get(field, "")
        if name == given.get(field, "") or name not in (kinds if names_kind else resources):
            accepted[field] = name
        else:
            conflicts[field] = reason, f"{quoted(name)} is already in use"
    short = wanted.get("shortNames") or []
    taken = [name for name in short if name in resources and name not in (given.get("shortNames") or ())]
    if taken:
        texts = [f"{quoted(name)} is already in use" for name in taken]
        message = texts[0] if len(texts) == 1 else "[" + ", ".join(texts) + "]"
        conflicts["shortNames"] = "ShortNamesConflict", message
    else:
        accepted["shortNames"] = short
    accepted["categories"] = wanted.get("categories") or []
    last = next(
        (conflicts[name] for name in ("listKind", "kind", "shortNames", "singular", "plural") if name in conflicts),
        None,
    )
    return {name: value for name, value in accepted.items() if value or name in ("plural", "kind")}, last


def _set(conditions: list[Object], kind: str, holds: bool, reason: str, message: str, now: float) -> None:
    """Put a condition in; its transition time moves only with its status."""
    status = "True" if holds else "False"
    old = next((each for each in conditions if each["type"] == kind), None)
    since = old["lastTransitionTime"] if old is not None and old["status"] == status else rfc3339(now)
    new = {"type": kind, "status": status, "lastTransitionTime": since, "reason": reason, "message": message}
    if old is None:
        conditions.append(new)
    else:
        old.update(new)
