"""Requests that go on to kubelets, pods and other servers, and their answers on the way back.

enters   what a client sent; what the other server answered
leaves   the same without what belongs to one connection only, and without what says who somebody is
fails    502 for a redirect, 503 when the other side can't be reached
"""

from __future__ import annotations

import msgspec

from cybernetes.apiserver.core import Call, Object
from cybernetes.base.errors import ApiError, EdgeError
from cybernetes.wire.http.message import Request, Response, Transport

KUBELET_PORT = 10250
HOP_BY_HOP = frozenset(
    ("connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "te", "trailers", "transfer-encoding")
)
# Of an answer: its length and encoding are other ones on the way back, and the server dates all that it sends.
_OURS_TO_SAY = ("content-length", "content-encoding", "date")
# Who somebody says to be: it was heard here, and means nothing behind.
_IDENTITIES = ("x-remote-", "impersonate-")
_ADDRESS_TYPES = ("InternalIP", "Hostname", "InternalDNS", "ExternalDNS", "ExternalIP")
REDIRECTED = "the backend attempted to redirect this request, which is not permitted"


def forwarded(call: Call) -> dict[str, str]:
    """Headers for the other server: what the client sent, without its credentials and what belongs to its connection."""
    upgrade = call.request.headers.get("upgrade")
    dropped = {"authorization", "host", "content-length", *HOP_BY_HOP}
    headers = {
        name: value
        for name, value in call.request.headers.items()
        if name not in dropped and not name.startswith(_IDENTITIES)
    }
    if upgrade:
        headers["connection"] = "Upgrade"
    return headers


def kubelet_address(node: Object) -> tuple[str, int]:
    """Where a node's kubelet listens. Raises ApiError 500 when it has not said so."""
    status = node.get("status", {})
    port = status.get("daemonEndpoints", {}).get("kubeletEndpoint", {}).get("Port") or KUBELET_PORT
    by_type = {each["type"]: each["address"] for each in reversed(status.get("addresses") or [])}
    for kind in _ADDRESS_TYPES:
        if kind in by_type:
            address = by_type[kind]
            return (f"[{address}]" if ":" in address else address), port
    name = node["metadata"]["name"]
    raise ApiError(500, "", f"no preferred addresses found; known addresses: [] (node {name})")


async def send(transport: Transport, request: Request) -> Response:
    """Ask another server. Raises ApiError 503 when it does not answer."""
    try:
        answer = await transport.send(request)
    except EdgeError as broken:
        message = f"error trying to reach service: {broken.message}"
        raise ApiError(503, "ServiceUnavailable", message) from broken
    return passed_on(answer)


def only_here(answer: Response) -> Response:
    """An answer that sends nobody elsewhere. Raises ApiError 502 for a redirect."""
    if 300 <= answer.status < 400 and answer.status != 304:
        raise ApiError(502, "", REDIRECTED)
    return answer


def passed_on(answer: Response) -> Response:
    """An answer of another server without what belongs to its own connection and encoding."""
    headers = [
        (name, value) for name, value in answer.headers if name.lower() not in HOP_BY_HOP or answer.status == 101
    ]
    headers = [pair for pair in headers if pair[0].lower() not in _OURS_TO_SAY]
    return msgspec.structs.replace(answer, headers=headers)
