"""Binding many pods in one request: `POST /api/v1/bindings`, which upstream does not have; no part depends on another.

enters   BindingList: up to BINDINGS_MAX items, each names a pod, its namespace and uid, and a node
leaves   StatusList: one item for each binding, in order; null where the pod was bound, else a Status
holds    each pod gets a revision of its own, and what `pods/NAME/binding` would do to it; the right that is asked for is
         `create bindings` in all namespaces
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import msgspec

from cybernetes.apiserver import respond
from cybernetes.apiserver.admit import admit, check
from cybernetes.apiserver.core import Call, Core, Object
from cybernetes.apiserver.options import WriteOptions, write_options
from cybernetes.apiserver.subresources.binding import assign, bound, pods_row
from cybernetes.base.clock import rfc3339
from cybernetes.base.errors import ApiError, EdgeError, bad_request, not_found
from cybernetes.store.api import Check, Conflict, Put
from cybernetes.wire.http.message import Response

# What the store commits at once costs one fsync; more would keep the loop from others for longer than 50 ms.
BINDINGS_MAX = 256


class _Named(msgspec.Struct, forbid_unknown_fields=True):
    name: str
    namespace: str
    uid: str = ""


class _Target(msgspec.Struct, forbid_unknown_fields=True):
    name: str
    kind: str = "Node"


class _Binding(msgspec.Struct, forbid_unknown_fields=True):
    metadata: _Named
    target: _Target


class _BindingList(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    items: list[_Binding]
    kind: str = "BindingList"
    api_version: str = "v1"


_DECODER = msgspec.json.Decoder(_BindingList)


async def bind_listed(core: Core, call: Call) -> Response:
    """Many pods of any namespaces. Raises ApiError 400; what goes wrong with one binding stands in the answer's item."""
    call = msgspec.structs.replace(call, served=pods_row(core))
    bindings = _read(call)
    options = write_options(call.request, "CreateOptions")
    await core.consistent()
    now = rfc3339(core.clock.now())
    outcomes = await asyncio.gather(*(_bind(core, call, each, options, now) for each in bindings))
    listed = {"kind": "StatusList", "apiVersion": "v1", "metadata": {}, "items": outcomes}
    return respond.json(listed)


def _read(call: Call) -> Sequence[_Binding]:
    try:
        found = _DECODER.decode(call.request.body)
    except msgspec.MsgspecError as wrong:
        raise bad_request(f"the body is no BindingList: {wrong}") from wrong
    if found.kind != "BindingList" or found.api_version != "v1":
        raise bad_request(f"the body is a {found.api_version} {found.kind}, not a v1 BindingList")
    if len(found.items) > BINDINGS_MAX:
        raise bad_request(f"{len(found.items)} bindings; one request may have {BINDINGS_MAX}")
    return found.items


async def _bind(core: Core, call: Call, asked: _Binding, options: WriteOptions, now: str) -> Object | None:
    """The Status of what went wrong, or None."""
    try:
        await _bind_one(core, _of_pod(call, asked.metadata), asked, options, now)
    except ApiError as error:
        return error.status()
    except EdgeError as error:
        return ApiError(500, "InternalError", f"Internal error occurred: {error}").status()
    return None


def _of_pod(call: Call, pod: _Named) -> Call:
    """The same request, as if it were about this pod only."""
    path = f"/api/v1/namespaces/{pod.namespace}/pods/{pod.name}/binding"
    info = msgspec.structs.replace(
        call.info, path=path, resource="pods", namespace=pod.namespace, name=pod.name, subresource="binding"
    )
    return Call(call.request, info, call.user, call.served, call.warnings, call.annotations)


async def _bind_one(core: Core, call: Call, asked: _Binding, options: WriteOptions, now: str) -> None:
    pod, target = asked.metadata, asked.target
    if target.kind != "Node" or not target.name:
        raise bad_request("a binding's target must be a Node with a name")
    item = core.caches.of(*call.served.keeper).state.get(f"{pod.namespace}/{pod.name}")
    if item is None:
        raise not_found("", "pods", pod.name)
    metadata = {"name": pod.name, "namespace": pod.namespace, "uid": pod.uid}
    binding: Object = {
        "kind": "Binding",
        "apiVersion": "v1",
        "metadata": metadata,
        "target": {"kind": "Node", "name": target.name},
    }
    await admit(core, call, "CREATE", binding, None, options, "binding")
    await check(core, call, "CREATE", binding, None, options, "binding")
    new = bound(call.served.decode(item.json), binding, now)
    key = call.served.key(pod.namespace, pod.name)
    try:
        await core.commit([Check(key, item.revision)], [Put(key, call.served.encode(new))])
    except Conflict:
        # Somebody wrote to the pod meanwhile: what the subresource does about that is right here too.
        await assign(core, call, binding, options)
