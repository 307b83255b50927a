"""Server-side apply, and the record of who owns which field. Pure.

`record_update` notes a create, update or patch; `apply` merges a configuration of one manager into
an object and finds conflicts with other managers. Both change `metadata.managedFields` only through
the entries that they return inside the object.

source  Kubernetes "Server-Side Apply" (KEP-555)
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from cybernetes.base.errors import ApiError, Cause, bad_request
from cybernetes.model import fieldset, fitting
from cybernetes.model.fieldset import Set
from cybernetes.model.schema.node import StructNode
from cybernetes.model.schema.zero import zero

Object = dict[str, Any]
UPDATE_MANAGERS_MAX = 10
_ANCIENT = "ancient-changes"
_BEFORE_FIRST_APPLY = "before-first-apply"
_KUBECTL = "kubectl"
_LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
NEVER_OWNED = (
    ("apiVersion",),
    ("kind",),
    ("metadata", "name"),
    ("metadata", "namespace"),
    ("metadata", "creationTimestamp"),
    ("metadata", "selfLink"),
    ("metadata", "uid"),
    ("metadata", "generation"),
    ("metadata", "managedFields"),
    ("metadata", "resourceVersion"),
)


_METADATA: Set = {"f:metadata": {fieldset.MEMBER: {}}}


class Manager(msgspec.Struct, frozen=True, order=True):
    """Whose entry it is. api_version is "" for Apply, of which a manager has one for all versions."""

    operation: str
    name: str
    subresource: str = ""
    api_version: str = ""


class Owned(msgspec.Struct, frozen=True):
    fields: Set
    api_version: str
    time: str


Managed = dict[Manager, Owned]


class Writing(msgspec.Struct, frozen=True, kw_only=True):
    """A write: by whom, where, when.

    manager       field manager's name
    api_version   of the served version
    now           RFC 3339, whole seconds
    reset_fields  paths that this endpoint does not write
    """

    manager: str
    api_version: str
    now: str
    subresource: str = ""
    reset_fields: tuple[tuple[str, ...], ...] = ()

    def owned(self, fields: Set) -> Set:
        """The set without what nobody owns and what this endpoint does not write."""
        for path in NEVER_OWNED:
            fields = fieldset.without(fields, path)
        if fieldset.MEMBER in fields.get("f:metadata", ()):
            # Of metadata that is told and empty, nothing is owned either.
            fields = fieldset.difference(fields, _METADATA)
        return self.written(fields)

    def written(self, fields: Set) -> Set:
        """The set without what this endpoint does not write, whatever the body says of it."""
        for path in self.reset_fields:
            fields = fieldset.without(fields, path)
        return fields


def record_update(node: StructNode, old: Object | None, new: Object, writing: Writing) -> None:
    """Set new's managedFields after a write that was no apply; `old` is None on create."""
    entries = _entries_for_update(old, new, writing)
    managed = read(entries)
    before = zero(node) if old is None else old
    comparison = fieldset.compare(node, _unmanaged(before), _unmanaged(new))
    touched = writing.written(fieldset.union(comparison.added, comparison.modified))
    removed = writing.written(comparison.removed)
    taken = writing.owned(touched)
    me = Manager("Update", writing.manager, writing.subresource, writing.api_version)
    if len(managed) == len(entries) and _keeps_owners(managed, me, taken, touched, removed):
        _touch(new, entries, me, writing.now if taken else "")
        return
    rest = _taken_from(managed, touched, removed)
    if taken:
        mine = fieldset.union(rest[me].fields, taken) if me in rest else taken
        rest[me] = Owned(mine, writing.api_version, writing.now)
    _write(new, _capped(rest))


def _keeps_owners(managed: Managed, me: Manager, taken: Set, touched: Set, removed: Set) -> bool:
    """Whether a write leaves every field with its owners, as the next of many alike does: a status, a renewal."""
    if me not in managed or fieldset.difference(taken, managed[me].fields):
        return False
    lost = fieldset.union(touched, removed)
    mine = fieldset.union(removed, fieldset.difference(touched, taken))
    return not any(
        fieldset.intersection(mine if manager == me else lost, owned.fields) for manager, owned in managed.items()
    )


def _touch(new: Object, entries: list[dict[str, Any]], me: Manager, time: str) -> None:
    """The entries as they are, but for the time of `me` (none: that stays too), in their order."""
    touched = [{**each, "time": time} if time and _manager(each) == me else each for each in entries]
    new["metadata"]["managedFields"] = sorted(touched, key=_order_of_entry)


def _order_of_entry(entry: dict[str, Any]) -> tuple[str, str, str, str, str]:
    return (
        entry["operation"],
        entry.get("time", ""),
        entry.get("manager", ""),
        entry.get("apiVersion", ""),
        entry.get("subresource", ""),
    )


def _entries_for_update(old: Object | None, new: Object, writing: Writing) -> list[dict[str, Any]]:
    """Entries as the client sent them; those stored when it sent none, or writes a subresource."""
    stored = (old or {}).get("metadata", {}).get("managedFields") or []
    sent = new.get("metadata", {}).get("managedFields")
    if writing.subresource or sent is None:
        return list(stored)
    if sent in ([], [{}]):
        return []
    return list(sent) if sent == stored or read(sent) else list(stored)


def _taken_from(managed: Managed, taken: Set, removed: Set) -> Managed:
    """What managers still own after a write took and removed fields."""
    lost = fieldset.union(taken, removed)
    left: Managed = {}
    for manager, owned in managed.items():
        fields = fieldset.difference(owned.fields, lost)
        if fields:
            left[manager] = Owned(fields, owned.api_version, owned.time)
    return left


class Applied(msgspec.Struct, frozen=True):
    """object: the merged object, its managedFields included. changed: whether anything but times differs."""

    object: Object
    changed: bool


def apply(node: StructNode, live: Object | None, applied: Object, writing: Writing, *, force: bool) -> Applied:
    """Merge a manager's configuration into an object (None: there is none yet).

    raises  ApiError 400 for a configuration that names managedFields or another version; 409 with a cause a
            field that others own and that differs, unless `force`; 500 when it does not fit the schema
    """
    check(node, applied, writing.api_version)
    before = zero(node) if live is None else live
    managed = read((live or {}).get("metadata", {}).get("managedFields"))
    if live is not None and not managed:
        managed = _before_first_apply(node, live, writing)
    me = Manager("Apply", writing.manager, writing.subresource)
    configuration = _unmanaged(applied)
    base = _unmanaged(before)
    merged = fieldset.merge(node, base, configuration)
    former = managed.get(me)
    given = fieldset.of(node, configuration)
    mine = writing.owned(given)
    everyone = {**managed, me: Owned(mine, writing.api_version, former.time if former else writing.now)}
    if former is not None:
        # What the configuration names is kept, also where nobody can own it: the object's name.
        merged = _prune(node, merged, [*(owned.fields for owned in everyone.values()), given], former.fields)
    comparison = fieldset.compare(node, base, merged)
    touched = writing.written(fieldset.union(comparison.added, comparison.modified))
    others = {manager: owned for manager, owned in everyone.items() if manager != me}
    if not force:
        contested = fieldset.difference(touched, _applied_by_client(node, live, writing))
        _refuse_conflicts(others, contested)
    left = _taken_from(others, touched, writing.written(comparison.removed))
    if mine:
        left[me] = everyone[me]
    unchanged = merged == base
    if me in left:
        # Who applies what is there already changes nothing, and is given no time.
        time = (former.time if former else "") if unchanged else writing.now
        left[me] = Owned(mine, writing.api_version, time)
    result = copy.deepcopy(merged)
    result.setdefault("metadata", {})
    noted = writing.manager == _KUBECTL and _note_configuration(result, applied)
    changed = noted or not unchanged or not _same(left, managed)
    _write(result, left)
    return Applied(result, changed)


def check(node: StructNode, applied: Object, api_version: str) -> None:
    """Raises as `apply` does for a configuration that can't be applied to anything."""
    if (applied.get("metadata") or {}).get("managedFields") is not None:
        raise bad_request("metadata.managedFields must be nil")
    version = applied.get("apiVersion", "")
    if version != api_version:
        raise bad_request(
            f"Incorrect version specified in apply patch. Specified patch version: {version}, expected: {api_version}"
        )
    try:
        fitting.check(node, applied)
    except fitting.UnfitValue as problem:
        raise unfit(applied, problem.texts) from problem


def unfit(applied: Object, problems: Sequence[str]) -> ApiError:
    """The answer to a configuration that is none of its kind."""
    meta = applied.get("metadata") or {}
    kind = applied.get("kind", "")
    subject = f"{meta.get('namespace', '')}/{meta.get('name', '')}; {applied['apiVersion']}, Kind={kind}"
    listed = problems[0] if len(problems) == 1 else "errors:" + "".join(f"\n  {each}" for each in problems)
    return ApiError(500, "", f"failed to create typed patch object ({subject}): {listed}")


def _before_first_apply(node: StructNode, live: Object, writing: Writing) -> Managed:
    comparison = fieldset.compare(node, _unmanaged(zero(node)), _unmanaged(live))
    fields = writing.owned(fieldset.union(comparison.added, comparison.modified))
    if not fields:
        return {}
    manager = Manager("Update", _BEFORE_FIRST_APPLY, writing.subresource, writing.api_version)
    return {manager: Owned(fields, writing.api_version, writing.now)}


def _prune(node: StructNode, merged: Object, kept: list[Set], former: Set) -> Object:
    """Take out what the manager applied before and now left out, unless it is in one of the sets that are kept."""
    doomed = fieldset.named_as_members(node, former)
    pruned = fieldset.remove(node, merged, doomed) or {}
    everything_kept: Set = {}
    for each in kept:
        everything_kept = fieldset.union(everything_kept, each)
    all_fields = fieldset.named_as_members(node, fieldset.of(node, merged))
    left = fieldset.named_as_members(node, fieldset.of(node, pruned))
    gone = fieldset.difference(fieldset.difference(all_fields, left), fieldset.named_as_members(node, everything_kept))
    pruned = fieldset.remove(node, merged, gone) or {}
    left = fieldset.named_as_members(node, fieldset.of(node, pruned))
    dangling = fieldset.intersection(fieldset.difference(all_fields, left), doomed)
    return fieldset.remove(node, merged, dangling) or {}


def _applied_by_client(node: StructNode, live: Object | None, writing: Writing) -> Set:
    """Fields that are as `kubectl apply` left them: `kubectl apply --server-side` takes them over, whoever owns them.

    source  Kubernetes "Server-Side Apply", Upgrading from client-side apply to server-side apply
    """
    text = (((live or {}).get("metadata") or {}).get("annotations") or {}).get(_LAST_APPLIED)
    if writing.manager != _KUBECTL or not text:
        return {}
    try:
        last = msgspec.json.decode(text, type=dict)
        check(node, last, writing.api_version)
    except (msgspec.DecodeError, ApiError):
        return {}
    last, now = _unmanaged(last), _unmanaged(live or {})
    comparison = fieldset.compare(node, last, now)
    changed = fieldset.union(comparison.modified, fieldset.union(comparison.added, comparison.removed))
    return fieldset.difference(fieldset.of(node, last), changed)


def _note_configuration(obj: Object, applied: Object) -> bool:
    """Keep what client-side apply has noted in step, if it has: it may be used again. Whether that changed something."""
    annotations = (obj.get("metadata") or {}).get("annotations") or {}
    if _LAST_APPLIED not in annotations:
        return False
    before = annotations[_LAST_APPLIED]
    meta = dict(applied.get("metadata") or {})
    if meta.get("annotations"):
        meta["annotations"] = {key: value for key, value in meta["annotations"].items() if key != _LAST_APPLIED}
    text = msgspec.json.encode({**applied, "metadata": meta}, order="sorted").decode()
    annotations[_LAST_APPLIED] = f"{text}\n"
    return annotations[_LAST_APPLIED] != before


def _refuse_conflicts(others: Managed, touched: Set) -> None:
    conflicts = []
    for manager, owned in others.items():
        fields = fieldset.intersection(owned.fields, touched)
        if fields:
            conflicts += [(_described(manager, owned), path) for path in fieldset.paths(fields)]
    if not conflicts:
        return
    conflicts.sort()
    causes = [Cause.of("FieldManagerConflict", f"conflict with {who}", path) for who, path in conflicts]
    raise ApiError(409, "Conflict", _conflict_message(conflicts), {"causes": causes})


def _described(manager: Manager, owned: Owned) -> str:
    text = f'"{manager.name}"'
    if manager.subresource:
        text += f' with subresource "{manager.subresource}"'
    return text if manager.operation == "Apply" else f"{text} using {owned.api_version}"


def _conflict_message(conflicts: list[tuple[str, str]]) -> str:
    if len(conflicts) == 1:
        who, path = conflicts[0]
        return f"Apply failed with 1 conflict: conflict with {who}: {path}"
    lines = []
    for who in dict.fromkeys(who for who, _ in conflicts):
        mine = [path for each, path in conflicts if each == who]
        lines.append(f"conflicts with {who}:" + "".join(f"\n- {path}" for path in mine))
    return f"Apply failed with {len(conflicts)} conflicts: " + "\n".join(lines)


def _same(left: Managed, right: Managed) -> bool:
    return left.keys() == right.keys() and all(
        left[each].fields == right[each].fields and left[each].api_version == right[each].api_version for each in left
    )


def _unmanaged(obj: Object) -> Object:
    """The object without the parts that nobody owns; shares everything else."""
    meta = {
        key: value
        for key, value in (obj.get("metadata") or {}).items()
        if key not in ("managedFields", "resourceVersion", "uid", "creationTimestamp", "generation", "selfLink")
    }
    return {**{key: value for key, value in obj.items() if key not in ("apiVersion", "kind")}, "metadata": meta}


# ---- managedFields <-> sets ----------------------------------------------------------------------------------------


def read(entries: Iterable[dict[str, Any]] | None) -> Managed:
    """Entries of metadata.managedFields; those that can't be understood are left out."""
    managed: Managed = {}
    for entry in entries or ():
        operation = entry.get("operation", "")
        if operation not in ("Apply", "Update") or not isinstance(entry.get("fieldsV1"), dict):
            continue
        managed[_manager(entry)] = Owned(
            fieldset.decode(entry["fieldsV1"]), entry.get("apiVersion", ""), entry.get("time", "")
        )
    return managed


def _manager(entry: dict[str, Any]) -> Manager:
    operation = entry["operation"]
    version = entry.get("apiVersion", "") if operation == "Update" else ""
    return Manager(operation, entry.get("manager", ""), entry.get("subresource", ""), version)


def _write(obj: Object, managed: Managed) -> None:
    meta = obj.setdefault("metadata", {})
    entries = [_entry(manager, owned) for manager, owned in sorted(managed.items(), key=_order)]
    if entries:
        meta["managedFields"] = entries
    else:
        meta.pop("managedFields", None)


def _order(item: tuple[Manager, Owned]) -> tuple[str, str, str, str, str]:
    manager, owned = item
    return manager.operation, owned.time, manager.name, owned.api_version, manager.subresource


def _entry(manager: Manager, owned: Owned) -> dict[str, Any]:
    entry: dict[str, Any] = {"manager": manager.name, "operation": manager.operation, "apiVersion": owned.api_version}
    if owned.time:
        entry["time"] = owned.time
    entry |= {"fieldsType": "FieldsV1", "fieldsV1": fieldset.encode(owned.fields)}
    if manager.subresource:
        entry["subresource"] = manager.subresource
    return entry


def _capped(managed: Managed) -> Managed:
    """Keep a bounded number of updaters: the oldest become one, per version."""
    updaters = sorted(
        ((m, o) for m, o in managed.items() if m.operation == "Update"), key=lambda item: (item[1].time, item[0])
    )
    if len(updaters) <= UPDATE_MANAGERS_MAX:
        return managed
    capped = dict(managed)
    count = len(updaters)
    for manager, owned in updaters:
        if count <= UPDATE_MANAGERS_MAX:
            break
        ancient = Manager("Update", _ANCIENT, manager.subresource, owned.api_version)
        del capped[manager]
        if ancient in capped:
            owned = Owned(fieldset.union(capped[ancient].fields, owned.fields), owned.api_version, owned.time)
            count -= 1
        capped[ancient] = owned
    return capped
