"""Replaces the cluster's certificate authority while the cluster runs, in three steps.

begin    there is a new authority; everything trusts both
switch   the new one signs; every certificate is made anew. The API server's comes with the new authority's certificate
         by the former, so that programs which know only the former go on
finish   only the new one is trusted

Each step leaves a cluster that works; what was interrupted is repeated from where it is. Before and after each step
machines that joined have to have said that they go by what is trusted here.
"""

from __future__ import annotations

from cybernetes.auth import pki
from cybernetes.base.clock import SystemClock
from cybernetes.base.random import SystemRandom
from cybernetes.client.kubeconfig import connect
from cybernetes.install import agreement
from cybernetes.install import pki as machine
from cybernetes.install.renewal import refresh_users, restart
from cybernetes.run import files
from cybernetes.run.config import ClusterConfig
from cybernetes.run.layout import Layout
from cybernetes.run.private import write_private

# Processes that read the authority at their start only.
RESTARTED = ("controller-manager", "registry")
STEPS = ("begin", "switch", "finish")


def next_step(layout: Layout) -> str:
    if _next(layout).key.exists():
        return "switch" if _is_bundle(layout) else "begin"
    return "finish" if _is_bundle(layout) else "begin"


def begin(config: ClusterConfig, layout: Layout) -> None:
    now, following = SystemClock().now(), _next(layout)
    if not following.key.exists():
        machine.put(following, pki.ca(f"cybernetes-ca-{int(now)}", pki.Terms(now, SystemRandom(), pki.CA_LIFETIME_S)))
    old = files.ca(layout).certificate.read_bytes()
    _trust(config, layout, old + following.certificate.read_bytes())


def switch(config: ClusterConfig, layout: Layout) -> None:
    own, following, bridge = files.ca(layout), _next(layout), layout.pki / "ca-bridge.crt"
    new = following.read()
    old = next(each for each in pki.bundle(own.certificate.read_bytes()) if each != new.certificate)
    if not bridge.exists():
        # Before the key that signs it is replaced.
        terms = pki.Terms(SystemClock().now(), SystemRandom(), pki.CA_LIFETIME_S)
        write_private(bridge, pki.cross(pki.Credential(old, own.key.read_bytes()), new, terms))
    write_private(own.key, new.key)
    write_private(own.certificate, new.certificate + old)
    machine.ensure(config, layout)
    serving = files.api_server(layout).certificate
    write_private(serving, pki.bundle(serving.read_bytes())[0] + bridge.read_bytes())
    for path in (bridge, following.key, following.certificate):
        path.unlink()
    _taken_up(layout)


def finish(config: ClusterConfig, layout: Layout) -> None:
    serving = files.api_server(layout).certificate
    write_private(serving, pki.bundle(serving.read_bytes())[0])
    _trust(config, layout, pki.bundle(files.ca(layout).certificate.read_bytes())[0])


async def go_along(config: ClusterConfig, layout: Layout) -> None:
    """Have machines that joined go by what is trusted here. Raises EdgeError with the names of those that don't."""
    clock, bundle = SystemClock(), files.ca(layout).certificate.read_bytes()
    client = connect(layout.admin_kubeconfig, user_agent="cybernetes-certs", clock=clock)
    try:
        await agreement.alone(client, config)
        await agreement.publish(client, config, bundle)
        await agreement.reached(client, config, bundle, clock)
    finally:
        await client.close()


def _next(layout: Layout) -> files.CertificateFiles:
    return files.of(layout, "ca-next")


def _is_bundle(layout: Layout) -> bool:
    return len(pki.bundle(files.ca(layout).certificate.read_bytes())) > 1


def _trust(config: ClusterConfig, layout: Layout, authorities: bytes) -> None:
    write_private(files.ca(layout).certificate, authorities)
    machine.ensure(config, layout)
    _taken_up(layout)


def _taken_up(layout: Layout) -> None:
    refresh_users(layout)
    restart(layout, list(RESTARTED))
