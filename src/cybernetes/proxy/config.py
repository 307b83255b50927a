"""A proxy's configuration: the fields of KubeProxyConfiguration that it has, with upstream's defaults.

source  kubeproxy.config.k8s.io/v1alpha1
"""

from __future__ import annotations

import ipaddress

import msgspec

from cybernetes.proxy.frame import MASQUERADE_BIT

# The longest that rules may be out of step without anybody noticing: rules that others flushed come back.
SYNC_PERIOD_S = 30.0
# Changes that come within this are committed together; 50 transactions a second at most.
SYNC_MIN_S = 0.02
LOOPBACK = "127.0.0.1"
_ALL_ADDRESSES = ("0.0.0.0", "::")


class ProxyConfig(msgspec.Struct, frozen=True, kw_only=True):
    """node: the own node's name.

    cluster_ranges       pods of the whole cluster (detectLocalMode ClusterCIDR); traffic from elsewhere to cluster
                         addresses is masqueraded. Empty: by the node's own pod ranges (NodeCIDR), which say in any case
                         whose traffic external policy Local is not for
    local_interface      instead of ranges: name of the interface pods are behind, `+` at its end for a prefix
    service_ranges       traffic to addresses in here that no service has is dropped
    nodeport_addresses   CIDR texts; "primary": the node's addresses; none, "0.0.0.0/0", "::/0": all local ones
    bind, second_bind    where health is served, the second of a node with addresses of both families; its own is on
                         loopback, too, where metrics stay
    """

    node: str
    mode: str = "nftables"
    cluster_ranges: tuple[str, ...] = ()
    local_interface: str = ""
    service_ranges: tuple[str, ...] = ()
    nodeport_addresses: tuple[str, ...] = ("primary",)
    masquerade_all: bool = False
    masquerade_bit: int = MASQUERADE_BIT
    sync_period_s: float = SYNC_PERIOD_S
    sync_min_s: float = SYNC_MIN_S
    bind: str = "0.0.0.0"
    second_bind: str = ""
    health_port: int = 10256
    metrics_bind: str = LOOPBACK
    metrics_port: int = 10249

    @property
    def binds(self) -> tuple[str, ...]:
        return (self.bind, self.second_bind) if self.second_bind else (self.bind,)

    @property
    def own_health_binds(self) -> tuple[str, ...]:
        """Programs of the node ask at loopback, as anywhere where kube-proxy listens on all addresses."""
        return self.binds if self.bind in (*_ALL_ADDRESSES, LOOPBACK) else (*self.binds, LOOPBACK)

    @property
    def families(self) -> tuple[int, ...]:
        """4, 6 or both: those of the ranges that services have addresses from."""
        return tuple(sorted({ipaddress.ip_network(each).version for each in self.service_ranges})) or (4,)
