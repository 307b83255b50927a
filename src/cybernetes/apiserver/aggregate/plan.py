"""Where an APIService's requests go, or why they can't. Pure."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import msgspec

from cybernetes.wire.http.message import Request, Response

Object = dict[str, Any]

DEFAULT_PORT = 443
# The label of EndpointSlices that names their Service.
SERVICE_NAME = "kubernetes.io/service-name"
# The index of a server's documents of OpenAPI v3, and what is below.
OPENAPI = "/openapi/v3"


class Destination(msgspec.Struct, frozen=True):
    """url: of one ready endpoint. server_name: whom its certificate must name. ca: PEM, b"" where nothing is verified."""

    url: str
    server_name: str
    ca: bytes = b""
    verify: bool = True


class Local(msgspec.Struct, frozen=True):
    """A server within this one."""

    answer: Callable[[Request], Awaitable[Response]]


class Unavailable(msgspec.Struct, frozen=True):
    """status False, or Unknown; reason and message as the condition has them."""

    reason: str
    message: str
    status: str = "False"


def service_of(api_service: Object) -> tuple[str, str, int] | None:
    """(namespace, name, port); None for a group that is served here."""
    service = api_service.get("spec", {}).get("service")
    if not service:
        return None
    return service.get("namespace", ""), service.get("name", ""), service.get("port") or DEFAULT_PORT


def destination(
    api_service: Object, service: Object | None, slices: Sequence[Object], ca: bytes
) -> Destination | Unavailable:
    """slices: the EndpointSlices of the Service. ca: the APIService's caBundle, decoded."""
    wanted = service_of(api_service)
    assert wanted is not None
    namespace, name, port = wanted
    if service is None:
        return Unavailable("ServiceNotFound", f'service/{name} in "{namespace}" is not present')
    if service["spec"].get("type") == "ExternalName":
        return _destination(api_service, service["spec"].get("externalName", ""), port, namespace, name, ca)
    found = next((each for each in service["spec"].get("ports") or () if each["port"] == port), None)
    if found is None:
        return Unavailable("ServicePortError", f'service/{name} in "{namespace}" is not listening on port {port}')
    if not slices:
        return Unavailable("EndpointsNotFound", f'cannot find endpointslices for service/{name} in "{namespace}"')
    port_name = found.get("name", "")
    ready = _ready(of_first_family(service, slices), port_name)
    if not ready:
        message = f'endpointslices for service/{name} in "{namespace}" have no addresses with port name "{port_name}"'
        return Unavailable("MissingEndpoints", message)
    return _destination(api_service, *ready[0], namespace, name, ca)


def of_first_family(service: Object, slices: Sequence[Object]) -> list[Object]:
    """Without those of a Service's second family: this machine may have no way to it, where pods do."""
    families = service["spec"].get("ipFamilies") or []
    return [each for each in slices if each.get("addressType") not in families[1:]]


def _ready(slices: Sequence[Object], port_name: str) -> list[tuple[str, int]]:
    found = []
    for each in slices:
        ports = [port["port"] for port in each.get("ports") or () if (port.get("name") or "") == port_name]
        for endpoint in each.get("endpoints") or ():
            if endpoint.get("conditions", {}).get("ready") is not False:
                found += [(endpoint["addresses"][0], port) for port in ports]
    return sorted(found)


def _destination(api_service: Object, host: str, port: int, namespace: str, name: str, ca: bytes) -> Destination:
    host = f"[{host}]" if ":" in host else host
    verify = not api_service["spec"].get("insecureSkipTLSVerify")
    return Destination(f"https://{host}:{port}", f"{name}.{namespace}.svc", ca, verify)


LOCAL = ("True", "Local", "Local APIServices are always available")
PASSED = ("True", "Passed", "all checks passed")


def conditions(api_service: Object) -> list[Object]:
    return (api_service.get("status") or {}).get("conditions") or []


def condition(status: str, reason: str, message: str, now: str, old: Sequence[Object]) -> Object | None:
    """The condition Available, or None when it is so already."""
    found = next((each for each in old if each["type"] == "Available"), None)
    wanted = {"type": "Available", "status": status, "reason": reason, "message": message}
    if found is not None and all(found.get(key) == value for key, value in wanted.items()):
        return None
    same = found is not None and found["status"] == status
    return {**wanted, "lastTransitionTime": found["lastTransitionTime"] if found is not None and same else now}


def put(wanted: Object, old: Sequence[Object]) -> list[Object]:
    """The conditions with this one where one of its type was."""
    if any(each["type"] == wanted["type"] for each in old):
        return [wanted if each["type"] == wanted["type"] else each for each in old]
    return [*old, wanted]


class _Row(msgspec.Struct, frozen=True, rename="camel"):
    """An APIResource. name: with its subresource behind a slash."""

    name: str
    kind: str
    group: str = ""
    version: str = ""
    namespaced: bool = False
    singular_name: str = ""
    verbs: list[str] | None = None
    short_names: list[str] | None = None
    categories: list[str] | None = None


class _Listing(msgspec.Struct, frozen=True):
    resources: list[_Row] | None = None


_decode = msgspec.json.Decoder(_Listing).decode


def discovered(body: bytes) -> list[Object]:
    """The resources of an APIResourceList as the aggregated discovery document lists them; none where it is no such list."""
    try:
        rows = _decode(body).resources or ()
    except msgspec.MsgspecError:
        return []
    by_name: dict[str, Object] = {}
    for each in rows:
        name, _, sub = each.name.partition("/")
        kind = {"group": each.group, "version": each.version, "kind": each.kind}
        if not sub:
            more = {"shortNames": each.short_names, "categories": each.categories}
            by_name[name] = {
                "resource": name,
                "responseKind": kind,
                "scope": "Namespaced" if each.namespaced else "Cluster",
                "singularResource": each.singular_name,
                "verbs": each.verbs or [],
                **{key: value for key, value in more.items() if value},
            }
        elif name in by_name:
            entry = {"subresource": sub, "responseKind": kind, "verbs": each.verbs or []}
            by_name[name].setdefault("subresources", []).append(entry)
    return list(by_name.values())


def document(index: Any, group: str, version: str) -> str:
    """Where a server's index of OpenAPI v3 says that the document of this version is; "" where it doesn't."""
    name = f"apis/{group}/{version}"
    paths = index.get("paths") if isinstance(index, dict) else None
    entry = paths.get(name) if isinstance(paths, dict) else None
    url = entry.get("serverRelativeURL") if isinstance(entry, dict) else None
    return url if isinstance(url, str) and url.partition("?")[0] == f"{OPENAPI}/{name}" else ""
