"""The proxy subresource: any method and path, forwarded to a pod, a service's endpoint or a kubelet.

source  Kubernetes documentation "Proxies in Kubernetes", apiserver proxy: `[SCHEME:]NAME[:PORT]`
"""

from __future__ import annotations

import msgspec

from cybernetes.apiserver.core import Call, Core, Object
from cybernetes.apiserver.subresources import connect
from cybernetes.base.errors import ApiError, bad_request, not_found
from cybernetes.wire.http.message import Request, Response


class Destination(msgspec.Struct, frozen=True):
    """scheme "" for http, or https for nodes; port a number, a name, or ""."""

    scheme: str
    name: str
    port: str


async def forward(core: Core, call: Call) -> Response:
    wanted = parse(call.info.name)
    match call.info.resource:
        case "pods":
            url = _pod_url(core, call, wanted)
        case "services":
            url = _service_url(core, call, wanted)
        case _:
            url = _node_url(core, wanted)
    headers = connect.forwarded(call)
    headers["x-forwarded-uri"] = call.request.path
    headers["x-forwarded-host"] = call.request.headers.get("host", "")
    request = Request(call.request.method, call.info.rest or "/", call.request.query, headers, call.request.body)
    return await connect.send(core, url, request)


def parse(text: str) -> Destination:
    """`name`, `name:port`, `scheme:name:port` (port may be empty). Raises ApiError 400."""
    parts = text.split(":")
    if len(parts) == 1:
        return Destination("", parts[0], "")
    if len(parts) == 2:
        return Destination("", parts[0], parts[1])
    if len(parts) == 3 and parts[0] in ("http", "https", ""):
        return Destination(parts[0], parts[1], parts[2])
    raise bad_request(f'invalid proxy request "{text}"')


def _host(address: str) -> str:
    return f"[{address}]" if ":" in address else address


def _pod_url(core: Core, call: Call, wanted: Destination) -> str:
    pod = core.lister.get("", "pods", call.info.namespace, wanted.name)
    if pod is None:
        raise not_found("", "pods", wanted.name)
    address = pod.get("status", {}).get("podIP", "")
    if not address:
        raise bad_request("address not allowed")
    port = wanted.port or _first_port(pod)
    return (
        f"{wanted.scheme or 'http'}://{_host(address)}:{port}"
        if port
        else f"{wanted.scheme or 'http'}://{_host(address)}"
    )


def _first_port(pod: Object) -> str:
    for container in pod["spec"]["containers"]:
        for port in container.get("ports") or ():
            return str(port["containerPort"])
    return ""


def _node_url(core: Core, wanted: Destination) -> str:
    node = core.lister.get("", "nodes", "", wanted.name)
    if node is None:
        raise not_found("", "nodes", wanted.name)
    address, port = connect.kubelet_address(node)
    return f"{wanted.scheme or 'https'}://{address}:{wanted.port or port}"


def _service_url(core: Core, call: Call, wanted: Destination) -> str:
    service = core.lister.get("", "services", call.info.namespace, wanted.name)
    if service is None:
        raise not_found("", "services", wanted.name)
    port_name = _port_name(service, wanted)
    found = sorted(_endpoints(core, call.info.namespace, wanted.name, port_name))
    if not found:
        raise ApiError(503, "ServiceUnavailable", f'no endpoints available for service "{wanted.name}"')
    address, port = found[core.random.below(len(found))]
    return f"{wanted.scheme or 'http'}://{_host(address)}:{port}"


def _port_name(service: Object, wanted: Destination) -> str:
    ports = service["spec"].get("ports") or []
    if not wanted.port and len(ports) == 1:
        return str(ports[0].get("name", ""))
    for port in ports:
        if wanted.port and wanted.port in (port.get("name"), str(port["port"])):
            return str(port.get("name", ""))
    message = f'no service port {wanted.port} found for service "{wanted.name}"'
    raise ApiError(503, "ServiceUnavailable", message)


def _endpoints(core: Core, namespace: str, service: str, port_name: str) -> list[tuple[str, int]]:
    found = []
    for each in core.lister.list("discovery.k8s.io", "endpointslices", namespace):
        if each["metadata"].get("labels", {}).get("kubernetes.io/service-name") != service:
            continue
        ports = [port["port"] for port in each.get("ports") or () if (port.get("name") or "") == port_name]
        ready = [e for e in each.get("endpoints") or () if e.get("conditions", {}).get("ready") is not False]
        found += [(endpoint["addresses"][0], port) for endpoint in ready for port in ports]
    return found
