"""Forwards logs, exec, attach, port-forward and proxies to kubelets, pods and services.

enters   the request of a client; the kubelet's address from the node's status
leaves   the kubelet's answer, streamed; upgraded connections are joined byte by byte
fails    404 and 400 for pods that can't answer, 503 when the other side can't be reached
"""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import unquote

from cybernetes.apiserver import respond, sockets
from cybernetes.apiserver.admit import admit, check, check_may_create
from cybernetes.apiserver.core import Call, Core, Object
from cybernetes.apiserver.onward import forwarded, kubelet_address, only_here, send
from cybernetes.apiserver.options import WriteOptions, integer
from cybernetes.apiserver.subresources import log_socket, proxying
from cybernetes.base.errors import ApiError, bad_request, not_found
from cybernetes.model import field
from cybernetes.model.field import Path
from cybernetes.model.schema import scalar
from cybernetes.wire.http.message import Request, Response

_LOG_PARAMETERS = (
    "follow",
    "previous",
    "sinceSeconds",
    "sinceTime",
    "timestamps",
    "tailLines",
    "limitBytes",
    "stream",
    "insecureSkipTLSVerifyBackend",
)
_CONNECT_KINDS = {
    ("pods", "exec"): "PodExecOptions",
    ("pods", "attach"): "PodAttachOptions",
    ("pods", "portforward"): "PodPortForwardOptions",
    ("pods", "proxy"): "PodProxyOptions",
    ("services", "proxy"): "ServiceProxyOptions",
    ("nodes", "proxy"): "NodeProxyOptions",
}
_STREAM_FLAGS = {"stdin": "input", "stdout": "output", "stderr": "error", "tty": "tty"}
# Paths of a kubelet that start a process or reach into one.
_ACTING_PATHS = frozenset(("exec", "attach", "portforward", "run", "cri", "checkpoint"))


async def log(core: Core, call: Call) -> Response:
    await core.consistent()
    pod = _pod(core, call)
    _check_log_options(call)
    container = _container(pod, call.request.param("container"))
    if not pod["spec"].get("nodeName"):
        return Response(200, [("Content-Type", "text/plain")], b"")
    query = {name: call.request.query[name] for name in _LOG_PARAMETERS if name in call.request.query}
    path = f"/containerLogs/{call.info.namespace}/{call.info.name}/{container}"
    answer = await _to_kubelet(core, call, pod, Request("GET", path, query))
    if answer.status != 200:
        raise _log_failure(call, answer)
    if sockets.asked(call.request):
        return log_socket.over_websocket(call.request, answer.body)
    return Response(200, [respond.CACHE_CONTROL, ("Content-Type", "text/plain")], answer.body)


async def stream(core: Core, call: Call) -> Response:
    """exec, attach and portforward: the upgrade is the kubelet's, its bytes pass through.

    Browsers open WebSockets by GET only; that must not make who may read one who may act.
    """
    if call.request.method == "GET":
        await check_may_create(core, call)
    await core.consistent()
    pod = _pod(core, call)
    kind = call.info.subresource
    if kind != "portforward":
        _check_stream_options(call)
    if not pod["spec"].get("nodeName"):
        raise bad_request(f"pod {call.info.name} does not have a host assigned")
    asked = await _admit(core, call)
    query = {name: list(values) for name, values in call.request.query.items()}
    path = f"/{'portForward' if kind == 'portforward' else kind}/{call.info.namespace}/{call.info.name}"
    if kind != "portforward":
        path += f"/{_container(pod, asked.get('container', ''))}"
        query = _kubelet_query(asked)
    return await _to_kubelet(
        core, call, pod, Request(call.request.method, path, query, forwarded(call), call.request.body)
    )


async def proxy(core: Core, call: Call) -> Response:
    if _acts_on_node(call):
        await check_may_create(core, call)
    await core.consistent()
    await _admit(core, call)
    return await proxying.forward(core, call)


async def _admit(core: Core, call: Call) -> Object:
    """What a connection is for, as admission leaves it. Raises ApiError when it refuses."""
    asked = connect_options(call)
    await admit(core, call, "CONNECT", asked, None, WriteOptions())
    await check(core, call, "CONNECT", asked, None, WriteOptions())
    return asked


def connect_options(call: Call) -> Object:
    """The options object of a connection, as admission sees it: PodExecOptions and its kin."""
    info, request = call.info, call.request
    kind = _CONNECT_KINDS[info.resource, info.subresource]
    asked: Object = {"kind": kind, "apiVersion": "v1"}
    if info.subresource == "proxy":
        return {**asked, "path": info.rest} if info.rest else asked
    if info.subresource == "portforward":
        listed = [port for each in request.query.get("ports", ()) for port in each.split(",")]
        ports = [int(port) for port in listed if re.fullmatch("[0-9]{1,5}", port)]
        return {**asked, "ports": ports} if ports else asked
    asked.update({name: True for name in _STREAM_FLAGS if request.flag(name)})
    if request.param("container"):
        asked["container"] = request.param("container")
    if info.subresource == "exec":
        asked["command"] = list(request.query.get("command", ()))
    return asked


def _acts_on_node(call: Call) -> bool:
    """Whether a proxied request makes a kubelet run or attach to something, whatever its method."""
    if call.info.resource != "nodes":
        return False
    # Wherever it stands: a kubelet may read `/x/../exec` or `/%65xec` in its own way.
    parts = unquote(call.info.rest).lower().replace("\\", "/").split("/")
    return not _ACTING_PATHS.isdisjoint(parts) or "upgrade" in call.request.headers


def _kubelet_query(asked: Object) -> dict[str, list[str]]:
    query = {name: ["1"] for key, name in _STREAM_FLAGS.items() if asked.get(key)}
    if asked.get("command"):
        query["command"] = list(asked["command"])
    return query


def _pod(core: Core, call: Call) -> Object:
    pod = core.lister.get("", "pods", call.info.namespace, call.info.name)
    if pod is None:
        raise not_found("", "pods", call.info.name)
    return pod


def _container(pod: Object, asked: str) -> str:
    """The container that is meant. Raises ApiError 400 when that is not clear, or there is none of this name."""
    name, spec = pod["metadata"]["name"], pod["spec"]
    groups = {
        kind: [each["name"] for each in spec.get(kind) or ()]
        for kind in ("containers", "initContainers", "ephemeralContainers")
    }
    if asked:
        if not any(asked in names for names in groups.values()):
            raise bad_request(f"container {asked} is not valid for pod {name}")
        return asked
    if len(groups["containers"]) == 1 and not groups["initContainers"] and not groups["ephemeralContainers"]:
        return str(groups["containers"][0])
    default = pod["metadata"].get("annotations", {}).get("kubectl.kubernetes.io/default-container")
    if default in groups["containers"]:
        return str(default)
    if len(groups["containers"]) == 1:
        return str(groups["containers"][0])
    message = f"a container name must be specified for pod {name}, choose one of: [{' '.join(groups['containers'])}]"
    if groups["initContainers"]:
        message += f" or one of the init containers: [{' '.join(groups['initContainers'])}]"
    if groups["ephemeralContainers"]:
        message += f" or one of the ephemeral containers: [{' '.join(groups['ephemeralContainers'])}]"
    raise bad_request(message)


def _check_stream_options(call: Call) -> None:
    if not any(call.request.flag(name) for name in ("stdin", "stdout", "stderr")):
        raise bad_request("you must specify at least 1 of stdin, stdout, stderr")
    if call.info.subresource == "exec" and not call.request.query.get("command"):
        raise bad_request("command: Required value")


# source  KEP-3288 "Split Stdout and Stderr Log Stream of Container"; the first is that of who does not say.
_STREAMS = ("All", "Stderr", "Stdout")


def _check_log_options(call: Call) -> None:
    errors = []
    for name, least, why in (
        ("tailLines", 0, "must be greater than or equal to 0"),
        ("limitBytes", 1, "must be greater than 0"),
        ("sinceSeconds", 1, "must be greater than 0"),
    ):
        number = integer(call.request, name)
        if number is not None and number < least:
            errors.append(field.invalid(Path(name), number, why))
    since = call.request.param("sinceTime")
    if since:
        try:
            scalar.time(since)
        except ValueError as wrong:
            raise bad_request(str(wrong)) from wrong
    if call.request.param("sinceSeconds") and since:
        errors.append(field.forbidden(Path(""), "at most one of `sinceTime` or `sinceSeconds` may be specified"))
    chosen = call.request.param("stream") or _STREAMS[0]
    if chosen not in _STREAMS:
        errors.append(field.not_supported(Path("stream"), chosen, _STREAMS))
    elif chosen != _STREAMS[0] and call.request.param("tailLines"):
        errors.append(field.forbidden(Path(""), "`tailLines` and specific `stream` are mutually exclusive for now"))
    if errors:
        raise field.invalid_object("", "PodLogOptions", call.info.name, errors)


def _log_failure(call: Call, answer: Response) -> ApiError:
    text = answer.body.decode("utf-8", "replace").strip() if isinstance(answer.body, bytes) else ""
    if answer.status == 400:
        return bad_request(text)
    if answer.status == 500:
        message = f"Internal error occurred: {text}"
        return ApiError(500, "InternalError", message, {"causes": [{"message": text}]})
    message = "the server could not find the requested resource"
    details: dict[str, Any] = {"name": call.info.name, "kind": "pods/log"}
    return ApiError(
        answer.status, "NotFound" if answer.status == 404 else "", f"{message} ( pods/log {call.info.name})", details
    )


async def _to_kubelet(core: Core, call: Call, pod: Object, request: Request) -> Response:
    node_name = pod["spec"]["nodeName"]
    node = core.lister.get("", "nodes", "", node_name)
    if node is None:
        # The reference names the node as if it were the pod.
        raise not_found("", "pods", node_name)
    address, port = kubelet_address(node)
    return only_here(await send(core.outbound.to_kubelet(node_name, f"https://{address}:{port}"), request))
