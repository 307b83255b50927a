"""Routes requests of port 10250.

source  the kubelet's API on port 10250: paths, methods and codes are its own
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

import orjson

from cybernetes.base.clock import parse_rfc3339
from cybernetes.base.errors import ApiError, EdgeError
from cybernetes.base.log import Log
from cybernetes.base.number import whole
from cybernetes.kubelet.config import KubeletConfig
from cybernetes.kubelet.runtime.api import NotFound, State
from cybernetes.kubelet.serve import find, logs, numbers
from cybernetes.kubelet.serve.access import Access
from cybernetes.kubelet.serve.bridge import Wanted, bridge
from cybernetes.kubelet.serve.logs import LogOptions
from cybernetes.kubelet.tools import Tools
from cybernetes.kubelet.worker import PodWorker
from cybernetes.wire.grpc import cri_runtime_pb2 as cri
from cybernetes.wire.http import health
from cybernetes.wire.http.message import Request, Response
from cybernetes.wire.http.renewed import RenewedTls
from cybernetes.wire.http.server import HttpServer

_TEXT = ("Content-Type", "text/plain; charset=utf-8")
_JSON = ("Content-Type", "application/json")
_METRICS = ("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
RUN_TIMEOUT_S = 120.0
# Answers under way when the kubelet ends.
DRAIN_S = 0.5

_log = Log("kubelet")


class KubeletServer:
    """workers: pod uid -> worker, as it is now; healthy: what is wrong, "" when nothing."""

    def __init__(
        self, tools: Tools, access: Access, workers: Mapping[str, PodWorker], healthy: Callable[[], str]
    ) -> None:
        self._tools = tools
        self._access = access
        self._workers = workers
        self._counted = health_of(healthy)
        self._numbers = numbers.Numbers(tools, workers)
        self._http = HttpServer(self.handle)
        self._health = HttpServer(self._answer_health)
        routes: dict[str, Callable[[Request, list[str]], Awaitable[Response]]] = {
            "containerLogs": self._logs,
            "exec": self._exec,
            "attach": self._attach,
            "portForward": self._port_forward,
            "run": self._run,
            "pods": self._pods,
            "runningpods": self._running_pods,
            "healthz": self._healthz,
            "configz": self._configz,
            "stats": self._stats,
            "metrics": self._metrics,
        }
        self._routes = routes

    async def listen(self) -> int:
        """Serve; the port. Needs the configuration's certificates."""
        config = self._tools.config
        assert config.serving_cert is not None and config.serving_key is not None and config.client_ca is not None
        clock = self._tools.clock
        tls = RenewedTls(config.serving_cert, config.serving_key, (config.client_ca,), clock.monotonic)
        return await self._http.listen(config.address, config.port, tls.context)

    async def listen_health(self) -> None:
        """Serve /healthz to this machine. A port that is taken is reported: the kubelet is of use without."""
        config = self._tools.config
        if not config.healthz_port:
            return
        try:
            await self._health.listen(config.healthz_address, config.healthz_port)
        except OSError as taken:
            where = f"{config.healthz_address}:{config.healthz_port}"
            _log.error("health.not_served", address=where, why=str(taken))

    async def stop(self) -> None:
        await self._http.stop(DRAIN_S)
        await self._health.stop(DRAIN_S)

    async def handle(self, request: Request) -> Response:
        try:
            await self._access.check(request)
            first, *rest = [each for each in request.path.split("/") if each] or [""]
            route = self._routes.get(first)
            if route is None:
                raise find.refused(404, "404 page not found")
            return await route(request, rest)
        except ApiError as error:
            return Response(error.code, [_TEXT], error.message.encode())
        except NotFound as error:
            return Response(404, [_TEXT], str(error).encode())
        except (EdgeError, TimeoutError) as error:
            _log.warning("request.failed", path=request.path, why=str(error))
            return Response(500, [_TEXT], str(error).encode())

    # Logs.

    async def _logs(self, request: Request, rest: list[str]) -> Response:
        if len(rest) != 3:
            raise find.refused(404, "404 page not found")
        namespace, name, container = rest
        worker = find.pod(self._workers.values(), namespace, name)
        instance = find.logged_instance(worker, container, previous=request.flag("previous"))
        path = _log_file(instance.log_path)
        options = self._log_options(request)

        def is_running() -> bool:
            now = next((each for each in worker.observed.containers if each.id == instance.id), None)
            return now is not None and now.state is State.RUNNING

        return Response(200, [_TEXT], logs.read(path, options, self._tools.clock, is_running))

    def _log_options(self, request: Request) -> LogOptions:
        since = 0.0
        try:
            tail = int(request.param("tailLines")) if request.param("tailLines") else None
            limit = int(request.param("limitBytes")) if request.param("limitBytes") else None
            if request.param("sinceSeconds"):
                since = self._tools.clock.now() - int(request.param("sinceSeconds"))
            elif request.param("sinceTime"):
                since = parse_rfc3339(request.param("sinceTime"))
        except ValueError as wrong:
            raise find.refused(400, str(wrong)) from wrong
        return LogOptions(
            follow=request.flag("follow"),
            timestamps=request.flag("timestamps"),
            tail_lines=tail,
            limit_bytes=limit,
            since=since,
            stream=request.param("stream", "All"),
        )

    # Sessions.

    async def _exec(self, request: Request, rest: list[str]) -> Response:
        worker, container = self._container(rest)
        instance = find.running_instance(worker, container)
        wanted = _wanted(request)
        url = await self._tools.runtime.exec_url(
            cri.ExecRequest(
                container_id=instance.id,
                cmd=request.query.get("command", []),
                tty=wanted.tty,
                stdin=wanted.stdin,
                stdout=wanted.stdout,
                stderr=wanted.stderr and not wanted.tty,
            )
        )
        return await bridge(request, url, wanted, forwards_ports=False)

    async def _attach(self, request: Request, rest: list[str]) -> Response:
        worker, container = self._container(rest)
        instance = find.running_instance(worker, container)
        wanted = _wanted(request)
        url = await self._tools.runtime.attach_url(
            cri.AttachRequest(
                container_id=instance.id,
                tty=wanted.tty,
                stdin=wanted.stdin,
                stdout=wanted.stdout,
                stderr=wanted.stderr and not wanted.tty,
            )
        )
        return await bridge(request, url, wanted, forwards_ports=False)

    async def _port_forward(self, request: Request, rest: list[str]) -> Response:
        if len(rest) not in (2, 3):
            raise find.refused(404, "404 page not found")
        worker = find.pod(self._workers.values(), *rest)
        sandbox = worker.observed.ready_sandbox
        if sandbox is None:
            raise find.refused(500, f'pod not found ("{rest[1]}_{rest[0]}")')
        texts = [each for value in request.query.get("ports", []) for each in value.split(",") if each]
        ports = tuple(whole(each) or 0 for each in texts)
        if not all(0 < each < 65536 for each in ports):
            raise find.refused(400, f"invalid ports {','.join(texts)}")
        url = await self._tools.runtime.port_forward_url(sandbox.id)
        return await bridge(request, url, Wanted(ports=ports), forwards_ports=True)

    async def _run(self, request: Request, rest: list[str]) -> Response:
        """One command, its output as the answer."""
        worker, container = self._container(rest)
        instance = find.running_instance(worker, container)
        command = request.query.get("cmd", [])
        words = command[0].split() if len(command) == 1 else command
        done = await self._tools.runtime.exec_sync(instance.id, words, RUN_TIMEOUT_S)
        if done.exit_code:
            raise find.refused(
                500, f"command '{' '.join(words)}' exited with {done.exit_code}: {done.stderr.decode(errors='replace')}"
            )
        return Response(200, [_TEXT], done.stdout + done.stderr)

    def _container(self, rest: list[str]) -> tuple[PodWorker, str]:
        if len(rest) == 3:
            return find.pod(self._workers.values(), rest[0], rest[1]), rest[2]
        if len(rest) == 4:
            return find.pod(self._workers.values(), rest[0], rest[1], rest[2]), rest[3]
        raise find.refused(404, "404 page not found")

    # What is here.

    async def _pods(self, request: Request, rest: list[str]) -> Response:
        items = [{**each.pod, "status": each.status} for each in self._workers.values()]
        return Response(
            200, [_JSON], orjson.dumps({"kind": "PodList", "apiVersion": "v1", "metadata": {}, "items": items})
        )

    async def _running_pods(self, request: Request, rest: list[str]) -> Response:
        items = [each.pod for each in self._workers.values() if each.observed.running()]
        return Response(
            200, [_JSON], orjson.dumps({"kind": "PodList", "apiVersion": "v1", "metadata": {}, "items": items})
        )

    async def _answer_health(self, request: Request) -> Response:
        return answer_health(request, self._counted)

    async def _healthz(self, request: Request, rest: list[str]) -> Response:
        return answer_health(request, self._counted)

    async def _configz(self, request: Request, rest: list[str]) -> Response:
        return Response(200, [_JSON], orjson.dumps({"kubeletconfig": _shown(self._tools.config)}))

    async def _stats(self, request: Request, rest: list[str]) -> Response:
        if rest not in ([], ["summary"]):
            raise find.refused(404, "404 page not found")
        return Response(200, [_JSON], orjson.dumps(await self._numbers.summary()))

    async def _metrics(self, request: Request, rest: list[str]) -> Response:
        if rest == ["resource"]:
            return Response(200, [_METRICS], (await self._numbers.resource_metrics()).encode())
        if rest == ["cadvisor"]:
            return Response(200, [_METRICS], (await self._numbers.container_metrics()).encode())
        if rest == ["probes"]:
            return Response(200, [_METRICS], self._numbers.probe_metrics().encode())
        if rest == ["slis"]:
            return self._counted.slis()
        if rest == []:
            return Response(200, [_METRICS], (await self._numbers.metrics()).encode())
        raise find.refused(404, "404 page not found")


def _log_file(log_path: str) -> Path:
    path = Path(log_path)
    try:
        logs.open_log(path).close()
    except OSError as error:
        text = f"failed to open log file {log_path!r}: open {log_path}: {(error.strerror or '').lower()}"
        raise find.refused(500, text) from error
    return path


def _wanted(request: Request) -> Wanted:
    def wanted(*names: str) -> bool:
        return any(map(request.flag, names))

    return Wanted(
        stdin=wanted("input", "stdin"),
        stdout=wanted("output", "stdout"),
        stderr=wanted("error", "stderr"),
        tty=wanted("tty"),
    )


def _shown(config: KubeletConfig) -> dict[str, object]:
    """The configuration under the names of kubelet.config.k8s.io/v1beta1."""
    return {
        "kind": "KubeletConfiguration",
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "address": config.address,
        "port": config.port,
        "syncFrequency": f"{config.sync_frequency_s:g}s",
        "nodeStatusUpdateFrequency": f"{config.status_update_s:g}s",
        "nodeStatusReportFrequency": f"{config.status_report_s:g}s",
        "nodeLeaseDurationSeconds": config.lease_duration_s,
        "clusterDomain": config.cluster_domain,
        "clusterDNS": list(config.cluster_dns),
        "maxPods": config.max_pods,
        "cgroupRoot": config.cgroup_root,
        "cgroupDriver": "cgroupfs",
        "resolvConf": str(config.resolv_conf),
        "evictionHard": dict(config.eviction_hard),
        "kubeReserved": dict(config.kube_reserved),
        "systemReserved": dict(config.system_reserved),
        "containerLogMaxSize": str(config.log_size_max),
        "containerLogMaxFiles": config.log_files_max,
        "imageGCHighThresholdPercent": config.image_gc_high_percent,
        "imageGCLowThresholdPercent": config.image_gc_low_percent,
        "serializeImagePulls": config.pulls_at_once == 1,
        "staticPodPath": str(config.static_pod_path or ""),
    }


def health_of(healthy: Callable[[], str]) -> health.Health:
    """healthy: what is wrong, "" when nothing.

    source  kubelet's --healthz-port: the checks ping, log, syncloop
    """
    return health.Health({"healthz": {"ping": lambda: "", "log": lambda: "", "syncloop": healthy}})


def answer_health(request: Request, counted: health.Health) -> Response:
    """What everybody on the machine is told."""
    return counted.answer(request) or Response(404, [_TEXT], b"404 page not found\n")
