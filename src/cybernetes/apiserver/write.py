"""The write path: admission, strategy, one checked transaction. Every handler that changes an object ends here."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import msgspec
import orjson

from cybernetes.apiserver import body, managed, stored
from cybernetes.apiserver.admit import admit, check
from cybernetes.apiserver.cache.state import Item
from cybernetes.apiserver.core import Call, Core
from cybernetes.apiserver.options import WriteOptions
from cybernetes.apiserver.services.allocator import NOTHING, Grant
from cybernetes.base import random
from cybernetes.base.clock import rfc3339
from cybernetes.base.errors import MODIFIED, ApiError, already_exists, conflict, not_found
from cybernetes.model import field
from cybernetes.model.field import FieldError, Path
from cybernetes.model.resource import Resource, Strategy
from cybernetes.model.schema import reader
from cybernetes.model.validation import meta
from cybernetes.model.validation.names import path_segment
from cybernetes.store.api import Check, Conflict, Delete, Put

Object = dict[str, Any]

# Tries of a write that lost against another one, where the client left the choice of version to the server.
ATTEMPTS_MAX = 8
GENERATED_NAME_BASE_MAX = 58


class Written(msgspec.Struct, frozen=True):
    """What a write left: the item, and whether it made or removed the object."""

    item: bytes
    created: bool = False
    deleted: bool = False


def _itself(obj: Object) -> Object:
    return obj


def _in_place(obj: Object, seen: Object) -> None:
    """What admission changed is the object itself."""


class Change(msgspec.Struct, frozen=True):
    """One kind of update of an object.

    apply        the new object from (a copy of) the old one, both in the served version; raises ApiError
    strategy     of the resource, or of the subresource that is written
    subresource  "" for the object itself
    lenient      whether it may be tried again on what another write left; not where the client named a version
    replaces     whether it puts a whole object of the client's there: some kinds then want to know of which version
    track        whether managedFields record this write
    judged       admission was asked about the request that this write follows from: it is not asked again
    seen         what admission looks at in place of an object: the Scale of a workload
    take         puts what admission made of that back into the object
    """

    apply: Callable[[Object], Object]
    strategy: Strategy
    subresource: str = ""
    lenient: bool = True
    replaces: bool = False
    track: bool = True
    judged: bool = False
    seen: Callable[[Object], Object] = _itself
    take: Callable[[Object, Object], None] = _in_place


async def create(core: Core, call: Call, obj: Object, options: WriteOptions, *, track: bool = True) -> Written:
    """Make a new object. Raises ApiError 409, 422, and what admission refuses with.

    track  whether managedFields record this write; server-side apply has done so already
    """
    generated = not obj["metadata"].get("name") and bool(obj["metadata"].get("generateName"))
    changed_by_trying = generated or core.allocator.is_given(call.served.resource)
    attempt, warned = 0, len(call.warnings)
    while True:
        del call.warnings[warned:]
        fresh = orjson.loads(orjson.dumps(obj)) if changed_by_trying else obj
        try:
            return await _create_once(core, call, fresh, options, track)
        except _TakenMeanwhile as lost:
            attempt += 1
            if attempt >= ATTEMPTS_MAX:
                raise _lost_race(call) from lost
            # What the other one took is known then: another number is picked, or the one asked for refused.
            await _seen(core, lost.taken)
        except ApiError as error:
            attempt += 1
            if not generated or error.reason != "AlreadyExists":
                raise
            if attempt >= ATTEMPTS_MAX:
                raise _names_exhausted(error) from error


async def _create_once(core: Core, call: Call, obj: Object, options: WriteOptions, track: bool) -> Written:
    row = call.served.resource
    ctx = core.context(call, dry_run=options.dry_run)
    _drop_system_fields(obj)
    if track:
        # Before admission: what plugins add is nobody's.
        managed.track_create(call, obj, options, ctx.now)
    await admit(core, call, "CREATE", obj, None, options)
    body.check_namespace(call, obj)
    _set_system_fields(core, obj)
    row.strategy.prepare_create(obj, ctx)
    _zero_status(call, obj)
    core.allocator.prepare(row, obj, None)
    name = obj["metadata"].get("name", "")
    errors = row.strategy.validate_create(obj, ctx)
    if not name and not any(each.field == "metadata.name" for each in errors):
        errors = [field.required(Path("metadata.name"), "name or generateName is required"), *errors]
    if errors:
        # The group of the stored version: an Event is the core group's, however it was sent.
        raise field.invalid_object(call.served.stored.group, row.kind, name, errors)
    row.strategy.canonicalize(obj)
    call.warnings.extend(row.strategy.warnings(obj, None, ctx))
    grant = core.allocator.allocate(row, obj, None, dry_run=options.dry_run)
    try:
        await check(core, call, "CREATE", obj, None, options)
    except BaseException:
        grant.fail()
        raise
    return await _settled(_store_new(core, call, obj, options, grant), grant)


async def _settled(storing: Coroutine[Any, Any, Written], grant: Grant) -> Written:
    """Store, and give back the grant when that failed."""
    if grant is NOTHING:
        return await storing

    async def settle() -> Written:
        try:
            return await storing
        except BaseException:
            grant.fail()
            raise

    # A client that goes away must not free what a write in flight still takes.
    return await asyncio.shield(asyncio.ensure_future(settle()))


async def _store_new(core: Core, call: Call, obj: Object, options: WriteOptions, grant: Grant) -> Written:
    served, row, name = call.served, call.served.resource, obj["metadata"]["name"]
    if asked_version(obj):
        raise ApiError(500, "", "resourceVersion should not be set on objects to be created")
    obj["metadata"].pop("resourceVersion", None)
    value, shown = await served.kept(obj)
    if options.dry_run:
        if core.caches.of(*served.keeper).state.get(place(call, name)) is not None:
            raise already_exists(row.group, row.plural, name)
        return Written(_unstored(shown), created=True)
    key = served.key(call.info.namespace, name)
    lease = await core.leases.lease_for(row)
    try:
        revision = await core.commit([Check(key, 0), *grant.checks], [Put(key, value, lease), *grant.writes])
    except Conflict as taken:
        if taken.key != key:
            raise _TakenMeanwhile(taken) from taken
        raise already_exists(row.group, row.plural, name) from taken
    return Written(stored.item(shown, revision), created=True)


class _TakenMeanwhile(Exception):
    """Another API server gave away the same address or port."""

    def __init__(self, taken: Conflict) -> None:
        super().__init__(str(taken))
        self.taken = taken


async def _seen(core: Core, lost: Conflict) -> None:
    """Wait until the caches have what a write lost against."""
    core.committed = max(core.committed, lost.current.revision if lost.current else await core.store.revision())
    await core.consistent()


def _lost_race(call: Call) -> ApiError:
    """Others gave away the same addresses again and again; trying later may find another one."""
    row = call.served.resource
    message = (
        f"The {call.info.verb} operation against {row.plural} could not be completed at this time, please try again."
    )
    details = {"name": call.info.verb, "group": row.group, "kind": row.plural, "retryAfterSeconds": 1}
    return ApiError(500, "ServerTimeout", message, details)


def _zero_status(call: Call, obj: Object) -> None:
    """A status that the strategy emptied, as it is written: with the fields that are there even when zero."""
    if obj.get("status") != {}:
        return
    field_of_status = call.served.schema_node().fields.get("status")
    if field_of_status is not None:
        obj["status"] = reader.converter(field_of_status.node)({})


def place(call: Call, name: str) -> str:
    return f"{call.info.namespace}/{name}" if call.served.resource.namespaced else name


def _drop_system_fields(obj: Object) -> None:
    for name in ("deletionTimestamp", "deletionGracePeriodSeconds", "selfLink"):
        obj["metadata"].pop(name, None)


def _set_system_fields(core: Core, obj: Object) -> None:
    metadata = obj["metadata"]
    metadata["uid"] = random.uid(core.random)
    metadata["creationTimestamp"] = rfc3339(core.clock.now())
    if metadata.get("generateName") and not metadata.get("name"):
        metadata["name"] = metadata["generateName"][:GENERATED_NAME_BASE_MAX] + random.name_suffix(core.random)


def _unstored(value: bytes) -> bytes:
    """The item of an object that a dry run did not store: it has no resourceVersion."""
    return value[value.index(b"\n") + 1 :]


def _names_exhausted(error: ApiError) -> ApiError:
    message = f"{error.message}, the server was not able to generate a unique name for the object"
    return ApiError(409, "AlreadyExists", message, {**(error.details or {}), "retryAfterSeconds": 1})


async def update(core: Core, call: Call, change: Change, options: WriteOptions) -> Written:
    """Change an existing object; repeats with the latest one when it lost a race that the client did not forbid."""
    row = call.served.resource
    attempt = 0
    await core.consistent()
    while True:
        item = core.caches.of(*call.served.keeper).state.get(place(call, call.info.name))
        if item is None:
            raise not_found(row.group, row.plural, call.info.name)
        view = await call.served.shown(item)
        new = change.apply(call.served.decode(view.json))
        try:
            return await _update_once(core, call, item, new, change, options)
        except Conflict as lost:
            attempt += 1
            # An address or port that was taken meanwhile is no change of the object.
            theirs = lost.key != call.served.key(call.info.namespace, call.info.name)
            if not (change.lenient or theirs) or attempt >= ATTEMPTS_MAX:
                raise conflict(row.group, row.plural, call.info.name, MODIFIED) from lost
            await _seen(core, lost)


async def _update_once(
    core: Core, call: Call, item: Item, new: Object, change: Change, options: WriteOptions
) -> Written:
    served, row = call.served, call.served.resource
    old = served.decode((await served.shown(item)).json)
    _check_preconditions(call, old, new, change)
    _keep_system_fields(old, new)
    ctx = core.context(call, dry_run=options.dry_run)
    if change.track:
        managed.track_update(call, new, old, options, ctx.now, change)
    seen, before = change.seen(new), change.seen(old)
    if not change.judged:
        await admit(core, call, "UPDATE", seen, before, options, change.subresource)
    change.take(new, seen)
    change.strategy.prepare_update(new, old, ctx)
    if not change.subresource:
        core.allocator.prepare(row, new, old)
    errors = [*_metadata_errors(row, new, old), *change.strategy.validate_update(new, old, ctx)]
    if errors:
        raise field.invalid_object(call.served.stored.group, row.kind, call.info.name, errors)
    change.strategy.canonicalize(new)
    call.warnings.extend(change.strategy.warnings(new, old, ctx))
    grant = core.allocator.allocate(row, new, old, dry_run=options.dry_run) if not change.subresource else NOTHING
    try:
        if not change.judged:
            await check(core, call, "UPDATE", change.seen(new), before, options, change.subresource)
    except BaseException:
        grant.fail()
        raise
    return await _settled(_store_update(core, call, item, new, options, grant), grant)


def _metadata_errors(row: Resource, new: Object, old: Object) -> list[FieldError]:
    """What holds for the metadata of every kind; strategies repeat most of it, and so does the reference."""
    return [
        *meta.validate_meta(new, namespaced=row.namespaced, name_rule=path_segment),
        *meta.validate_meta_update(new, old),
    ]


async def _store_update(
    core: Core, call: Call, item: Item, new: Object, options: WriteOptions, grant: Grant
) -> Written:
    served = call.served
    key = served.key(call.info.namespace, call.info.name)
    value, shown = await served.kept(new)
    if options.dry_run:
        return Written(stored.item(shown, item.revision))
    if ends(new):
        freed = core.allocator.freed(served.resource, new)
        revision = await core.commit([Check(key, item.revision)], [Delete(key), *freed])
        return Written(stored.item(shown, revision), deleted=True)
    if stored.item(value, item.revision) == item.json and stored.version(value) == item.version:
        return Written(stored.item(shown, item.revision))
    lease = await core.leases.lease_for(served.resource)
    checks = [Check(key, item.revision), *grant.checks]
    revision = await core.commit(checks, [Put(key, value, lease), *grant.writes])
    return Written(stored.item(shown, revision))


def ends(obj: Object) -> bool:
    """Whether nothing holds a deleted object any more: no finalizers, no grace."""
    metadata = obj["metadata"]
    if not metadata.get("deletionTimestamp") or metadata.get("finalizers"):
        return False
    if obj.get("kind") == "Namespace" and obj.get("spec", {}).get("finalizers"):
        return False
    return not metadata.get("deletionGracePeriodSeconds")


def asked_version(obj: Object) -> str:
    """The version that a client has seen and wants to change. "0" asks for none, as an absent one does."""
    version: str = obj["metadata"].get("resourceVersion", "")
    return "" if version == "0" else version


def _check_preconditions(call: Call, old: Object, new: Object, change: Change) -> None:
    row = call.served.resource
    asked = asked_version(new)
    if not asked and change.replaces and not row.strategy.allow_unconditional_update:
        error = field.invalid(Path("metadata.resourceVersion"), 0, "must be specified for an update")
        raise field.invalid_object(row.group, row.plural, call.info.name, [error])
    if asked and asked != old["metadata"]["resourceVersion"]:
        raise conflict(row.group, row.plural, call.info.name, MODIFIED)
    uid, known = new["metadata"].get("uid"), old["metadata"].get("uid", "")
    if uid and uid != known:
        why = f"Precondition failed: UID in precondition: {uid}, UID in object meta: {known}"
        raise conflict(row.group, row.plural, call.info.name, why)


_KEPT = ("uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds", "selfLink", "generation")


def _keep_system_fields(old: Object, new: Object) -> None:
    was, metadata = old["metadata"], new["metadata"]
    for name in _KEPT:
        if name in was:
            metadata[name] = was[name]
        else:
            metadata.pop(name, None)
    metadata["resourceVersion"] = was["resourceVersion"]
