"""Asks admission, and once more authorization, about a write, with what they need to know."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any

from cybernetes.apiserver.admission.attributes import AdmissionAttributes
from cybernetes.apiserver.core import Call, Core
from cybernetes.apiserver.options import WriteOptions
from cybernetes.auth import authz
from cybernetes.auth.asking import settled
from cybernetes.auth.authz import Attributes

Object = dict[str, Any]


async def admit(
    core: Core,
    call: Call,
    operation: str,
    obj: Object | None,
    old: Object | None,
    options: WriteOptions,
    subresource: str = "",
) -> None:
    """Let the mutating plugins change `obj` in place. Raises ApiError when one refuses."""
    if core.admission is not None:
        attributes = _attributes(call, operation, obj, old, options, subresource)
        await _timed(core, "admit", operation, core.admission.mutate(attributes))


async def check(
    core: Core,
    call: Call,
    operation: str,
    obj: Object | None,
    old: Object | None,
    options: WriteOptions,
    subresource: str = "",
) -> None:
    """Let the validating plugins refuse the write: ApiError."""
    if core.admission is not None:
        attributes = _attributes(call, operation, obj, old, options, subresource)
        await _timed(core, "validate", operation, core.admission.validate(attributes))


async def _timed(core: Core, kind: str, operation: str, step: Awaitable[None]) -> None:
    started, rejected = core.clock.monotonic(), True
    try:
        with core.step(f"admission.{kind}", operation=operation):
            await step
        rejected = False
    finally:
        took_s = core.clock.monotonic() - started
        core.metrics.admitted(kind, operation, rejected=rejected, took_s=took_s)


async def check_may_create(core: Core, call: Call) -> None:
    """A PUT or apply that makes the object, or a GET that starts a process, needs the right to create too: ApiError 403."""
    info = call.info
    asked = Attributes(
        call.user, "create", info.group, info.version, info.resource, info.subresource, info.namespace, info.name
    )
    await settled(lambda: authz.check(core.authorizer, asked))


def _attributes(
    call: Call,
    operation: str,
    obj: Object | None,
    old: Object | None,
    options: WriteOptions,
    subresource: str,
) -> AdmissionAttributes:
    return AdmissionAttributes(
        operation=operation,
        group=call.served.resource.group,
        version=call.served.resource.version,
        kind=call.served.resource.kind,
        plural=call.served.resource.plural,
        subresource=subresource or call.info.subresource,
        namespace=call.info.namespace,
        name=(obj or old or {}).get("metadata", {}).get("name", "") or call.info.name,
        object=obj,
        old=old,
        options=options.document() if operation != "CONNECT" else {},
        user=call.user,
        dry_run=options.dry_run,
        warnings=call.warnings,
        annotations=call.annotations,
    )
