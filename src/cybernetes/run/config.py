"""The cluster's configuration: one file, decoded strictly; every field has a default and a reason.

`cybernetes up` writes the file below the data directory; flags of `up` change it, components read it.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec

from cybernetes.base.errors import EdgeError, Outcome, Retry
from cybernetes.base.private_file import write_private
from cybernetes.run.apiserver_args import ApiServerArgs

COMPONENTS = ("apiserver", "controller-manager", "scheduler", "kubelet", "proxy", "network", "dns")
CONTROL_PLANE = ("apiserver", "controller-manager", "scheduler")
# Each hears of every write: beyond so many they are busy with each other's.
PROCESSES_MAX = 16


class _Section(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, rename="camel"):
    """Unknown keys are errors: a misspelt field must not silently be a default."""


class ApiServerConfig(_Section, frozen=True):
    """bind_address: where it listens. advertise_address: where nodes and pods reach it; "" for the bind address.

    endpoint: HOST or HOST:PORT that leads to any of several API servers (a name, or a load balancer's address), which
    nodes and people use then; "" where there is one
    processes: how many API servers share port and store on this machine; each has caches of its own
    """

    bind_address: str = "127.0.0.1"
    advertise_address: str = ""
    port: int = 6443
    endpoint: str = ""
    processes: Annotated[int, msgspec.Meta(ge=1, le=PROCESSES_MAX)] = 1
    # Further names and addresses that its certificate is valid for.
    extra_names: tuple[str, ...] = ()
    extra_args: ApiServerArgs = ApiServerArgs()


class StoreConfig(_Section, frozen=True):
    """kind sqlite: one file, one machine. kind etcd: `endpoints`, or one started here when there are none."""

    kind: Literal["sqlite", "etcd"] = "sqlite"
    endpoints: tuple[str, ...] = ()


class ServingConfig(_Section, frozen=True):
    """Where scheduler and controller manager serve their health and metrics over HTTPS; port 0: nowhere."""

    bind_address: str = "127.0.0.1"
    scheduler_port: int = 10259
    controller_manager_port: int = 10257

    def health(self) -> dict[str, str]:
        """By component: the URL at which this machine reaches what it serves."""
        ports = {"controller-manager": self.controller_manager_port, "scheduler": self.scheduler_port}
        host = bracketed(_OWN.get(self.bind_address, self.bind_address))
        return {name: f"https://{host}:{port}" for name, port in ports.items() if port}


# How this machine reaches what listens on all of its addresses.
_OWN = {"0.0.0.0": "127.0.0.1", "::": "::1"}


class NetworkConfig(_Section, frozen=True):
    """service_range, pod_range: a range, or two with a comma between, one of each address family.

    The first is the cluster's own family: that of the Services `kubernetes` and `kube-dns`, and of every Service that
    does not ask for another one. Services have only families that pods have too.
    node_mask_size, node_mask_size_ipv6: what a node gets of the pods' range of IPv4, and of that of IPv6
    """

    service_range: str = "10.96.0.0/12"
    pod_range: str = "10.244.0.0/16"
    # Pods of one node: a /24 has room for 254 addresses, above the 250 pods a node may run.
    node_mask_size: int = 24
    node_mask_size_ipv6: int = 64
    cluster_domain: str = "cluster.local"
    proxy_mode: Literal["nftables", "iptables"] = "nftables"

    def __post_init__(self) -> None:
        services, pods = _families("serviceRange", self.service_ranges), _families("podRange", self.pod_ranges)
        if not set(services) <= set(pods):
            raise ValueError(f"serviceRange {self.service_range}: podRange {self.pod_range} has no such family")
        if ipaddress.ip_network(self.service_ranges[0]).num_addresses < _SERVICES_MIN:
            raise ValueError(f"serviceRange {self.service_ranges[0]}: must have {_SERVICES_MIN} addresses or more")
        for whole, mask in self.node_parts:
            size = ipaddress.ip_network(whole).prefixlen
            if not size <= mask <= size + _NODES_BITS_MAX:
                raise ValueError(f"podRange {whole}: can't be divided into ranges of /{mask}, one for each node")

    @property
    def service_ranges(self) -> tuple[str, ...]:
        return tuple(self.service_range.split(","))

    @property
    def pod_ranges(self) -> tuple[str, ...]:
        return tuple(self.pod_range.split(","))

    @property
    def node_parts(self) -> tuple[tuple[str, int], ...]:
        """(range of all pods, mask size of a node's part), one a family."""
        masks = {4: self.node_mask_size, 6: self.node_mask_size_ipv6}
        return tuple((each, masks[ipaddress.ip_network(each).version]) for each in self.pod_ranges)

    @property
    def families(self) -> tuple[int, ...]:
        """4, 6 or both: those that pods have, the first one first."""
        return tuple(ipaddress.ip_network(each).version for each in self.pod_ranges)

    @property
    def dns_address(self) -> str:
        """The tenth address of the service range, as installers of Kubernetes choose it."""
        return str(ipaddress.ip_network(self.service_ranges[0])[10])

    @property
    def kubernetes_address(self) -> str:
        return str(ipaddress.ip_network(self.service_ranges[0])[1])


# DNS has the tenth address of the range.
_SERVICES_MIN = 16
# Parts of a range are numbered; upstream has as many at most.
_NODES_BITS_MAX = 16


def _families(name: str, ranges: Sequence[str]) -> Sequence[int]:
    """Raises ValueError unless it is one range, or one of each family."""
    try:
        found = [ipaddress.ip_network(each).version for each in ranges]
    except ValueError as wrong:
        raise ValueError(f"{name}: {wrong}") from wrong
    if len(found) > len(set(found)):
        raise ValueError(f"{name} {','.join(ranges)}: at most one range of each address family")
    return found


def dual_stack(network: NetworkConfig) -> NetworkConfig:
    """With ranges of the other family behind those of the one family that it has."""
    if len(network.service_ranges) > 1:
        return network
    had = network.families[0]
    services, pods = _OTHER_RANGES[had]
    pod_range = network.pod_range if len(network.pod_ranges) > 1 else f"{network.pod_range},{pods}"
    return msgspec.structs.replace(network, service_range=f"{network.service_range},{services}", pod_range=pod_range)


# IPv6 as kind has it: unique local addresses, a /64 for each of 256 nodes.
_OTHER_RANGES = {4: ("fd00:10:96::/112", "fd00:10:244::/56"), 6: ("10.96.0.0/12", "10.244.0.0/16")}


class NodeConfig(_Section, frozen=True):
    """One node on this machine. network: its network namespace; "" for the machine's own.

    second_address  of the other family, where pods have both; "" for none: pods in the node's network have one then
    """

    name: str
    address: str
    second_address: str = ""
    network: str = ""
    max_pods: int = 250

    @property
    def addresses(self) -> tuple[str, ...]:
        return (self.address, self.second_address) if self.second_address else (self.address,)


class ClusterConfig(_Section, frozen=True):
    kind: Literal["ClusterConfig"] = "ClusterConfig"
    name: str = "cybernetes"
    api_server: ApiServerConfig = ApiServerConfig()
    store: StoreConfig = StoreConfig()
    network: NetworkConfig = NetworkConfig()
    serving: ServingConfig = ServingConfig()
    nodes: tuple[NodeConfig, ...] = ()
    # A KubeSchedulerConfiguration; what it leaves out has Kubernetes' defaults.
    scheduler: dict[str, Any] = {}
    # Which components run here; empty for all.
    only: tuple[str, ...] = ()
    # A registry for images of one's own; on this machine unless `registryHost` names the one where it is.
    registry: bool = True
    registry_host: str = ""
    # Whether the control plane is on another machine, at `api_server`; there is no authority on this one then.
    joined: bool = False
    log_level: Literal["debug", "info", "warning", "error"] = "info"

    def runs(self, component: str) -> bool:
        return not self.only or component in self.only

    @property
    def shares_store(self) -> bool:
        """Whether an API server must expect that others write too."""
        return self.store.kind == "etcd" or self.has_store_process

    @property
    def has_store_process(self) -> bool:
        """Whether the store's file is written by a process of its own, because several API servers use it."""
        return self.store.kind == "sqlite" and self.api_server.processes > 1

    @property
    def api_address(self) -> str:
        return self.api_server.advertise_address or self.api_server.bind_address

    @property
    def api_host(self) -> str:
        """HOST:PORT of `server_url`."""
        return self.server_url.removeprefix("https://")

    @property
    def server_url(self) -> str:
        """Where nodes and people reach the API."""
        host, _, port = self.api_server.endpoint.partition(":")
        return f"https://{host or bracketed(self.api_address)}:{port or self.api_server.port}"

    @property
    def is_loopback_only(self) -> bool:
        """Whether no other machine can reach the API server."""
        return not self.api_server.endpoint and self.api_address in ("127.0.0.1", "::1")

    @property
    def registry_address(self) -> str:
        return self.registry_host or self.api_address

    @property
    def runs_registry(self) -> bool:
        return self.registry and not self.registry_host


def bracketed(address: str) -> str:
    """As it stands before a port."""
    return f"[{address}]" if ":" in address else address


def read(path: Path) -> ClusterConfig:
    """The configuration in a file. Raises EdgeError that names the field that is wrong."""
    try:
        return msgspec.yaml.decode(path.read_bytes(), type=ClusterConfig)
    except FileNotFoundError as missing:
        raise _unusable(path, "there is no such file; `cybernetes up` writes it") from missing
    except msgspec.MsgspecError as wrong:
        raise _unusable(path, str(wrong)) from wrong


def write(path: Path, config: ClusterConfig) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_private(path, msgspec.yaml.encode(config))


def _unusable(path: Path, why: str) -> EdgeError:
    return EdgeError("read configuration", str(path), why, outcome=Outcome.NOT_DONE, retry=Retry.NEVER)
