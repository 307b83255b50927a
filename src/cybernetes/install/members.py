"""Machines of one control plane, on an etcd that they share: they tell each other of new authorities.

enters   at the machine that leads a rotation: where it is to be (`authority.Target`); at the others: the time
leaves   a Secret with the new authority and its key, sealed with a key that only these machines have (it came with the
         invitation to join, or lies where the first of them made it); a ConfigMap in which each says what it goes by
holds    nothing is adopted but what was sealed by one of them, and follows on what signs here
fails    EdgeError that says what to do; a machine that could not follow tries again
start    follow, publish
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cybernetes.auth.pki import Credential
from cybernetes.base.clock import SystemClock
from cybernetes.base.errors import ApiError, EdgeError, Outcome, Retry
from cybernetes.base.random import SystemRandom
from cybernetes.client.api import ApiClient, if_there, is_reason
from cybernetes.client.kubeconfig import connect
from cybernetes.client.target import CONFIG_MAPS, SECRETS
from cybernetes.install import authority, sealing
from cybernetes.install.authority import Authority, Target
from cybernetes.run import files, published
from cybernetes.run.config import ClusterConfig
from cybernetes.run.layout import Layout
from cybernetes.run.private import exclusive

Object = dict[str, Any]

NAMESPACE, MEMBERS = "kube-system", "cybernetes-control-planes"
# An etcd that several machines share is not ours: its authority is none of these.
SHARED = (authority.CLUSTER, authority.FRONT_PROXY)
_BUNDLE, _CERTIFICATE, _KEY = "bundle.crt", "newest.crt", "newest.key"


def has_others(config: ClusterConfig) -> bool:
    """Whether other machines may belong to the control plane."""
    return not config.joined and config.store.kind == "etcd" and bool(config.store.endpoints)


def name(config: ClusterConfig) -> str:
    """Of this machine among them, as a key of a ConfigMap."""
    return f"{config.api_address}-{config.api_server.port}".replace(":", "-")


def saying(config: ClusterConfig, layout: Layout) -> str:
    """What this machine says of itself: where its API server is, its nodes, and which authorities it goes by."""
    bundles = {each.file: files.of(layout, each.file).certificate.read_bytes() for each in SHARED}
    words = [f"address={config.api_address}", *(f"node={each.name}" for each in config.nodes)]
    return " ".join([*words, *(f"{file}={published.confirmation(bundle)}" for file, bundle in bundles.items())])


def behind(said: Mapping[str, str], own: str, of: Authority, bundle: bytes) -> list[str]:
    """Names of the other machines that have not said that they go by the bundle."""
    wanted = f"{of.file}={published.confirmation(bundle)}"
    return sorted(each for each, what in said.items() if each != own and wanted not in what.split())


def told(said: Mapping[str, str], what: str) -> set[str]:
    """What all say of themselves: each `address`, each `node`."""
    return {
        word.removeprefix(f"{what}=") for each in said.values() for word in each.split() if word.startswith(f"{what}=")
    }


async def all_said(client: ApiClient) -> dict[str, str]:
    found = await _get(client, CONFIG_MAPS, MEMBERS)
    return dict((found or {}).get("data") or {})


async def _said(client: ApiClient, config: ClusterConfig) -> dict[str, str]:
    """By this machine only."""
    return {name(config): (await all_said(client)).get(name(config), "")}


async def say(client: ApiClient, config: ClusterConfig, layout: Layout) -> None:
    """Tell the others what this machine goes by, unless it stands there."""
    own, words = name(config), saying(config, layout)
    if await _said(client, config) != {own: words}:
        metadata = {"name": MEMBERS, "namespace": NAMESPACE}
        # Each machine has its own key: what one applies takes nothing away from another.
        await client.apply(CONFIG_MAPS, {"metadata": metadata, "data": {own: words}}, field_manager=f"cybernetes-{own}")


async def publish(client: ApiClient, layout: Layout, of: Authority, wanted: Target) -> None:
    """Tell the others where to go. Raises EdgeError while they are on their way to somewhere else."""
    secret = await _get(client, SECRETS, _secret(of))
    if secret is not None:
        current = _opened(layout, of, secret)
        if current.newest.certificate != wanted.newest.certificate and authority.left(layout, of, current):
            raise _under_way(of)
    contents = {_BUNDLE: wanted.bundle, _CERTIFICATE: wanted.newest.certificate, _KEY: wanted.newest.key}
    data = sealing.sealed(contents, files.members_key(layout).read_bytes(), SystemRandom())
    made = secret or {"metadata": {"name": _secret(of), "namespace": NAMESPACE}}
    try:
        # Of two machines that begin at once one is told that it was later.
        if secret is None:
            await client.create(SECRETS, {**made, "data": data}, namespace=NAMESPACE)
        else:
            await client.update(SECRETS, {**made, "data": data})
    except ApiError as refusal:
        if refusal.code != 409:
            raise
        raise _under_way(of) from refusal


def _under_way(of: Authority) -> EdgeError:
    why = "another machine leads a rotation; this one goes along: repeat the command in a minute to go on from there"
    return EdgeError("rotate", of.file, why, outcome=Outcome.NOT_DONE, retry=Retry.LATER)


async def withdraw(client: ApiClient, of: Authority) -> None:
    """When all have arrived nobody needs it any more."""
    with if_there():
        await client.delete(SECRETS, _secret(of), namespace=NAMESPACE)


async def follow(config: ClusterConfig, layout: Layout) -> None:
    """Go where another machine of the control plane leads, and say so. Raises EdgeError, ApiError, OSError, ValueError."""
    client = connect(layout.admin_kubeconfig, user_agent="cybernetes-members", clock=SystemClock())
    try:
        for of in SHARED:
            # The machine that leads holds the lock until it has said that it is there itself.
            with exclusive(layout.pki):
                wanted = await _published(client, layout, of)
                if wanted is not None and behind(await _said(client, config), "", of, wanted.bundle):
                    authority.adopt(config, layout, of, wanted)
                await say(client, config, layout)
    finally:
        await client.close()


async def _published(client: ApiClient, layout: Layout, of: Authority) -> Target | None:
    secret = await _get(client, SECRETS, _secret(of))
    return None if secret is None else _opened(layout, of, secret)


def _opened(layout: Layout, of: Authority, secret: Object) -> Target:
    """Raises EdgeError when it is sealed with a key that this machine does not have."""
    try:
        key = files.members_key(layout).read_bytes()
        found = sealing.opened(secret.get("data") or {}, (_BUNDLE, _CERTIFICATE, _KEY), key)
        return Target(found[_BUNDLE], Credential(found[_CERTIFICATE], found[_KEY]))
    except (ValueError, KeyError, OSError) as wrong:
        why = f"{wrong}; machines of one control plane have the same pki/members.key: copy it, or join again"
        raise EdgeError(
            "read", f"{NAMESPACE}/{_secret(of)}", why, outcome=Outcome.NOT_DONE, retry=Retry.NEVER
        ) from wrong


async def _get(client: ApiClient, target: Any, name: str) -> Object | None:
    try:
        return await client.get(target, name, namespace=NAMESPACE)
    except ApiError as refusal:
        if not is_reason(refusal, "NotFound"):
            raise
        return None


def _secret(of: Authority) -> str:
    return f"cybernetes-rotation-{of.file}"
