"""The proxy subresource: any method and path, forwarded to a pod, a service's endpoint or a kubelet.

source  Kubernetes documentation "Proxies in Kubernetes", apiserver proxy: `[SCHEME:]NAME[:PORT]`
"""

from __future__ import annotations

import re
from urllib.parse import urlencode, urlsplit, urlunsplit

import msgspec

from cybernetes.apiserver import onward
from cybernetes.apiserver.aggregate.plan import SERVICE_NAME, of_first_family
from cybernetes.apiserver.core import Call, Core, Object
from cybernetes.apiserver.outbound import is_literal, is_proxyable
from cybernetes.apiserver.subresources.pages import with_links
from cybernetes.base.errors import ApiError, bad_request, not_found
from cybernetes.wire.http.message import Request, Response, Transport

PORT_MAX = 65535
_OF_ORIGINS = frozenset(f"access-control-allow-{what}" for what in ("credentials", "headers", "methods", "origin"))
_PORT = re.compile(r"[0-9]{1,5}|[a-z0-9]([-a-z0-9]*[a-z0-9])?")


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
            transport = core.outbound.to_workload(url)
        case "services":
            url = _service_url(core, call, wanted)
            transport = core.outbound.to_workload(url)
        case _:
            url, transport = _node(core, wanted)
    if _wants_slash(call):
        return _with_slash(call)
    headers = onward.forwarded(call)
    headers["x-forwarded-uri"] = call.request.path
    headers["x-forwarded-host"] = call.request.headers.get("host", "")
    request = Request(call.request.method, call.info.rest or "/", call.request.query, headers, call.request.body)
    prefix = _prefix(call)
    answer = located(await onward.send(transport, request), url, prefix)
    return await with_links(answer, lambda link: through(link, url, prefix))


def _wants_slash(call: Call) -> bool:
    """Browsers read links of a page relative to its folder, which only the last slash makes one."""
    return not call.info.rest and call.request.method in ("GET", "HEAD") and "upgrade" not in call.request.headers


def _with_slash(call: Call) -> Response:
    query = urlencode([(name, value) for name, values in call.request.query.items() for value in values])
    location = f"{call.request.path}/{'?' if query else ''}{query}"
    return Response(301, [("Location", location)], b"")


def _prefix(call: Call) -> str:
    """The path below which the other server's paths are seen."""
    return call.info.path.removesuffix(call.info.rest) if call.info.rest else call.info.path


def through(link: str, url: str, prefix: str) -> str:
    """A link of a page as clients have to follow it: one to its own server leads through the proxy."""
    try:
        target = urlsplit(link)
    except ValueError:
        return link
    if target.scheme not in ("", "http", "https") or target.netloc not in ("", urlsplit(url).netloc):
        return link
    if not target.path.startswith("/") or f"{target.path}/".startswith(f"{prefix}/"):
        return link
    return urlunsplit(("", "", prefix + target.path, target.query, target.fragment))


def located(answer: Response, url: str, prefix: str) -> Response:
    """An answer whose Location stays on the server that gave it, as clients see that one; others are left out.

    So is what it says of pages of other origins: that would be said in this server's name.
    """
    headers: list[tuple[str, str]] = []
    for name, value in answer.headers:
        if name.lower() in _OF_ORIGINS:
            continue
        if name.lower() != "location":
            headers.append((name, value))
            continue
        target = urlsplit(value)
        if value.startswith("//") or (target.netloc and f"{target.scheme}://{target.netloc}" != url):
            continue
        path = target.path if target.path.startswith("/") or not target.netloc else f"/{target.path}"
        shown = f"{prefix}{path}" if path.startswith("/") else path
        headers.append((name, urlunsplit(("", "", shown, target.query, target.fragment))))
    return msgspec.structs.replace(answer, headers=headers)


def parse(text: str) -> Destination:
    """`name`, `name:port`, `scheme:name:port` (port may be empty). Raises ApiError 400.

    What stands for the port becomes part of a URL: it is a number or a name, and nothing else.
    """
    parts = text.split(":")
    if len(parts) > 1 and parts[-1] and not _PORT.fullmatch(parts[-1]):
        raise bad_request(f'invalid proxy request "{text}"')
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
    if not is_proxyable(address):
        raise bad_request("address not allowed")
    port = _number(wanted) or _first_port(pod)
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


def _number(wanted: Destination) -> str:
    """The port as a number, or "". Raises ApiError 400 for a name: only services have ports of a name."""
    number = int(wanted.port) if re.fullmatch("[0-9]{1,5}", wanted.port) else 0
    if wanted.port and not 0 < number <= PORT_MAX:
        raise bad_request(f'invalid port "{wanted.port}"')
    return wanted.port


def _node(core: Core, wanted: Destination) -> tuple[str, Transport]:
    """Where a node's server is, and the way there: with the kubelets' credential to the kubelet alone."""
    node = core.lister.get("", "nodes", "", wanted.name)
    if node is None:
        raise not_found("", "nodes", wanted.name)
    address, port = onward.kubelet_address(node)
    if _number(wanted) in ("", str(port)):
        url = f"https://{address}:{port}"
        return url, core.outbound.to_kubelet(wanted.name, url)
    if is_literal(address) and not is_proxyable(address):
        raise bad_request("address not allowed")
    url = f"{wanted.scheme or 'http'}://{address}:{wanted.port}"
    return url, core.outbound.to_workload(url)


def _service_url(core: Core, call: Call, wanted: Destination) -> str:
    service = core.lister.get("", "services", call.info.namespace, wanted.name)
    if service is None:
        raise not_found("", "services", wanted.name)
    port_name = _port_name(service, wanted)
    found = sorted(_endpoints(core, service, port_name))
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
    asked = f"{wanted.name}:{wanted.port}" if wanted.port else wanted.name
    message = f'no endpoints available for service "{asked}"'
    if wanted.port.isdigit():
        message = f'no service port {wanted.port} found for service "{wanted.name}"'
    raise ApiError(503, "ServiceUnavailable", message)


def _endpoints(core: Core, service: Object, port_name: str) -> list[tuple[str, int]]:
    """Ready endpoints that are pods of the namespace: whoever writes a slice does not choose what is asked."""
    found, namespace = [], service["metadata"]["namespace"]
    slices = core.lister.labelled(
        "discovery.k8s.io", "endpointslices", namespace, SERVICE_NAME, service["metadata"]["name"]
    )
    for each in of_first_family(service, slices):
        ports = [port["port"] for port in each.get("ports") or () if (port.get("name") or "") == port_name]
        ready = [e for e in each.get("endpoints") or () if e.get("conditions", {}).get("ready") is not False]
        addresses = [e["addresses"][0] for e in ready if _is_of_its_pod(core, namespace, e)]
        found += [(address, port) for address in addresses for port in ports]
    return found


def _is_of_its_pod(core: Core, namespace: str, endpoint: Object) -> bool:
    target = endpoint.get("targetRef") or {}
    if target.get("kind") != "Pod" or target.get("namespace", namespace) != namespace:
        return False
    pod = core.lister.get("", "pods", namespace, target.get("name", ""))
    addresses = [each.get("ip") for each in ((pod or {}).get("status") or {}).get("podIPs") or ()]
    address = endpoint["addresses"][0]
    return address in addresses and is_proxyable(address)
