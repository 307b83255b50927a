"""A machine that joined goes by the authority that the cluster publishes, also while that is replaced.

It trusts the whole bundle, has its certificates signed by the bundle's first authority, and says so at its Node:
`cybernetes certs rotate-ca` forgets the former authority when all nodes have said it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import msgspec

from cybernetes.auth import pki
from cybernetes.base.clock import Clock
from cybernetes.base.errors import ApiError, EdgeError
from cybernetes.base.log import Log
from cybernetes.base.private_file import write_private
from cybernetes.base.random import Random
from cybernetes.base.tasks import backoff, periodic
from cybernetes.client import kubeconfig
from cybernetes.client.api import ApiClient, PatchType
from cybernetes.client.informer import Informer
from cybernetes.client.reflector import Selection
from cybernetes.client.target import CONFIG_MAPS, NODES
from cybernetes.run import files, published
from cybernetes.run.start import Setting
from cybernetes.run.start.rotation import Rotation

log = Log("kubelet.authority")

# A Node that was made anew has lost what was said at it.
LOOK_S = 60.0
RETRY_FIRST_S, RETRY_LIMIT_S = 1.0, 60.0
_SELECTION = Selection(published.NAMESPACE, fields=f"metadata.name={published.CLUSTER_INFO}")


class Seen(msgspec.Struct, frozen=True):
    """published, trusted: bundles. certificates: those of this node by name. said: the Node's annotation, "" for none."""

    published: bytes
    trusted: bytes
    certificates: Mapping[str, bytes]
    said: str


class Trust(msgspec.Struct, frozen=True):
    bundle: bytes


class Renew(msgspec.Struct, frozen=True):
    name: str


class Say(msgspec.Struct, frozen=True):
    confirmation: str


Action = Trust | Renew | Say


def plan(seen: Seen) -> list[Action]:
    """What comes next; one kind of step at a time, because each rests on the one before."""
    if seen.trusted != seen.published:
        return [Trust(seen.published)]
    stale = [name for name, own in seen.certificates.items() if not pki.is_issued_by(own, seen.published)]
    if stale:
        return [Renew(name) for name in stale]
    confirmation = published.confirmation(seen.published)
    return [] if seen.said == confirmation else [Say(confirmation)]


# To trust, to renew, to say it.
_STEPS = 3


class Follower:
    """client: asks as the kubelet. rotations: of the node's certificates, by the names of their files."""

    def __init__(
        self, client: ApiClient, setting: Setting, rotations: Mapping[str, Rotation], clock: Clock, random: Random
    ) -> None:
        self._client = client
        self._setting = setting
        self._rotations = rotations
        self._clock = clock
        self._random = random
        self._informer = Informer(
            client, CONFIG_MAPS, msgspec.json.decode, clock=clock, random=random, selection=_SELECTION
        )
        self._look = asyncio.Event()
        self._informer.on_change(lambda key, old, new: self._look.set())

    async def run(self) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(self._informer.run(), name="kubelet.authority.informer")
            group.create_task(periodic(self._clock, LOOK_S, self._wake), name="kubelet.authority.again")
            await self._follow()

    async def _wake(self) -> None:
        self._look.set()

    async def _follow(self) -> None:
        attempt = 0
        while True:
            await self._look.wait()
            self._look.clear()
            try:
                await self.settle()
                attempt = 0
            except (ApiError, EdgeError, OSError, ValueError) as failed:
                log.warning("authority.not_followed", why=str(failed))
                pause_s = backoff(attempt, first_s=RETRY_FIRST_S, limit_s=RETRY_LIMIT_S, random=self._random)
                attempt += 1
                await self._clock.sleep(pause_s)
                self._look.set()

    async def settle(self) -> None:
        """Go by what is published now. Raises EdgeError, ApiError, OSError, ValueError when that can't be."""
        for found in list(self._informer.items.values()):
            bundle = published.authority(found)
            for _ in range(_STEPS):
                for action in plan(await self._see(bundle)):
                    await self._apply(action)
            if left := plan(await self._see(bundle)):
                raise EdgeError("follow", "the cluster's authority", f"{len(left)} steps are left")

    async def _see(self, bundle: bytes) -> Seen:
        layout, node = self._setting.layout, await self._client.get(NODES, self._setting.own_node.name)
        return Seen(
            published=bundle,
            trusted=files.ca(layout).certificate.read_bytes(),
            certificates={name: files.of(layout, name).certificate.read_bytes() for name in self._rotations},
            said=(node["metadata"].get("annotations") or {}).get(published.CONFIRMED, ""),
        )

    async def _apply(self, action: Action) -> None:
        match action:
            case Trust(bundle):
                await self._trust(bundle)
            case Renew(name):
                await self._rotations[name].rotate()
            case Say(confirmation):
                patch = {"metadata": {"annotations": {published.CONFIRMED: confirmation}}}
                await self._client.patch(NODES, self._setting.own_node.name, patch, PatchType.MERGE)
                log.info("authority.followed", bundle=confirmation)

    async def _trust(self, bundle: bytes) -> None:
        """The authority's file is written last: it stands for all of them."""
        layout, name = self._setting.layout, self._setting.own_node.name
        await self._try(bundle)
        for component in ("kubelet", "proxy", "dns"):
            path = layout.kubeconfig(f"{component}-{name}")
            if path.exists():
                kubeconfig.write(path, _trusting(kubeconfig.load([path]), bundle))
        write_private(files.ca(layout).certificate, bundle)
        log.info("authority.trusted", bundle=published.confirmation(bundle))

    async def _try(self, bundle: bytes) -> None:
        """Raises EdgeError when the API server is none of the bundle's: who took it would be alone."""
        path = self._setting.layout.kubeconfig(f"kubelet-{self._setting.own_node.name}")
        access = msgspec.structs.replace(kubeconfig.access(kubeconfig.load([path])), authority=bundle)
        client = ApiClient(kubeconfig.transport(access), user_agent="kubelet", clock=self._clock)
        try:
            await client.get(NODES, self._setting.own_node.name)
        finally:
            await client.close()


def _trusting(config: dict[str, Any], bundle: bytes) -> dict[str, Any]:
    access = msgspec.structs.replace(kubeconfig.access(config), authority=bundle)
    return kubeconfig.build(access, name=config["clusters"][0]["name"], user=config["users"][0]["name"])
