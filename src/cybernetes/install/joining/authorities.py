"""Hands the cluster's authorities from one machine of the control plane to another.

They lie in a Secret for as long as the token is valid, sealed with a key that only the printed command has: neither the
API nor its store ever knows them.
"""

from __future__ import annotations

from typing import Any

import msgspec

from cybernetes.base.errors import ApiError, EdgeError, Outcome, Retry
from cybernetes.base.private_file import write_private
from cybernetes.base.random import Random
from cybernetes.client.api import ApiClient
from cybernetes.client.target import SECRETS
from cybernetes.install import sealing
from cybernetes.install.joining.invitation import JOINERS, MANAGER, readable
from cybernetes.run.config import ClusterConfig, NodeConfig
from cybernetes.run.layout import Layout

Object = dict[str, Any]

NAME, NAMESPACE = "cybernetes-authorities", "kube-system"
CONTROL_PLANES = "system:bootstrappers:cybernetes:control-planes"
GROUPS = (JOINERS, CONTROL_PLANES)
# What every API server of a cluster must share; all else each machine makes for itself.
SHARED_FILES = (
    *("ca.crt", "ca.key", "front-proxy-ca.crt", "front-proxy-ca.key", "etcd-ca.crt", "etcd-ca.key"),
    *("apiserver-etcd-client.crt", "apiserver-etcd-client.key", "sa.key", "secrets.key"),
    "members.key",
)
_CONFIG = "config.yaml"


def why_not(config: ClusterConfig) -> str:
    """What keeps a cluster from having several machines of the control plane; "" for nothing."""
    if config.store.kind == "etcd" and config.store.endpoints:
        return ""
    return (
        "the state is on this machine; several control planes share an etcd: "
        "put `store: {kind: etcd, endpoints: [HOST:2379]}` into a ClusterConfig, then: cybernetes up --config FILE"
    )


async def publish(
    client: ApiClient, config: ClusterConfig, layout: Layout, owner: Object, key: bytes, random: Random
) -> None:
    """Seal the authorities into a Secret that goes with the token's (`owner`)."""
    files = {name: (layout.pki / name).read_bytes() for name in SHARED_FILES if (layout.pki / name).exists()}
    data = sealing.sealed(files | {_CONFIG: msgspec.yaml.encode(config)}, key, random)
    of = owner["metadata"]
    reference = {"apiVersion": "v1", "kind": "Secret", "name": of["name"], "uid": of["uid"]}
    metadata = {"name": NAME, "namespace": NAMESPACE, "ownerReferences": [reference]}
    await client.apply(SECRETS, {"metadata": metadata, "data": data}, field_manager=MANAGER)
    for target, obj in readable(SECRETS, NAMESPACE, NAME, {"kind": "Group", "name": CONTROL_PLANES}):
        await client.apply(target, obj, field_manager=MANAGER)


async def fetch(client: ApiClient, layout: Layout, node: NodeConfig, key: bytes) -> ClusterConfig:
    """Write the authorities; the configuration of this machine as one of the control plane."""
    try:
        secret = await client.get(SECRETS, NAME, namespace=NAMESPACE)
        contents = sealing.opened(secret["data"], (*SHARED_FILES, _CONFIG), key)
    except ApiError as refusal:
        why = f"{refusal.message}; make another invitation with: cybernetes token create --control-plane"
        raise _refused(why) from refusal
    except ValueError as wrong:
        raise _refused(f"the key is of another invitation ({wrong})") from wrong
    config = msgspec.yaml.decode(contents.pop(_CONFIG), type=ClusterConfig)
    for name, content in contents.items():
        write_private(layout.pki / name, content)
    return as_member(config, node)


def as_member(config: ClusterConfig, node: NodeConfig) -> ClusterConfig:
    """The configuration of another machine of the same control plane."""
    api_server = msgspec.structs.replace(config.api_server, bind_address="0.0.0.0", advertise_address=node.address)
    host = config.registry_address if config.registry else ""
    return msgspec.structs.replace(config, api_server=api_server, nodes=(node,), registry_host=host)


def _refused(why: str) -> EdgeError:
    return EdgeError("join", "the control plane", why, outcome=Outcome.NOT_DONE, retry=Retry.NEVER)
