"""An API server in memory and a kubelet on a real containerd, in one process."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

from tests.e2e.kubelet.testbed import PAUSE, SHELL, Testbed

from cybernetes.apiserver.config import ServerConfig
from cybernetes.apiserver.server import ApiServer, InProcessTransport
from cybernetes.auth import pki
from cybernetes.auth.user import AUTHENTICATED, NODE_PREFIX, NODES, User
from cybernetes.base.clock import SystemClock
from cybernetes.base.errors import ApiError
from cybernetes.base.random import SystemRandom
from cybernetes.client.api import ApiClient
from cybernetes.client.target import EVENTS, PODS, SERVICE_ACCOUNTS
from cybernetes.install.pki import render_kubeconfig
from cybernetes.kubelet.config import KubeletConfig
from cybernetes.kubelet.loop import Kubelet
from cybernetes.kubelet.runtime.cri import CriRuntime
from cybernetes.store.memory import MemoryStore
from cybernetes.wire.http.server import HttpServer
from cybernetes.wire.http.tls import server_context

NODE = "node-a"
KUBECTL = str(Path(sys.executable).parent / "kubectl")
CLOCK = SystemClock()
Object = dict[str, Any]

__all__ = ["CLOCK", "NODE", "PAUSE", "SHELL", "Cluster", "cluster", "pod"]


class Cluster:
    def __init__(
        self, admin: ApiClient, node: ApiClient, testbed: Testbed, config: KubeletConfig, kubeconfig: Path
    ) -> None:
        self.kubeconfig = kubeconfig
        self.admin = admin
        self.node = node
        self.testbed = testbed
        self.config = config
        self.kubelet: Kubelet | None = None
        # How long a test waits for what should come soon, where it says nothing else.
        self.patience_s = 60.0
        self._task: asyncio.Task[None] | None = None
        self._runtime: CriRuntime | None = None

    def start_kubelet(self) -> None:
        self._runtime = CriRuntime(str(self.testbed.socket))
        self.kubelet = Kubelet(self.node, self._runtime, CLOCK, SystemRandom(), self.config)
        self._task = asyncio.get_running_loop().create_task(self.kubelet.run(), name="kubelet")

    async def stop_kubelet(self) -> None:
        if self._task is None or self._runtime is None:
            return
        self._task.cancel()
        with suppress(asyncio.CancelledError):
            await self._task
        await self._runtime.close()
        self._task = None

    async def kubectl(
        self, *arguments: str, stdin: bytes = b"", timeout_s: float = 120, settings: dict[str, str] | None = None
    ) -> tuple[int, str, str]:
        """(exit code, standard output, standard error) of the real client; settings go to its environment."""
        process = await asyncio.create_subprocess_exec(
            KUBECTL,
            "--kubeconfig",
            str(self.kubeconfig),
            *arguments,
            env={**os.environ, **(settings or {})},
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        async with asyncio.timeout(timeout_s):
            out, err = await process.communicate(stdin)
        return process.returncode or 0, out.decode(), err.decode()

    async def create(self, manifest: Object) -> Object:
        return await self.admin.create(PODS, manifest, namespace="default")

    async def get(self, name: str) -> Object:
        return await self.admin.get(PODS, name, namespace="default")

    async def until(self, name: str, holds: Callable[[Object], bool], timeout_s: float | None = None) -> Object:
        """The pod once `holds` of it is true."""
        last: Object = {}
        try:
            async with asyncio.timeout(timeout_s or self.patience_s):
                while True:
                    with suppress(ApiError):
                        last = await self.get(name)
                        if holds(last):
                            return last
                    if self._task is not None and self._task.done():
                        self._task.result()
                    await asyncio.sleep(0.01)
        except TimeoutError:
            raise AssertionError(f"{name}: {last.get('status')}\n{await self.events(name)}") from None

    async def until_true(self, holds: Callable[[], bool], timeout_s: float = 60) -> None:
        deadline = CLOCK.monotonic() + timeout_s
        while not holds():
            assert CLOCK.monotonic() < deadline, "it did not come true"
            await asyncio.sleep(0.05)

    async def appeared(self, name: str, timeout_s: float = 60) -> None:
        """Wait until there is a pod of this name."""
        async with asyncio.timeout(timeout_s):
            while True:
                with suppress(ApiError):
                    await self.get(name)
                    return
                await asyncio.sleep(0.02)

    async def said(self, name: str, reason: str) -> None:
        """Wait for an event."""
        async with asyncio.timeout(self.patience_s):
            while True:
                if reason in [each[1] for each in await self.events(name)]:
                    return
                await asyncio.sleep(0.02)

    async def gone(self, name: str, timeout_s: float | None = None) -> None:
        async with asyncio.timeout(timeout_s or self.patience_s):
            while True:
                try:
                    await self.get(name)
                except ApiError as error:
                    assert error.code == 404
                    return
                await asyncio.sleep(0.01)

    async def delete(self, name: str, grace_s: int | None = None) -> None:
        await self.admin.delete(PODS, name, namespace="default", grace_s=grace_s)

    async def clear(self) -> None:
        """Delete all pods, and wait until nothing of them is left: tests share a containerd."""
        if self._task is None:
            return
        for each in (await self.admin.list(PODS, namespace="default")).objects():
            await self.delete(each["metadata"]["name"], grace_s=1)
        kubelet = self.kubelet
        assert kubelet is not None
        await self.until_true(lambda: not kubelet.workers, self.patience_s)

    async def events(self, name: str) -> list[tuple[str, str, str]]:
        page = await self.admin.list(EVENTS, namespace="default")
        about = [each for each in page.objects() if each["involvedObject"]["name"] == name]
        return [(each["type"], each["reason"], each["message"]) for each in about]


class _Files:
    """Certificates and kubeconfig on disk."""

    def __init__(self, root: Path, authority: pki.Credential, serving: pki.Credential) -> None:
        self.ca, self.certificate, self.key = root / "ca.crt", root / "node.crt", root / "node.key"
        self.kubeconfig = root / "kubeconfig"
        self.ca.write_bytes(authority.certificate)
        self.certificate.write_bytes(serving.certificate)
        self.key.write_bytes(serving.key)

    def write_kubeconfig(self, server: str, authority: pki.Credential, client: pki.Credential) -> None:
        self.kubeconfig.write_bytes(render_kubeconfig("test", server, authority.certificate, "admin", client))


@asynccontextmanager
async def cluster(testbed: Testbed, **settings: Any) -> AsyncIterator[Cluster]:
    random = SystemRandom()
    terms = pki.Terms(random=random, now=CLOCK.now(), lifetime_s=86400)
    authority = pki.ca("test", terms)
    to_kubelet = pki.client(authority, "kube-apiserver-kubelet-client", ["system:masters"], terms)
    server = ApiServer(
        MemoryStore(CLOCK),
        ServerConfig(
            client_authorities=authority.certificate,
            service_account_key=pki.new_key(random),
            kubelet_authorities=authority.certificate,
            kubelet_certificate=to_kubelet.certificate,
            kubelet_key=to_kubelet.key,
        ),
        CLOCK,
        random,
    )
    await server.start()
    await server.ready()
    admin = ApiClient(InProcessTransport(server), user_agent="test", clock=CLOCK)
    user = User(f"{NODE_PREFIX}{NODE}", groups=(NODES, AUTHENTICATED))
    node = ApiClient(InProcessTransport(server, user), user_agent="kubelet", clock=CLOCK)
    with suppress(ApiError):
        await admin.create(SERVICE_ACCOUNTS, {"metadata": {"name": "default"}}, namespace="default")
    serving = pki.serving(authority, NODE, terms, names=[NODE, "localhost"], addresses=["10.77.0.1", "127.0.0.1"])
    files = _Files(testbed.root, authority, serving)
    http = HttpServer(server.handle)
    port = await http.listen("127.0.0.1", 0, server_context(files.certificate, files.key, authority.certificate))
    client = pki.client(authority, "admin", ["system:masters"], terms)
    files.write_kubeconfig(f"https://127.0.0.1:{port}", authority, client)
    config = KubeletConfig(
        node_name=NODE,
        node_ip="127.0.0.1",
        root_dir=testbed.root / "kubelet",
        pod_log_dir=testbed.root / "pods",
        container_log_dir=testbed.root / "containers",
        cgroup_root=testbed.cgroup_root,
        cluster_dns=("10.96.0.10",),
        serving_cert=files.certificate,
        serving_key=files.key,
        client_ca=files.ca,
        **settings,
    )
    running = Cluster(admin, node, testbed, config, files.kubeconfig)
    running.start_kubelet()
    try:
        yield running
        await running.clear()
    finally:
        await running.stop_kubelet()
        await http.stop(0.1)
        await server.stop()


def pod(name: str, *command: str, **spec: Any) -> Object:
    """A pod of one container `c` that runs a shell line; `container` in `spec` adds to that container."""
    container = {"name": "c", "image": SHELL, "imagePullPolicy": "IfNotPresent", **spec.pop("container", {})}
    if command:
        container["command"] = ["sh", "-c", *command]
    return {
        "metadata": {"name": name},
        "spec": {"nodeName": NODE, "containers": [container], "automountServiceAccountToken": False, **spec},
    }
