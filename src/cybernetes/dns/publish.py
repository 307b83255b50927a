"""Tells the cluster where DNS is: the Service `kube-dns`, and this node's server as one of its endpoints."""

from __future__ import annotations

import ipaddress
from typing import Any

from cybernetes.client.api import ApiClient
from cybernetes.client.target import ENDPOINT_SLICES, NODES, SERVICES
from cybernetes.dns.config import DnsConfig

NAMESPACE = "kube-system"
SERVICE = "kube-dns"
MANAGER = "cybernetes-dns"
_PORTS = (("dns", "UDP"), ("dns-tcp", "TCP"))


async def publish(client: ApiClient, config: DnsConfig) -> None:
    """Apply both; all nodes' servers apply the same Service. Raises ApiError, EdgeError."""
    node = await client.get(NODES, config.node)
    await client.apply(SERVICES, service(config), field_manager=MANAGER)
    await client.apply(ENDPOINT_SLICES, endpoint_slice(config, node["metadata"]["uid"]), field_manager=MANAGER)


def service(config: DnsConfig) -> dict[str, Any]:
    """Without a selector: its endpoints are processes of ours. A node's pods ask the server of the node, if it has one."""
    return {
        "metadata": {
            "name": SERVICE,
            "namespace": NAMESPACE,
            "labels": {"k8s-app": "kube-dns", "kubernetes.io/cluster-service": "true", "kubernetes.io/name": "CoreDNS"},
        },
        "spec": {
            "clusterIP": config.service_address,
            "clusterIPs": [config.service_address],
            "trafficDistribution": "PreferSameNode",
            "ports": [{"name": name, "protocol": protocol, "port": 53} for name, protocol in _PORTS],
        },
    }


def endpoint_slice(config: DnsConfig, node_uid: str) -> dict[str, Any]:
    """Owned by the Node, so that it goes when the node goes."""
    six = ipaddress.ip_address(config.address).version == 6
    return {
        "metadata": {
            "name": f"{SERVICE}-{config.node}",
            "namespace": NAMESPACE,
            "labels": {
                "kubernetes.io/service-name": SERVICE,
                "endpointslice.kubernetes.io/managed-by": MANAGER,
            },
            "ownerReferences": [{"apiVersion": "v1", "kind": "Node", "name": config.node, "uid": node_uid}],
        },
        "addressType": "IPv6" if six else "IPv4",
        "ports": [{"name": name, "protocol": protocol, "port": config.port} for name, protocol in _PORTS],
        "endpoints": [
            {
                "addresses": [config.address],
                "conditions": {"ready": True, "serving": True, "terminating": False},
                "nodeName": config.node,
                "hints": {"forNodes": [{"name": config.node}]},
            }
        ],
    }
