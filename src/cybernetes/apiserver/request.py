"""What a request asks for: `parse` reads verb, resource and name from method, path and query. Pure.

source  Kubernetes API Concepts, "Resource URIs"; "Determine the Request Verb" of the authorization overview
"""

from __future__ import annotations

import msgspec

from cybernetes.wire.http.message import Request

_VERBS = {"POST": "create", "GET": "get", "HEAD": "get", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}
# Below a namespace these are subresources of the namespace, not resources in it.
_NAMESPACE_SUBRESOURCES = ("status", "finalize")


class RequestInfo(msgspec.Struct, frozen=True):
    """verb  a Kubernetes verb for resources, the method in lower case for other paths
    rest     what stands behind the subresource, for proxies: "" or "/a/b"
    """

    path: str
    verb: str
    is_resource: bool = False
    group: str = ""
    version: str = ""
    resource: str = ""
    namespace: str = ""
    name: str = ""
    subresource: str = ""
    rest: str = ""

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version


def parse(request: Request) -> RequestInfo:
    other = RequestInfo(request.path, request.method.lower())
    parts = [part for part in request.path.split("/") if part]
    if len(parts) >= 3 and parts[0] == "api":
        group, version, parts = "", parts[1], parts[2:]
    elif len(parts) >= 4 and parts[0] == "apis":
        group, version, parts = parts[1], parts[2], parts[3:]
    else:
        return other
    watched = parts[0] == "watch"
    if watched:
        parts = parts[1:]
        if not parts:
            return other
    namespace, parts = _namespace(parts)
    resource, name, subresource, rest = _split(parts, request.path)
    verb = _verb(request, watched=watched, name=name)
    if not name and verb in ("list", "watch", "deletecollection"):
        name = _name_of_field_selector(request.param("fieldSelector"))
    return RequestInfo(request.path, verb, True, group, version, resource, namespace, name, subresource, rest)


def _namespace(parts: list[str]) -> tuple[str, list[str]]:
    """The namespace, and the parts from the resource on."""
    if parts[0] != "namespaces" or len(parts) == 1:
        return "", parts
    if len(parts) > 2 and parts[2] not in _NAMESPACE_SUBRESOURCES:
        return parts[1], parts[2:]
    return parts[1], parts


def _split(parts: list[str], path: str) -> tuple[str, str, str, str]:
    resource, name, subresource = (*parts[:3], "", "")[:3]
    if len(parts) <= 3 and not (len(parts) == 3 and subresource == "proxy"):
        return resource, name, subresource, ""
    # What a proxy forwards keeps empty parts and the last slash, so it is cut from the path itself.
    _, _, behind = path.partition(f"/{resource}/{name}/{subresource}")
    return resource, name, subresource, behind


def _verb(request: Request, *, watched: bool, name: str) -> str:
    if watched:
        # By whatever method: routing takes only one.
        return "watch"
    verb = _VERBS.get(request.method, request.method.lower())
    if verb == "get" and not name:
        return "watch" if request.flag("watch") else "list"
    if verb == "delete" and not name:
        return "deletecollection"
    return verb


def _name_of_field_selector(selector: str) -> str:
    """The name that `metadata.name=x` asks for: it may be authorized like a get of that object."""
    for part in selector.split(",") if selector else ():
        field, equals, value = part.partition("=")
        if equals and field == "metadata.name" and value.lstrip("=") and not field.endswith("!"):
            return value.lstrip("=")
    return ""
