"""Replaces an authority of the cluster while the cluster runs, in three steps on every machine of the control plane.

begin    there is a new authority; everything trusts both
switch   the new one signs; every certificate of the authority is made anew. The API server's comes with the new
         authority's certificate by the former, so that programs which know only the former go on
finish   only the new one is trusted

Each step leaves a cluster that works; what was interrupted is repeated from where it is. `install.rotation` leads a
machine through them, `install.members` takes the others along.
"""

from __future__ import annotations

from math import inf
from pathlib import Path

import msgspec

from cybernetes.auth import pki
from cybernetes.auth.pki import Credential
from cybernetes.base.clock import SystemClock
from cybernetes.base.errors import EdgeError, Outcome, Retry
from cybernetes.base.private_file import write_private
from cybernetes.base.random import SystemRandom
from cybernetes.install import pki as machine
from cybernetes.install.renewal import restart
from cybernetes.install.user_kubeconfig import refresh_in_users
from cybernetes.run import files
from cybernetes.run.config import ClusterConfig
from cybernetes.run.layout import Layout

STEPS = ("begin", "switch", "finish")


class Authority(msgspec.Struct, frozen=True):
    """file: its name below pki/; the first certificate in it signs, all of them are trusted.

    bridged    the server's certificate that shows a bridge meanwhile; "" for none
    restarted  processes that read the authority at their start only, in the order in which they start again
    """

    name: str
    file: str
    subject: str
    bridged: str = ""
    restarted: tuple[str, ...] = ()


CLUSTER = Authority("cluster", "ca", "cybernetes-ca", "apiserver", ("controller-manager", "registry"))
# Who speaks for users at aggregated API servers; those read it in the ConfigMap extension-apiserver-authentication.
FRONT_PROXY = Authority("front-proxy", "front-proxy-ca", "front-proxy-ca")
ETCD = Authority("etcd", "etcd-ca", "etcd-ca", restarted=("etcd", "apiserver"))
AUTHORITIES = {each.name: each for each in (CLUSTER, FRONT_PROXY, ETCD)}


class Target(msgspec.Struct, frozen=True):
    """Where a rotation is to be. bundle: what is trusted then, who signs first. newest: the authority that comes."""

    bundle: bytes
    newest: Credential


def next_step(layout: Layout, of: Authority = CLUSTER) -> str:
    if _next(layout, of).key.exists():
        return "switch" if _is_bundle(layout, of) else "begin"
    return "finish" if _is_bundle(layout, of) else "begin"


def is_under_way(layout: Layout, of: Authority) -> bool:
    return _next(layout, of).key.exists() or _is_bundle(layout, of)


def target(layout: Layout, of: Authority, step: str) -> Target:
    """Where this machine is after its next step. The new authority is made when there is none yet."""
    own, following = files.of(layout, of.file), _next(layout, of)
    if step == "begin":
        _ensure_next(layout, of)
        new = following.read()
        return Target(_with(own.certificate.read_bytes(), new.certificate), new)
    if step == "switch":
        new = following.read()
        return Target(new.certificate + _former(own, new), new)
    current = pki.bundle(own.certificate.read_bytes())[0]
    return Target(current, Credential(current, own.key.read_bytes()))


def adopt(config: ClusterConfig, layout: Layout, of: Authority, wanted: Target) -> None:
    """Take the steps that lead to the target, whatever of them was done already. Raises EdgeError for another cluster's."""
    steps = left(layout, of, wanted)
    if steps and steps[0] != "finish":
        _put_next(layout, of, wanted.newest)
    for each in steps:
        _STEPS[each](config, layout, of)
    if not steps:
        complete(config, layout, of)


def complete(config: ClusterConfig, layout: Layout, of: Authority) -> None:
    """What a step that was interrupted behind the file by which it is known would have done further."""
    machine.ensure(config, layout)
    written = max(path.stat().st_mtime for path in layout.pki.iterdir())
    _taken_up(layout, of, older_than=written)


def left(layout: Layout, of: Authority, wanted: Target) -> tuple[str, ...]:
    """Steps between this machine and the target. Raises EdgeError when no steps lead from what signs here to it."""
    own, trusted = pki.bundle(files.of(layout, of.file).certificate.read_bytes()), pki.bundle(wanted.bundle)
    new = wanted.newest.certificate
    if own[0] not in trusted:
        why = (
            "it is none that follows on the one of this machine; was the machine away during a rotation? join it again"
        )
        raise EdgeError("follow", f"the authority {of.file}", why, outcome=Outcome.NOT_DONE, retry=Retry.NEVER)
    until = 3 if len(trusted) == 1 else 2 if trusted[0] == new else 1
    if new not in own:
        done = 0
    elif len(own) == 1:
        done = 3
    else:
        done = 2 if own[0] == new and not _next(layout, of).key.exists() else 1
    return STEPS[done:until]


def begin(config: ClusterConfig, layout: Layout, of: Authority = CLUSTER) -> None:
    _ensure_next(layout, of)
    _bridge(layout, of).unlink(missing_ok=True)
    own = files.of(layout, of.file)
    _trust(config, layout, of, _with(own.certificate.read_bytes(), _next(layout, of).certificate.read_bytes()))


def switch(config: ClusterConfig, layout: Layout, of: Authority = CLUSTER) -> None:
    own, following, bridge = files.of(layout, of.file), _next(layout, of), _bridge(layout, of)
    new = following.read()
    old = _former(own, new)
    if of.bridged and not bridge.exists():
        # Before the key that signs it is replaced.
        terms = pki.Terms(SystemClock().now(), SystemRandom(), pki.CA_LIFETIME_S)
        write_private(bridge, pki.cross(Credential(old, own.key.read_bytes()), new, terms))
    own.write(Credential(new.certificate + old, new.key))
    machine.ensure(config, layout)
    if of.bridged:
        serving = files.of(layout, of.bridged).certificate
        write_private(serving, pki.bundle(serving.read_bytes())[0] + bridge.read_bytes())
    # The key first: as long as it is there the step is repeated, and needs the bridge.
    for path in (following.key, following.certificate, bridge):
        path.unlink(missing_ok=True)
    _taken_up(layout, of)


def finish(config: ClusterConfig, layout: Layout, of: Authority = CLUSTER) -> None:
    if of.bridged:
        serving = files.of(layout, of.bridged).certificate
        write_private(serving, pki.bundle(serving.read_bytes())[0])
    _trust(config, layout, of, pki.bundle(files.of(layout, of.file).certificate.read_bytes())[0])
    for path in (_next(layout, of).certificate, _bridge(layout, of)):
        path.unlink(missing_ok=True)


_STEPS = {"begin": begin, "switch": switch, "finish": finish}


def _ensure_next(layout: Layout, of: Authority) -> None:
    now, following = SystemClock().now(), _next(layout, of)
    if not following.key.exists():
        terms = pki.Terms(now, SystemRandom(), pki.CA_LIFETIME_S)
        _put_next(layout, of, pki.ca(f"{of.subject}-{int(now)}", terms))


def _put_next(layout: Layout, of: Authority, newest: Credential) -> None:
    """The key last: by it the next authority is known to be there."""
    following = _next(layout, of)
    write_private(following.certificate, newest.certificate)
    write_private(following.key, newest.key)


def _with(bundle: bytes, certificate: bytes) -> bytes:
    return bundle if certificate in pki.bundle(bundle) else bundle + certificate


def _former(own: files.CertificateFiles, new: Credential) -> bytes:
    return next(each for each in pki.bundle(own.certificate.read_bytes()) if each != new.certificate)


def _next(layout: Layout, of: Authority) -> files.CertificateFiles:
    return files.of(layout, f"{of.file}-next")


def _bridge(layout: Layout, of: Authority) -> Path:
    return layout.pki / f"{of.file}-bridge.crt"


def _is_bundle(layout: Layout, of: Authority) -> bool:
    return len(pki.bundle(files.of(layout, of.file).certificate.read_bytes())) > 1


def _trust(config: ClusterConfig, layout: Layout, of: Authority, authorities: bytes) -> None:
    write_private(files.of(layout, of.file).certificate, authorities)
    machine.ensure(config, layout)
    _taken_up(layout, of)


def _taken_up(layout: Layout, of: Authority, *, older_than: float = inf) -> None:
    if of is CLUSTER:
        refresh_in_users(layout.admin_kubeconfig)
    restart(layout, of.restarted, older_than=older_than)
