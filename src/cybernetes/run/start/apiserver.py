"""The API server on its store, behind TLS."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from cybernetes.apiserver.audit.auditor import Auditor
from cybernetes.apiserver.config import ServerConfig
from cybernetes.apiserver.server import ApiServer
from cybernetes.apiserver.summed import told
from cybernetes.auth.tokens import TokenTerms
from cybernetes.base.clock import SystemClock
from cybernetes.base.duration import parse as parse_duration
from cybernetes.base.errors import EdgeError
from cybernetes.base.log import Log
from cybernetes.base.random import SystemRandom
from cybernetes.run import files
from cybernetes.run.config import ClusterConfig
from cybernetes.run.notify import notify_ready
from cybernetes.run.start import Setting
from cybernetes.run.start.access import Access
from cybernetes.run.start.audit import open_audit
from cybernetes.run.start.encryption import Encryption
from cybernetes.run.start.siblings import Siblings
from cybernetes.run.start.store import prepared
from cybernetes.run.start.tracing import OtlpTracer, open_tracer
from cybernetes.store.api import Store
from cybernetes.store.retention import retain
from cybernetes.wire.http.renewed import RenewedTls, signature
from cybernetes.wire.http.server import HttpServer

log = Log("apiserver")

# Requests in flight when the server is told to stop get this long.
DRAIN_S = 5.0
# How often files with keys and certificates are looked at.
FILES_LOOK_S = 5.0


async def serve(setting: Setting) -> None:
    clock, random = SystemClock(), SystemRandom()
    encryption = Encryption(setting, clock, random)
    store = await encryption.open(await _open_store(setting, clock))
    access = Access(setting, clock)
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(retain(store, clock), name="store.retention")
            group.create_task(encryption.run(), name="store.encryption")
            audit = open_audit(setting.config.api_server.extra_args, setting.layout, clock, random)
            ready = {"kms-providers": encryption.check} if encryption.configured else {}
            await access.start()
            config = _server_config(setting, access)
            tracer = _tracer(setting)
            server = ApiServer(store, config, clock, random, audit=audit, tracer=tracer, ready=ready)
            for numbers in (encryption.numbers, *access.files):
                server.core.metrics.registry.register(numbers)
            if setting.config.api_server.processes > 1:
                registry = server.core.metrics.registry
                siblings = Siblings(setting.layout.siblings, lambda: told(registry.collect()))
                group.create_task(siblings.run(), name="apiserver.siblings")
                server.core.metrics.others = siblings.ask
            for each in access.files:
                group.create_task(each.run(), name="apiserver.reload")
            async with _recorded(audit):
                await server.start()
                group.create_task(_follow_files(server, setting, clock), name="apiserver.certificates")
                await _serve(server, setting)
    finally:
        await access.close()
        await store.close()


@asynccontextmanager
async def _recorded(audit: Auditor | None) -> AsyncIterator[None]:
    """Write what is audited meanwhile; at the end, what was not written yet."""
    if audit is None:
        yield
        return
    async with asyncio.TaskGroup() as group:
        writing = group.create_task(audit.run(), name="apiserver.audit")
        try:
            yield
        finally:
            writing.cancel()


async def _serve(server: ApiServer, setting: Setting) -> None:
    config, layout = setting.config.api_server, setting.layout
    certificate = files.api_server(layout)
    # A front proxy shows a certificate of its own authority; which authority makes whom, authentication decides.
    clients = (files.ca(layout).certificate, files.front_proxy_ca(layout).certificate)
    tls = RenewedTls(certificate.certificate, certificate.key, clients, server.core.clock.monotonic)
    http = HttpServer(server.handle)
    try:
        await http.listen(config.bind_address, config.port, tls.context, with_others=config.processes > 1)
        notify_ready()
        await server.wait()
    finally:
        server.begin_shutdown()
        # Load balancers hear of it before connections are refused.
        await server.core.clock.sleep(parse_duration(config.extra_args.shutdown_delay_duration))
        await http.stop(DRAIN_S)
        await server.stop()


def _tracer(setting: Setting) -> OtlpTracer | None:
    path = setting.config.api_server.extra_args.tracing_config_file
    return open_tracer(Path(path)) if path else None


async def _follow_files(server: ApiServer, setting: Setting, clock: SystemClock) -> None:
    """Take up keys, certificates and authorities that were written anew."""
    layout = setting.layout
    pairs = (files.kubelet_client(layout), files.front_proxy_client(layout))
    followed = [
        files.ca(layout).certificate,
        files.front_proxy_ca(layout).certificate,
        files.service_account_key(layout),
        *(path for each in pairs for path in (each.certificate, each.key)),
    ]
    seen = signature(followed)
    while True:
        await clock.sleep(FILES_LOOK_S)
        try:
            found = signature(followed)
            if found != seen:
                access = Access(setting, clock)
                server.renew(_server_config(setting, access))
                seen = found
                log.info("certificates.renewed")
        except (OSError, ValueError, EdgeError) as broken:
            log.warning("certificates.not_renewed", why=str(broken))


async def _open_store(setting: Setting, clock: SystemClock) -> Store:
    if setting.config.store.kind == "etcd":
        from cybernetes.run.start.etcd import open_etcd

        return await open_etcd(setting, clock)
    if setting.config.has_store_process:
        from cybernetes.store.sqlite.shared import SharedStore

        return await SharedStore.open(setting.layout.store, setting.layout.store_socket, clock=clock)
    from cybernetes.store.sqlite.store import SqliteStore

    return await SqliteStore.open(prepared(setting.layout), clock=clock)


def _server_config(setting: Setting, access: Access) -> ServerConfig:
    config, layout, args = setting.config, setting.layout, setting.config.api_server.extra_args
    authorities = files.ca(layout).certificate.read_bytes()
    client = files.kubelet_client(layout)
    return ServerConfig(
        client_authorities=authorities,
        service_account_key=access.signing_key,
        former_keys=access.former_keys,
        front_proxy_authorities=files.front_proxy_ca(layout).certificate.read_bytes(),
        front_proxy_certificate=files.front_proxy_client(layout).certificate.read_bytes(),
        front_proxy_key=files.front_proxy_client(layout).key.read_bytes(),
        issuer=access.issuers[0],
        former_issuers=access.issuers[1:],
        audiences=args.api_audiences,
        tokens=TokenTerms(
            int(parse_duration(args.service_account_max_token_expiration)),
            args.service_account_extend_token_expiration,
        ),
        others=access.authentication.others,
        order=access.authorization.order,
        kubelet_authorities=authorities,
        kubelet_certificate=client.certificate.read_bytes(),
        kubelet_key=client.key.read_bytes(),
        advertise=f"{config.api_address}:{config.api_server.port}",
        service_ranges=config.network.service_ranges,
        request_timeout_s=parse_duration(args.request_timeout),
        max_requests_inflight=_share(args.max_requests_inflight, config),
        max_mutating_requests_inflight=_share(args.max_mutating_requests_inflight, config),
        components={name: url for name, url in config.serving.health().items() if config.runs(name)},
        shared_store=config.shares_store,
        catches_up=config.has_store_process,
        # An API server alone has the objects of Kubernetes only: nodes, and what runs on them, come with controllers.
        own_components=config.runs("controller-manager"),
        # Autoscalers are what needs it; an API server alone has no nodes.
        resource_metrics=config.runs("controller-manager"),
    )


def _share(seats: int, config: ClusterConfig) -> int:
    """What one of the processes may have under way, of what the flag says for all of them together."""
    return max(1, seats // config.api_server.processes) if seats else 0
