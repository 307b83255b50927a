"""Which handlers a subresource has, by its name; what is special is in the module of that name."""

from __future__ import annotations

from cybernetes.apiserver.core import Handler
from cybernetes.apiserver.registry import Served
from cybernetes.apiserver.subresources import binding, connect, eviction, scale, status

_OWN_SHAPE: dict[str, Handler] = {"get": status.read, "update": status.update, "patch": status.patch}

_HANDLERS: dict[str, dict[str, Handler]] = {
    "status": _OWN_SHAPE,
    "ephemeralcontainers": _OWN_SHAPE,
    "resize": _OWN_SHAPE,
    "finalize": {"update": status.update},
    "approval": _OWN_SHAPE,
    "scale": {"get": scale.read, "update": scale.update, "patch": scale.patch},
    "binding": {"create": binding.bind},
    "eviction": {"create": eviction.evict},
    "log": {"get": connect.log},
    "exec": {"get": connect.stream, "create": connect.stream},
    "attach": {"get": connect.stream, "create": connect.stream},
    "portforward": {"get": connect.stream, "create": connect.stream},
    "proxy": dict.fromkeys(("get", "create", "update", "patch", "delete", "options"), connect.proxy),
}


def find(served: Served, name: str) -> dict[str, Handler] | None:
    if served.resource.subresource(name) is None:
        return None
    return _HANDLERS.get(name, {})
