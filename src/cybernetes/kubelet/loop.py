"""The kubelet: pods of this node from the API, one worker for each, and everything around them.

Relisting the runtime is the truth; its event stream only makes it early.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path

import orjson

from cybernetes.base.clock import Clock
from cybernetes.base.errors import EdgeError
from cybernetes.base.log import Log
from cybernetes.base.random import Random
from cybernetes.client.api import ApiClient
from cybernetes.client.events import EventRecorder
from cybernetes.client.informer import Informer, key_of
from cybernetes.client.reflector import Selection
from cybernetes.client.target import NODES, PODS, SERVICES
from cybernetes.kubelet import node_status, observe, orphans, pods
from cybernetes.kubelet.admit import Admission, Around
from cybernetes.kubelet.care import Care
from cybernetes.kubelet.config import KubeletConfig
from cybernetes.kubelet.credentials import PodCertificates, TrustBundles
from cybernetes.kubelet.env import Service, ServicePort
from cybernetes.kubelet.exits import Exits
from cybernetes.kubelet.follow import Follower
from cybernetes.kubelet.host import Host, LinuxHost
from cybernetes.kubelet.launch import wait_or
from cybernetes.kubelet.node import NodeReporter
from cybernetes.kubelet.observe import Rows
from cybernetes.kubelet.pods import Object
from cybernetes.kubelet.prober import Prober, Probing
from cybernetes.kubelet.puller import Puller
from cybernetes.kubelet.runtime.api import Runtime
from cybernetes.kubelet.serve.access import Access
from cybernetes.kubelet.serve.server import KubeletServer
from cybernetes.kubelet.sources import ObjectReader, Tokens
from cybernetes.kubelet.static_pods import StaticPods
from cybernetes.kubelet.status import NodeFacts
from cybernetes.kubelet.status_writer import StatusWriter
from cybernetes.kubelet.tools import Tools
from cybernetes.kubelet.verdict import Verdict
from cybernetes.kubelet.volumes.image import ImageVolumes
from cybernetes.kubelet.volumes.setup import Volumes
from cybernetes.kubelet.worker import PodWorker

# With the event stream a relist only catches what the stream lost; without it, it is all there is.
RELIST_WITH_HINTS_S = 5.0
RELIST_ALONE_S = 1.0
# Hints that come in a burst share one relist.
HINT_GATHER_S = 0.01
HINT_RETRY_S = 1.0
# How often the file of the cluster's authorities is looked at.
AUTHORITIES_LOOK_S = 10.0
RUNTIME_WAIT_S = 30.0
HOUSEKEEPING_S = 60.0

_log = Log("kubelet")


class Kubelet:
    def __init__(
        self,
        client: ApiClient,
        runtime: Runtime,
        clock: Clock,
        random: Random,
        config: KubeletConfig,
        host: Host | None = None,
        prober: Probing | None = None,
    ) -> None:
        self._client = client
        self._runtime = runtime
        self._clock = clock
        self._random = random
        self._config = config
        self._host: Host = host if host is not None else LinuxHost(config)
        self._prober: Probing = prober if prober is not None else Prober(runtime, clock)
        selection = Selection(fields=f"spec.nodeName={config.node_name}")
        self._pods = Informer[Object](client, PODS, orjson.loads, clock=clock, random=random, selection=selection)
        own = Selection(fields=f"metadata.name={config.node_name}")
        self._nodes = Informer[Object](client, NODES, orjson.loads, clock=clock, random=random, selection=own)
        self._services = Informer[Service](client, SERVICES, service_of, clock=clock, random=random)
        self._rows: dict[str, Rows] = {}
        self._relist_now = asyncio.Event()
        self._hints_live = False
        self._relisted_at = clock.monotonic()
        self._cleaning: set[str] = set()
        self._finished: set[str] = set()
        self.workers: dict[str, PodWorker] = {}

    async def run(self) -> None:
        """Until cancelled. Containers go on running afterwards."""
        async with self._tools() as tools:
            care = Care(tools, self.workers)
            reporter = NodeReporter(tools, care.pressures.now, self._trouble)
            group = tools.group
            group.create_task(tools.events.run(), name="kubelet.events")
            group.create_task(tools.statuses.run(), name="kubelet.statuses")
            group.create_task(self._services.run(), name="kubelet.services")
            await self._wait_for_runtime()
            around = Around(self._active_pods, care.pressures.now, self._node, self._room_was_made, self._end)
            admission = Admission(tools, around)
            static = StaticPods(
                tools,
                lambda pod: self._begin(tools, admission, pod),
                lambda pod: self._remove(tools, pod),
                lambda: reporter.node_uid,
            )
            # Before anything is asked of the API server: static pods may be what it runs in.
            exits = Exits(self._clock, group, self.workers, self._relist_now.set)
            group.create_task(self._follow_hints(exits), name="kubelet.hints")
            group.create_task(self._relist_for_ever(tools), name="kubelet.relist")
            if self._config.static_pod_path is not None:
                group.create_task(static.run(self._config.static_pod_path), name="kubelet.static")
            if self._config.register_node:
                await reporter.register()
            await self._listen(tools)
            group.create_task(reporter.run(), name="kubelet.node")
            group.create_task(reporter.run_lease(), name="kubelet.lease")
            group.create_task(care.run(), name="kubelet.care")
            await self._services.wait_synced()
            if self._config.register_node:
                self._nodes.on_change(lambda key, old, new: reporter.see(new))
                group.create_task(self._nodes.run(), name="kubelet.own-node")
                await self._nodes.wait_synced()
            self._pods.on_change(lambda key, old, new: self._mirrored(static, old, new))
            self._pods.on_change(lambda key, old, new: self._changed(tools, admission, old, new))
            group.create_task(self._pods.run(), name="kubelet.pods")
            await self._pods.wait_synced()
            self._relist_now.set()
            group.create_task(self._housekeeping(tools), name="kubelet.housekeeping")

    @asynccontextmanager
    async def _tools(self) -> AsyncIterator[Tools]:
        facts = self._host.facts()
        reader = ObjectReader(self._client, self._clock)
        tokens = Tokens(self._client, self._clock, self._random)
        puller = Puller(self._runtime, self._clock, at_once=self._config.pulls_at_once)
        image_volumes = ImageVolumes(self._runtime, puller, self._config.pod_dir)
        events = EventRecorder(self._client, component="kubelet", clock=self._clock, host=self._config.node_name)
        try:
            async with asyncio.TaskGroup() as group:
                yield Tools(
                    client=self._client,
                    runtime=self._runtime,
                    host=self._host,
                    clock=self._clock,
                    random=self._random,
                    config=self._config,
                    facts=facts,
                    node=NodeFacts(self._config.node_ips),
                    allocatable=node_status.allocatable(self._config, facts),
                    events=events,
                    statuses=StatusWriter(self._client, self._clock, self._random),
                    prober=self._prober,
                    puller=puller,
                    reader=reader,
                    follower=Follower(self._client, reader, self._clock, self._random, group, self._refresh),
                    tokens=tokens,
                    volumes=Volumes(
                        self._host,
                        reader,
                        tokens,
                        PodCertificates(self._client, self._clock, self._random, self._config.node_name),
                        TrustBundles(self._client),
                        image_volumes,
                        self._clock,
                        self._random,
                    ),
                    services=lambda: list(self._services.items.values()),
                    group=group,
                )
        finally:
            await self._prober.close()

    async def _listen(self, tools: Tools) -> None:
        """Open port 10250, when there are certificates to serve with."""
        config = self._config
        if config.client_ca is None or config.serving_cert is None or config.serving_key is None:
            _log.warning("server.off", why="no serving certificate or client authority is configured")
            return
        access = Access(self._client, config.client_ca.read_bytes(), config.node_name, self._clock)
        server = KubeletServer(tools, access, self.workers, lambda: ", ".join(self._trouble()))
        port = await server.listen()
        await server.listen_health()
        tools.group.create_task(_until_cancelled(server), name="kubelet.server")
        tools.group.create_task(self._follow_authorities(access, config.client_ca), name="kubelet.authorities")
        _log.info("server.listening", address=config.address, port=port)

    async def _follow_authorities(self, access: Access, path: Path) -> None:
        """The cluster's authority may be replaced while the node runs."""
        seen = await asyncio.to_thread(path.read_bytes)
        while True:
            await self._clock.sleep(AUTHORITIES_LOOK_S)
            try:
                found = await asyncio.to_thread(path.read_bytes)
                if found != seen:
                    access.trust(found)
                    seen = found
            except (OSError, ValueError) as broken:
                _log.warning("authorities.not_renewed", path=str(path), why=str(broken))

    async def _wait_for_runtime(self) -> None:
        deadline = self._clock.monotonic() + RUNTIME_WAIT_S
        while self._clock.monotonic() < deadline:
            try:
                await self._runtime.version()
                return
            except EdgeError as error:
                _log.warning("runtime.unreached", why=error.message)
                await self._clock.sleep(HINT_RETRY_S)

    def _trouble(self) -> tuple[str, ...]:
        silent_s = self._clock.monotonic() - self._relisted_at
        if silent_s > 180:
            return (f"PLEG is not healthy: pleg was last seen active {silent_s:.0f}s ago; threshold is 3m0s",)
        return ()

    # Pods of the API.

    @staticmethod
    def _mirrored(static: StaticPods, old: Object | None, new: Object | None) -> None:
        if any(each is not None and pods.is_mirror(each) for each in (old, new)):
            static.see_mirror(old, new)

    def _changed(self, tools: Tools, admission: Admission, old: Object | None, new: Object | None) -> None:
        if old is not None and (new is None or pods.uid(old) != pods.uid(new)):
            self._finished.discard(pods.uid(old))
            self._remove(tools, old)
        if new is None or pods.is_mirror(new):
            return
        uid = pods.uid(new)
        tools.statuses.see(new)
        worker = self.workers.get(uid)
        if worker is not None:
            worker.update(new)
        elif uid not in self._finished:
            self._begin(tools, admission, new)

    def _node(self) -> Object | None:
        return next(iter(self._nodes.items.values()), None)

    def _active_pods(self) -> list[Object]:
        return [each.pod for each in self.workers.values() if each.active]

    def _end(self, pod: Object, verdict: Verdict) -> None:
        self.workers[pods.uid(pod)].condemn(verdict)

    def _room_was_made(self) -> None:
        """Pods that wait for more of the node look again."""
        for worker in self.workers.values():
            if worker.waits_for_room:
                worker.wake.set()

    def _refresh(self, uid: str) -> None:
        """Something that the pod is made from has changed."""
        if uid in self.workers:
            self.workers[uid].refresh()

    def _remove(self, tools: Tools, pod: Object) -> None:
        worker = self.workers.get(pods.uid(pod))
        if worker is not None:
            worker.remove()
        else:
            tools.statuses.forget(pods.uid(pod))

    def _begin(self, tools: Tools, admission: Admission, pod: Object) -> None:
        worker = PodWorker(tools, pod, admission)
        self.workers[pods.uid(pod)] = worker
        tools.group.create_task(
            self._work(worker), name=f"pod.{pod['metadata']['namespace']}/{pod['metadata']['name']}"
        )

    async def _work(self, worker: PodWorker) -> None:
        await worker.run()
        uid = pods.uid(worker.pod)
        del self.workers[uid]
        # Until the watch shows that it is gone; finalizers may keep it for long.
        meta = worker.pod["metadata"]
        known = self._pods.items.get(key_of(meta["namespace"], meta["name"]))
        if known is not None and pods.uid(known) == uid:
            self._finished.add(uid)

    # What the runtime has.

    async def _follow_hints(self, exits: Exits) -> None:
        while True:
            try:
                async with aclosing(self._runtime.hints()) as hints:  # type: ignore[type-var]
                    self._hints_live = True
                    self._relist_now.set()
                    async for hint in hints:
                        exits.announce(hint.id)
            except EdgeError as error:
                _log.warning("hints.lost", why=error.message)
            self._hints_live = False
            self._relist_now.set()
            await self._clock.sleep(HINT_RETRY_S)

    async def _relist_for_ever(self, tools: Tools) -> None:
        while True:
            self._relist_now.clear()
            try:
                await self._relist(tools)
            except EdgeError as error:
                _log.warning("relist.failed", why=error.message)
                await self._clock.sleep(RELIST_ALONE_S)
                continue
            await wait_or(self._relist_now, RELIST_WITH_HINTS_S if self._hints_live else RELIST_ALONE_S)
            if self._relist_now.is_set():
                await self._clock.sleep(HINT_GATHER_S)

    async def _relist(self, tools: Tools) -> None:
        rows = observe.group(await self._runtime.list_sandboxes(), await self._runtime.list_containers())
        changed = observe.changed(self._rows, rows)
        self._rows = rows
        self._relisted_at = self._clock.monotonic()
        for uid in changed:
            if uid in self.workers:
                self.workers[uid].wake.set()
        if not self._pods.synced:
            # What looks like an orphan may be a pod that has not been heard of yet.
            return
        for uid in sorted(rows.keys() - self.workers.keys() - self._cleaning):
            self._cleaning.add(uid)
            tools.group.create_task(self._clean(tools, uid, rows[uid]), name=f"orphan.{uid}")

    async def _clean(self, tools: Tools, uid: str, rows: Rows) -> None:
        try:
            await orphans.remove(tools, uid, rows)
        except EdgeError as error:
            _log.warning("orphan.kept", uid=uid, why=error.message)
            await self._clock.sleep(RELIST_WITH_HINTS_S)
        finally:
            self._cleaning.discard(uid)

    async def _housekeeping(self, tools: Tools) -> None:
        """Folders and cgroups of pods that nobody knows any more."""
        while True:
            try:
                await orphans.sweep(tools, self.workers.keys() | self._rows.keys())
            except EdgeError as error:
                _log.warning("housekeeping.failed", why=error.message)
            await self._clock.sleep(HOUSEKEEPING_S)


async def _until_cancelled(server: KubeletServer) -> None:
    try:
        await asyncio.Event().wait()
    finally:
        await server.stop()


def service_of(item: bytes) -> Service:
    """What environments need of a Service's JSON."""
    obj = orjson.loads(item)
    spec = obj.get("spec") or {}
    ports = tuple(
        ServicePort(each.get("name", ""), each.get("protocol") or "TCP", int(each["port"]))
        for each in spec.get("ports") or ()
    )
    meta = obj["metadata"]
    return Service(meta["namespace"], meta["name"], spec.get("clusterIP") or "", ports)
