"""A node's certificates, asked for anew before they end: the kubelet's own, and those of the components beside it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import msgspec

from cybernetes.auth import pki
from cybernetes.auth.pki import Credential
from cybernetes.base.clock import Clock
from cybernetes.base.errors import ApiError, EdgeError
from cybernetes.base.log import Log
from cybernetes.base.random import Random
from cybernetes.base.tasks import backoff
from cybernetes.client import certificates, kubeconfig
from cybernetes.client.api import ApiClient
from cybernetes.client.certificates import CLIENT, KUBELET_CLIENT, KUBELET_SERVING, Wanted
from cybernetes.run import files
from cybernetes.run.start import Setting

log = Log("kubelet.certificates")

# Between these parts of its life a certificate is asked for anew, as upstream's kubelet does: not all nodes at once.
EARLIEST, SPREAD = 0.7, 0.2
# A clock may be set, a file may be written by somebody else.
LOOK_S = 3600.0
RETRY_FIRST_S, RETRY_LIMIT_S = 10.0, 300.0


def due(certificate: bytes, random: Random) -> float:
    """When a certificate (PEM) is to be asked for anew, in seconds since the epoch."""
    starts, ends = pki.validity(certificate)
    return starts + (ends - starts) * (EARLIEST + SPREAD * random.below(1000) / 1000)


class Rotated(msgspec.Struct, frozen=True):
    """One certificate. use: what is done with a new one, besides writing it."""

    where: files.CertificateFiles
    wanted: Wanted
    use: Callable[[Credential], None] = lambda credential: None


class Rotation:
    """client: asks as the kubelet."""

    def __init__(self, client: ApiClient, rotated: Rotated, clock: Clock, random: Random) -> None:
        self._client = client
        self._rotated = rotated
        self._clock = clock
        self._random = random
        # A key and its certificate are two files: only one may be at it.
        self._rotating = asyncio.Lock()

    async def run(self) -> None:
        attempt = 0
        at, known = 0.0, b""
        while True:
            try:
                current = self._rotated.where.certificate.read_bytes()
                if current != known:
                    at, known = due(current, self._random), current
                left_s = at - self._clock.now()
                if left_s > 0:
                    await self._clock.sleep(min(left_s, LOOK_S))
                    continue
                await self.rotate()
                attempt = 0
            except (ApiError, EdgeError, OSError, ValueError) as failed:
                pause_s = backoff(attempt, first_s=RETRY_FIRST_S, limit_s=RETRY_LIMIT_S, random=self._random)
                attempt += 1
                log.warning("certificate.not_rotated", user=self._rotated.wanted.user, why=str(failed))
                await self._clock.sleep(pause_s)

    async def rotate(self) -> None:
        """Ask for it now. Raises EdgeError when nobody signs it, ApiError when it may not be asked for."""
        wanted, where = self._rotated.wanted, self._rotated.where
        async with self._rotating:
            got = await certificates.obtain(self._client, wanted, self._clock, self._random)
            where.write(got)
            self._rotated.use(got)
        log.info("certificate.rotated", user=wanted.user, signer=wanted.signer)


def of_node(setting: Setting) -> list[Rotated]:
    """The certificates that a node's kubelet cares for."""
    layout, node = setting.layout, setting.own_node
    user = f"system:node:{node.name}"
    nodes = ("system:nodes",)
    serving = Wanted(KUBELET_SERVING, user, nodes, (node.name,), (node.address,))
    found = [
        _of_kubeconfig(setting, f"kubelet-{node.name}", Wanted(KUBELET_CLIENT, user, nodes)),
        Rotated(files.kubelet_serving(layout, node.name), serving),
    ]
    for component, name in (("proxy", "system:kube-proxy"), ("dns", "system:cybernetes:dns")):
        found.append(_of_kubeconfig(setting, f"{component}-{node.name}", Wanted(CLIENT, name)))
    return [each for each in found if each.where.certificate.exists()]


def _of_kubeconfig(setting: Setting, name: str, wanted: Wanted) -> Rotated:
    path = setting.layout.kubeconfig(name)
    return Rotated(files.of(setting.layout, f"client-{name}"), wanted, lambda got: _put(path, got))


def _put(path: Path, credential: Credential) -> None:
    """Write the kubeconfig with another certificate; its client takes it up."""
    config = kubeconfig.load([path])
    access = kubeconfig.access(config)
    renewed = msgspec.structs.replace(access, certificate=credential.certificate, key=credential.key)
    name, user = config["clusters"][0]["name"], config["users"][0]["name"]
    kubeconfig.write(path, kubeconfig.build(renewed, name=name, user=user))
