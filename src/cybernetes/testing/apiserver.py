"""A real API server on a loopback port.

    with running_apiserver(folder) as api: ...              in its own thread and loop
    async with serving_apiserver(folder) as api: ...        in the caller's loop

`api.url`, `api.ca`, `api.certificate`, `api.key` (PEM), `api.server`; `api.kubeconfig()`; `api.files(folder)` writes them;
`api.transport()` is a client.Transport as the administrator.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import msgspec

from cybernetes.apiserver.config import ServerConfig
from cybernetes.apiserver.server import ApiServer
from cybernetes.auth import pki
from cybernetes.base.clock import SystemClock
from cybernetes.base.random import SystemRandom
from cybernetes.install.pki import render_kubeconfig
from cybernetes.store.api import Store
from cybernetes.store.memory import MemoryStore
from cybernetes.wire.http.client import HttpTransport
from cybernetes.wire.http.server import HttpServer
from cybernetes.wire.http.tls import client_context, server_context

# It takes half a second, and much longer on a machine that is busy with other tests.
START_TIMEOUT_S = 60


class RunningApi(msgspec.Struct):
    url: str
    ca: bytes
    certificate: bytes
    key: bytes
    server: ApiServer
    authority: pki.Credential

    def transport(self) -> HttpTransport:
        return HttpTransport(self.url, client_context(self.ca, self.certificate, self.key))

    def transport_as(self, name: str, *groups: str) -> HttpTransport:
        """A client with a certificate of its own."""
        terms = pki.Terms(SystemClock().now(), SystemRandom())
        who = pki.client(self.authority, name, groups, terms)
        return HttpTransport(self.url, client_context(self.ca, who.certificate, who.key))

    def kubeconfig(self) -> bytes:
        """For the administrator."""
        credential = pki.Credential(self.certificate, self.key)
        return render_kubeconfig("test", self.url, self.ca, "kubernetes-admin", credential)

    def files(self, folder: Path) -> tuple[Path, Path, Path]:
        """CA, certificate and key of the administrator, as files."""
        paths = folder / "ca.crt", folder / "admin.crt", folder / "admin.key"
        for path, data in zip(paths, (self.ca, self.certificate, self.key), strict=True):
            path.write_bytes(data)
        return paths


@contextlib.asynccontextmanager
async def serving_apiserver(
    folder: Path, *, store: Store | None = None, port: int = 0, kubelet_ca: bytes = b""
) -> AsyncIterator[RunningApi]:
    """Serve in this loop until the block ends. `folder` takes the serving certificate."""
    clock, random = SystemClock(), SystemRandom()
    terms = pki.Terms(clock.now(), random)
    authority = pki.ca("test-ca", terms)
    serving = pki.serving(authority, "kube-apiserver", terms, names=("localhost",), addresses=("127.0.0.1",))
    admin = pki.client(authority, "kubernetes-admin", ("system:masters",), terms)
    kubelet = pki.client(authority, "kube-apiserver-kubelet-client", ("system:masters",), terms)
    certificate, key = _write(folder, serving)
    config = ServerConfig(
        client_authorities=authority.certificate,
        service_account_key=pki.new_key(random),
        kubelet_authorities=kubelet_ca,
        kubelet_certificate=kubelet.certificate,
        kubelet_key=kubelet.key,
    )
    server = ApiServer(store or MemoryStore(clock), config, clock, random)
    await server.start()
    http = HttpServer(server.handle)
    bound = await http.listen("127.0.0.1", port, server_context(certificate, key, authority.certificate))
    url = f"https://127.0.0.1:{bound}"
    try:
        yield RunningApi(url, authority.certificate, admin.certificate, admin.key, server, authority)
    finally:
        server.begin_shutdown()
        await http.stop(grace_s=2)
        await server.stop()


def _write(folder: Path, serving: pki.Credential) -> tuple[Path, Path]:
    folder.mkdir(parents=True, exist_ok=True)
    certificate, key = folder / "serving.crt", folder / "serving.key"
    certificate.write_bytes(serving.certificate)
    key.write_bytes(serving.key)
    return certificate, key


@contextlib.contextmanager
def running_apiserver(folder: Path) -> Iterator[RunningApi]:
    """Serve in a thread with its own loop until the block ends."""
    started: list[RunningApi] = []
    ready, stop = threading.Event(), threading.Event()

    async def serve() -> None:
        try:
            async with serving_apiserver(folder) as api:
                await api.server.ready()
                started.append(api)
                ready.set()
                await asyncio.to_thread(stop.wait)
        finally:
            ready.set()

    thread = threading.Thread(target=lambda: asyncio.run(serve()), name="apiserver", daemon=True)
    thread.start()
    ready.wait(START_TIMEOUT_S)
    assert started, "the API server did not start"
    try:
        yield started[0]
    finally:
        stop.set()
        thread.join(START_TIMEOUT_S)
