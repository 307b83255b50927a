"""From an address, a token and a hash to a cluster that can be trusted, and what a node must know of it."""

from __future__ import annotations

from urllib.parse import urlsplit

import msgspec

from cybernetes.auth import pki
from cybernetes.base.clock import Clock
from cybernetes.base.errors import ApiError, EdgeError, Outcome, Retry
from cybernetes.client.api import ApiClient
from cybernetes.client.kubeconfig import Access, transport
from cybernetes.client.target import CONFIG_MAPS
from cybernetes.install.joining import invitation
from cybernetes.run import published
from cybernetes.run.config import ApiServerConfig, ClusterConfig, NetworkConfig, NodeConfig

# Of the components those that a machine runs which only is a node.
COMPONENTS = ("kubelet", "proxy", "network", "dns")
_DEFAULT_PORT = 6443


class Found(msgspec.Struct, frozen=True):
    """access: as the holder of the token. config: of this machine as a node of the cluster."""

    access: Access
    config: ClusterConfig


async def discover(server: str, token: str, authority_hash: str, node: NodeConfig, clock: Clock) -> Found:
    """Raises EdgeError when the server can't be reached, is another one, or does not take the token."""
    server = with_port(server)
    authority = _vouched_for(await _authorities(server, clock), authority_hash)
    if not authority:
        raise _refused(server, "its authority has another hash; compare with: cybernetes token create")
    access = Access(server=server, authority=authority, token=token)
    client = ApiClient(transport(access), user_agent="cybernetes-join", clock=clock)
    try:
        found = await client.get(CONFIG_MAPS, invitation.CLUSTER_CONFIG, namespace="kube-system")
    except ApiError as refusal:
        why = "it does not take the token; make another with: cybernetes token create"
        raise _refused(server, why if refusal.code == 401 else refusal.message) from refusal
    finally:
        await client.close()
    return Found(access, configuration(server, found["data"][invitation.SHARED], node))


def with_port(server: str) -> str:
    """`https://HOST:PORT` of what a person writes: with or without scheme and port."""
    parts = urlsplit(server if "://" in server else f"https://{server}")
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    return f"https://{host}:{parts.port or _DEFAULT_PORT}"


def configuration(server: str, shared: str, node: NodeConfig) -> ClusterConfig:
    """The configuration of a machine that is a node of the cluster at `server`."""
    told = msgspec.yaml.decode(shared, type=invitation.Shared)
    parts = urlsplit(server)
    return ClusterConfig(
        name=told.name,
        joined=True,
        only=COMPONENTS,
        nodes=(node,),
        network=msgspec.convert(told.network, NetworkConfig),
        registry=bool(told.registry_host),
        registry_host=told.registry_host,
        api_server=ApiServerConfig(advertise_address=parts.hostname or "", port=parts.port or _DEFAULT_PORT),
    )


def _vouched_for(authorities: bytes, authority_hash: str) -> bytes:
    """That one which has the hash; b"" for none. Those beside it could be anybody's: the node gets them over TLS."""
    return next((each for each in pki.bundle(authorities) if invitation.authority_hash(each) == authority_hash), b"")


async def _authorities(server: str, clock: Clock) -> bytes:
    """What the server says its authorities are: to be compared before anything secret is sent."""
    client = ApiClient(transport(Access(server=server, verify=False)), user_agent="cybernetes-join", clock=clock)
    try:
        return published.authority(await client.get(CONFIG_MAPS, published.CLUSTER_INFO, namespace=published.NAMESPACE))
    except ValueError as broken:
        raise _refused(server, str(broken)) from broken
    except ApiError as refusal:
        raise _refused(
            server, f"nobody is invited ({refusal.message}); type there: cybernetes token create"
        ) from refusal
    finally:
        await client.close()


def _refused(server: str, why: str) -> EdgeError:
    return EdgeError("join", server, why, outcome=Outcome.NOT_DONE, retry=Retry.NEVER)
