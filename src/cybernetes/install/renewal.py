"""Renews the certificates of a control plane that runs. Most processes take new files up; the others are started again."""

from __future__ import annotations

import time
from collections.abc import Sequence
from math import inf

from cybernetes.auth.pki import new_key, public_key
from cybernetes.base.clock import SystemClock
from cybernetes.base.errors import EdgeError
from cybernetes.base.private_file import write_private
from cybernetes.base.random import SystemRandom
from cybernetes.install import pki
from cybernetes.install.user_kubeconfig import refresh_in_users
from cybernetes.run import control, files
from cybernetes.run.config import ClusterConfig
from cybernetes.run.layout import Layout
from cybernetes.run.private import exclusive
from cybernetes.run.supervise import ProcessStatus

# A process that takes longer has troubles of its own; the supervisor goes on trying.
AGAIN_WITHIN_S = 30.0


def renew(config: ClusterConfig, layout: Layout) -> list[str]:
    """Write what soon ends anew; names of processes that were started again. A node's are its kubelet's to renew."""
    if config.joined:
        return []
    with exclusive(layout.pki):
        before = _restarting(config, layout)
        admin = layout.admin_kubeconfig.read_bytes()
        pki.Issuer(config, layout).control_plane()
        if layout.admin_kubeconfig.read_bytes() != admin:
            refresh_in_users(layout.admin_kubeconfig)
        after = _restarting(config, layout)
    return restart(layout, [name for name in after if after[name] != before[name]])


def restart(layout: Layout, names: Sequence[str], *, older_than: float = inf) -> list[str]:
    """Start those that run again, one after the other; their names. `apiserver` stands for all of this machine.

    older_than  leave those alone that began later than this, in seconds since the epoch
    """
    try:
        there = control.status(layout.control_socket)
    except EdgeError:
        # Nothing runs: whatever starts next reads the files.
        return []
    now = SystemClock().now()
    older = [each for each in there if now - each.uptime_s < older_than]
    found = [each for name in names for each in older if each.name == name or _is_another(each.name, name)]
    for each in found:
        control.ask(layout.control_socket, f"restart {each.name}")
        _wait_again(layout, each)
    return [each.name for each in found]


def _is_another(process: str, name: str) -> bool:
    return name == "apiserver" and process.startswith("apiserver-")


def _wait_again(layout: Layout, before: ProcessStatus) -> None:
    """Until the process is there anew, so that others like it serve meanwhile."""
    deadline = time.monotonic() + AGAIN_WITHIN_S
    while time.monotonic() < deadline:
        time.sleep(0.05)
        now = [each for each in control.status(layout.control_socket) if each.name == before.name]
        if now and now[0].ready and now[0].pid != before.pid:
            return


def _restarting(config: ClusterConfig, layout: Layout) -> dict[str, bytes]:
    """Process -> the certificate that it reads at its start only."""
    found = {}
    if config.runs_registry:
        found["registry"] = files.registry(layout)
    if config.store.kind == "etcd":
        found["apiserver"] = files.etcd_client(layout)
    return {name: each.certificate.read_bytes() for name, each in found.items() if each.certificate.exists()}


def rotate_account_key(layout: Layout) -> None:
    """Sign tokens with a new key; the former one's public part stays for what it signed."""
    path = files.service_account_key(layout)
    former = files.former_service_account_keys(layout)
    number = max((int(each.stem.rpartition("-")[2]) for each in former), default=0) + 1
    write_private(layout.pki / f"sa-former-{number:04}.pub", public_key(path.read_bytes()))
    write_private(path, new_key(SystemRandom()))
    restart(layout, ["controller-manager"])
