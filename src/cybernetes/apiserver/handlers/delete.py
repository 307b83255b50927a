"""Deletion: at once, after a grace period, or when the last finalizer is gone.

source  Kubernetes documentation "Finalizers", "Garbage Collection"; api-conventions, graceful deletion
"""

from __future__ import annotations

from typing import Any

import msgspec

from cybernetes.apiserver import respond, stored
from cybernetes.apiserver.admit import admit, check
from cybernetes.apiserver.cache.state import Item
from cybernetes.apiserver.core import Call, Core, Object
from cybernetes.apiserver.crd.names import terminate
from cybernetes.apiserver.options import WriteOptions, integer
from cybernetes.apiserver.write import ATTEMPTS_MAX, Written, ends, place
from cybernetes.base.clock import parse_rfc3339, rfc3339
from cybernetes.base.errors import MODIFIED, bad_request, conflict, not_found
from cybernetes.model import field
from cybernetes.model.field import Path
from cybernetes.model.resource import Resource
from cybernetes.model.schema import compile as schema_compile
from cybernetes.model.schema import decode as schema_decode
from cybernetes.store.api import Check, Conflict, Delete, Put
from cybernetes.wire.http.message import Request, Response

ORPHAN = "orphan"
FOREGROUND = "foregroundDeletion"
_POLICIES = ("Foreground", "Background", "Orphan")


class DeleteOptions(msgspec.Struct, frozen=True):
    grace_s: int | None = None
    policy: str | None = None
    orphan_dependents: bool | None = None
    uid: str | None = None
    revision: str | None = None
    dry_run: bool = False

    def document(self) -> dict[str, Any]:
        """The options that were given, as DeleteOptions has them."""
        preconditions = {"uid": self.uid, "resourceVersion": self.revision}
        given = {
            "gracePeriodSeconds": self.grace_s,
            "propagationPolicy": self.policy,
            "orphanDependents": self.orphan_dependents,
            "preconditions": {name: value for name, value in preconditions.items() if value is not None} or None,
        }
        return {name: value for name, value in given.items() if value is not None}

    def as_mapping(self) -> dict[str, Any]:
        return {} if self.grace_s is None else {"gracePeriodSeconds": self.grace_s}


_ORPHANED = (
    "child pods are preserved by default when jobs are deleted; set propagationPolicy=Background to remove them or set "
    "propagationPolicy=Orphan to suppress this warning"
)


async def delete(core: Core, call: Call) -> Response:
    options = delete_options(call)
    if call.served.keeper == ("batch", "jobs") and options.policy is None and options.orphan_dependents is None:
        call.warnings.append(_ORPHANED)
    return await delete_with(core, call, options)


async def delete_with(core: Core, call: Call, options: DeleteOptions) -> Response:
    written = await remove(core, call, options)
    row = call.served.resource
    if not written.deleted or row.strategy.returns_deleted_object:
        accepted = not written.deleted and options.orphan_dependents is False
        return respond.one(core, call, written.item, 202 if accepted else 200)
    return respond.plain(call, _success(row, call.info.name, stored.decode(written.item)))


def _success(row: Resource, name: str, obj: Object) -> Object:
    details = {"name": name, "group": row.group, "kind": row.plural, "uid": obj["metadata"].get("uid", "")}
    return {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Success",
        "details": {key: value for key, value in details.items() if value},
    }


async def remove(core: Core, call: Call, options: DeleteOptions, *, judged: bool = False) -> Written:
    """Delete one object, or begin to. Raises ApiError 404, 409, and what admission refuses with.

    judged  admission was asked about the request that this deletion follows from: it is not asked again
    """
    row, attempt = call.served.resource, 0
    while True:
        await core.consistent()
        item = core.caches.of(*call.served.keeper).state.get(place(call, call.info.name))
        if item is None:
            raise not_found(row.group, row.plural, call.info.name)
        try:
            return await _remove_once(core, call, item, options, judged)
        except Conflict as lost:
            attempt += 1
            if attempt >= ATTEMPTS_MAX:
                raise conflict(row.group, row.plural, call.info.name, MODIFIED) from lost
            core.committed = max(core.committed, lost.current.revision if lost.current else await core.store.revision())


async def _remove_once(core: Core, call: Call, item: Item, options: DeleteOptions, judged: bool) -> Written:
    served, row = call.served, call.served.resource
    shown = (await served.shown(item)).json
    old = served.decode(shown)
    check_preconditions(call, old, options)
    write_options = WriteOptions(dry_run=options.dry_run, deletion=options.document())
    if not judged:
        await admit(core, call, "DELETE", None, old, write_options)
        await check(core, call, "DELETE", None, old, write_options)
    new = marked(row, served.decode(shown), options, core.clock.now())
    if new is None:
        return Written(shown)
    key, last, value = served.key(call.info.namespace, call.info.name), shown, b""
    # What goes at once is shown as it was, unless its kind is one that is ended gracefully.
    if not ends(new) or row.strategy.grace is not None:
        value, after = await served.kept(new)
        last = stored.item(after, item.revision)
    if options.dry_run:
        return Written(last, deleted=ends(new))
    checks = [Check(key, item.revision)]
    if ends(new):
        revision = await core.commit(checks, [Delete(key), *_with_it(core, call, new)])
        return Written(stored.at_revision(last, revision), deleted=True)
    revision = await core.commit(checks, [Put(key, value)])
    return Written(stored.at_revision(last, revision))


def _with_it(core: Core, call: Call, obj: Object) -> list[Put | Delete]:
    """What goes in the same transaction: a Service's addresses, and its Endpoints, which nothing else would delete."""
    freed: list[Put | Delete] = core.allocator.freed(call.served.resource, obj)
    if call.served.keeper == ("", "services"):
        freed.append(Delete(f"/core/endpoints/{call.info.namespace}/{call.info.name}"))
    return freed


CRD_CLEANUP = "customresourcecleanup.apiextensions.k8s.io"
# Kinds that go once their content is gone; their deletion knows no grace.
_EMPTIED_FIRST = ("Namespace", "CustomResourceDefinition")


def marked(row: Resource, obj: Object, options: DeleteOptions, now: float) -> Object | None:
    """The object as deletion leaves it: with deletionTimestamp and finalizers.

    None: it is being deleted already, and these options don't change how.
    """
    metadata = obj["metadata"]
    grace = row.strategy.grace(obj, options.as_mapping()) if row.strategy.grace is not None else None
    finalizers = finalizers_after(row, metadata.get("finalizers", []), options)
    if metadata.get("deletionTimestamp"):
        if not _hastened(metadata, grace or 0) and finalizers == metadata.get("finalizers", []) and not ends(obj):
            return None
    else:
        metadata["deletionTimestamp"] = _moment(now + (grace or 0))
        if row.kind == "CustomResourceDefinition":
            # Its objects go first: the definitions' own loop deletes them and takes the finalizer away.
            finalizers = [*(each for each in finalizers if each != CRD_CLEANUP), CRD_CLEANUP]
            terminate(obj, now)
        if row.kind not in _EMPTIED_FIRST:
            metadata["deletionGracePeriodSeconds"] = grace or 0
            if metadata.get("generation"):
                metadata["generation"] += 1
    if finalizers:
        metadata["finalizers"] = finalizers
    else:
        metadata.pop("finalizers", None)
    if row.kind == "Namespace":
        obj.setdefault("status", {})["phase"] = "Terminating"
    return obj


# The end of the year 9999: no later time can be written, and periods of grace may be any number.
_LAST_MOMENT = 253_402_300_799


def _moment(at: float) -> str:
    return rfc3339(min(max(at, 0), _LAST_MOMENT))


def _hastened(metadata: Object, grace: int) -> bool:
    """Shorten the grace period of a deletion that has begun; False when it is not shorter."""
    was = metadata.get("deletionGracePeriodSeconds") or 0
    if grace >= was:
        return False
    begun = parse_rfc3339(metadata["deletionTimestamp"]) - was
    metadata["deletionTimestamp"] = _moment(begun + grace)
    metadata["deletionGracePeriodSeconds"] = grace
    return True


def finalizers_after(row: Resource, finalizers: list[str], options: DeleteOptions) -> list[str]:
    """The finalizers once the propagation policy is applied."""
    wanted = _collector_finalizer(row, finalizers, options)
    kept = [each for each in finalizers if each not in (ORPHAN, FOREGROUND)]
    if row.strategy.default_propagation == "Unsupported":
        return kept
    return [*kept, wanted] if wanted else kept


def _collector_finalizer(row: Resource, finalizers: list[str], options: DeleteOptions) -> str:
    if options.orphan_dependents is not None:
        return ORPHAN if options.orphan_dependents else ""
    match options.policy:
        case "Orphan":
            return ORPHAN
        case "Foreground":
            return FOREGROUND
        case "Background":
            return ""
    for each in (ORPHAN, FOREGROUND):
        if each in finalizers:
            return each
    return ORPHAN if row.strategy.default_propagation == "Orphan" else ""


def check_preconditions(call: Call, obj: Object, options: DeleteOptions) -> None:
    row, group, metadata = call.served.resource, call.served.stored.group, obj["metadata"]
    if row.kind in _EMPTIED_FIRST:
        _check_here(row, metadata, options)
    if options.uid is not None and options.uid != metadata.get("uid"):
        why = (
            f"the UID in the precondition ({options.uid}) does not match the UID in record ({metadata.get('uid')}). "
            "The object might have been deleted and then recreated"
        )
        raise conflict(group, row.kind, call.info.name, why)
    if options.revision is not None and options.revision != metadata["resourceVersion"]:
        why = (
            f"the ResourceVersion in the precondition ({options.revision}) does not match the ResourceVersion in "
            f"record ({metadata['resourceVersion']}). The object might have been modified"
        )
        raise conflict(group, row.kind, call.info.name, why)


def _check_here(row: Resource, metadata: Object, options: DeleteOptions) -> None:
    """Kinds that go in two steps compare by themselves, in words of their own."""
    for name, wanted, key in (("UID", options.uid, "uid"), ("ResourceVersion", options.revision, "resourceVersion")):
        has = metadata.get(key, "")
        if wanted is not None and wanted != has:
            why = f"Precondition failed: {name} in precondition: {wanted}, {name} in object meta: {has}"
            raise conflict(row.group, row.plural, metadata["name"], why)


def delete_options(call: Call) -> DeleteOptions:
    """From the body, or from the query when there is none. Raises ApiError 400, 422."""
    request = call.request
    return checked_options(_from_body(request) if request.body.strip() else _from_query(request))


def checked_options(given: Object) -> DeleteOptions:
    """Options as an object has them. Raises ApiError 422."""
    errors = []
    policy, orphan = given.get("propagationPolicy"), given.get("orphanDependents")
    if policy is not None and orphan is not None:
        why = "orphanDependents and deletionPropagation cannot be both set"
        errors.append(field.invalid(Path("propagationPolicy"), policy, why))
    elif policy is not None and policy not in _POLICIES:
        errors.append(field.not_supported(Path("propagationPolicy"), policy, (*_POLICIES, "nil")))
    dry_run = given.get("dryRun") or []
    if any(each != "All" for each in dry_run):
        errors.append(field.not_supported(Path("dryRun"), dry_run, ("All",)))
    if errors:
        raise field.invalid_object("meta.k8s.io", "DeleteOptions", "", errors)
    preconditions = given.get("preconditions") or {}
    return DeleteOptions(
        grace_s=given.get("gracePeriodSeconds"),
        policy=policy,
        orphan_dependents=orphan,
        uid=preconditions.get("uid"),
        revision=preconditions.get("resourceVersion"),
        dry_run=bool(dry_run),
    )


# The options' own group; those of every other group and "v1" are the same.
_META = "meta.k8s.io/v1"


def _from_body(request: Request) -> dict[str, Any]:
    node = schema_compile.node("io.k8s.apimachinery.pkg.apis.meta.v1.DeleteOptions")
    content_type = request.headers.get("content-type", "")
    try:
        decoded = schema_decode.decode(
            node, request.body, content_type, kind="DeleteOptions", api_version=_META, field_validation="Ignore"
        )
    except schema_decode.Undecodable as wrong:
        raise bad_request(wrong.why) from wrong
    obj: dict[str, Any] = decoded.object
    return obj


def _from_query(request: Request) -> dict[str, Any]:
    given: dict[str, Any] = {}
    grace_s = integer(request, "gracePeriodSeconds")
    if grace_s is not None:
        given["gracePeriodSeconds"] = grace_s
    if request.param("propagationPolicy"):
        given["propagationPolicy"] = request.param("propagationPolicy")
    if "orphanDependents" in request.query:
        given["orphanDependents"] = request.flag("orphanDependents")
    if "dryRun" in request.query:
        given["dryRun"] = request.query["dryRun"]
    return given
