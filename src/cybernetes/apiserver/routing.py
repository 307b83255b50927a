"""From a request that may go on to the function that answers it."""

from __future__ import annotations

from collections.abc import Mapping

from cybernetes.apiserver import respond
from cybernetes.apiserver.chain import Passage
from cybernetes.apiserver.core import Call, Core, Handler
from cybernetes.apiserver.handlers.create import create
from cybernetes.apiserver.handlers.delete import delete
from cybernetes.apiserver.handlers.deletecollection import deletecollection
from cybernetes.apiserver.handlers.get import get
from cybernetes.apiserver.handlers.list import list_objects
from cybernetes.apiserver.handlers.patch import patch_object
from cybernetes.apiserver.handlers.update import update
from cybernetes.apiserver.handlers.watch import watch
from cybernetes.apiserver.registry import Served
from cybernetes.apiserver.request import RequestInfo
from cybernetes.apiserver.subresources import binding, bindings, routes
from cybernetes.base.errors import ApiError
from cybernetes.wire.http.message import Response

_COLLECTION: dict[str, Handler] = {
    "create": create,
    "list": list_objects,
    "watch": watch,
    "deletecollection": deletecollection,
}
_OBJECT: dict[str, Handler] = {"get": get, "update": update, "patch": patch_object, "delete": delete, "watch": watch}


async def route(core: Core, passage: Passage) -> Response:
    info = passage.info
    if not info.is_resource:
        return await core.nonresource(core, passage)
    served = core.registry.find(info.group, info.version, info.resource)
    if served is None:
        return await _unknown(core, passage)
    call = Call(passage.request, info, passage.user, served, passage.warnings, passage.annotations)
    handler = _handler(core, call)
    if served.resource.deprecation:
        call.warnings.append(served.resource.deprecation)
        call.annotations["k8s.io/deprecated"] = "true"
    return await handler(core, call)


async def _unknown(core: Core, passage: Passage) -> Response:
    """A resource that is not served here: another server's, or nobody's."""
    if core.aggregated is not None:
        answer: Response | None = await core.aggregated(core, passage)
        if answer is not None:
            return answer
    if core.registry.knows_version(passage.info.group, passage.info.version):
        raise nothing_there()
    return respond.text(404, "404 page not found\n")


def _handler(core: Core, call: Call) -> Handler:
    """Raises ApiError 404 for what the resource does not have, 405 for methods that it does not take."""
    info, row = call.info, call.served.resource
    if _in_foreign_scope(call.served, info):
        raise nothing_there()
    if _is_of_another_method(call):
        raise _not_allowed()
    virtual = core.virtual.get((row.group, row.plural, info.subresource))
    if virtual is not None:
        if info.name and not info.subresource:
            # What is only created has no objects to name.
            raise nothing_there()
        return _of_verb({"create": virtual}, info.verb)
    if info.subresource:
        found = routes.find(call.served, info.subresource)
        if found is None or not info.name or _misplaced(call.served, info):
            raise nothing_there()
        return _of_verb(found, info.verb)
    if row.plural == "bindings" and not row.group and not info.name:
        handler = binding.bind_named if info.namespace else bindings.bind_listed
        return _of_verb({"create": handler}, info.verb)
    named = _names_object(call)
    if named and _misplaced(call.served, info):
        raise nothing_there()
    verb = "watch" if named and info.verb == "get" and call.request.flag("watch") else info.verb
    everywhere = not named and row.namespaced and not info.namespace
    if verb not in row.verbs or (everywhere and verb not in ("list", "watch")):
        raise _not_allowed()
    observed = core.observed.get((row.group, row.plural))
    return _of_verb(observed or (_OBJECT if named else _COLLECTION), verb)


def _is_of_another_method(call: Call) -> bool:
    """Only proxies take HEAD; a watch, also by a path of its own, is a GET."""
    method = call.request.method
    return (method == "HEAD" and call.info.subresource != "proxy") or (call.info.verb == "watch" and method != "GET")


def _of_verb(handlers: Mapping[str, Handler], verb: str) -> Handler:
    found = handlers.get(verb)
    if found is None:
        raise _not_allowed()
    return found


def _not_allowed() -> ApiError:
    return ApiError(405, "MethodNotAllowed", "the server does not allow this method on the requested resource", {})


def _names_object(call: Call) -> bool:
    """Whether the path names one object: a name may also come from a field selector of a list."""
    info = call.info
    if not info.name or info.verb in ("list", "deletecollection"):
        return False
    return info.verb != "watch" or info.path.rstrip("/").endswith(f"/{info.name}")


def _misplaced(served: Served, info: RequestInfo) -> bool:
    """An object's path must have a namespace where its resource is in one."""
    return served.resource.namespaced and not info.namespace


def _in_foreign_scope(served: Served, info: RequestInfo) -> bool:
    """Whether something of the whole cluster is asked for below a namespace.

    Who may do everything in a namespace was found to be allowed just that, and must not reach further.
    """
    if served.resource.namespaced:
        return False
    own = served.resource.plural == "namespaces" and not served.resource.group
    return bool(info.namespace) and not (own and info.name == info.namespace)


def nothing_there() -> ApiError:
    return ApiError(404, "NotFound", "the server could not find the requested resource", {})
