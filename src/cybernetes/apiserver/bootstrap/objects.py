"""Namespaces, priority classes, APIServices, and what belongs to the service range and the server's addresses.

source  Kubernetes documentation "Namespaces", initial namespaces; "Pod Priority and Preemption"
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Sequence
from typing import Any

import orjson

Object = dict[str, Any]

NAMESPACES = ("kube-system", "kube-public", "kube-node-lease", "default")
_ONSTART = {"kube-aggregator.kubernetes.io/automanaged": "onstart"}
_NODE_CRITICAL = "Used for system critical pods that must not be moved from their current node."
_CLUSTER_CRITICAL = (
    "Used for system critical pods that must run in the cluster, but can be moved to another node if necessary."
)

# (group, version): priority of the group, priority of the version in it
_PRIORITIES = {
    # As metrics-server's own manifest has it, which may take its place.
    ("metrics.k8s.io", "v1beta1"): (100, 100),
    ("", "v1"): (18000, 1),
    ("apps", "v1"): (17800, 15),
    ("events.k8s.io", "v1"): (17750, 15),
    ("authentication.k8s.io", "v1"): (17700, 15),
    ("authorization.k8s.io", "v1"): (17600, 15),
    ("autoscaling", "v1"): (17500, 15),
    ("autoscaling", "v2"): (17500, 30),
    ("batch", "v1"): (17400, 15),
    ("certificates.k8s.io", "v1"): (17300, 15),
    ("networking.k8s.io", "v1"): (17200, 15),
    ("policy", "v1"): (17100, 15),
    ("rbac.authorization.k8s.io", "v1"): (17000, 15),
    ("storage.k8s.io", "v1"): (16800, 15),
    ("apiextensions.k8s.io", "v1"): (16700, 15),
    ("admissionregistration.k8s.io", "v1"): (16700, 15),
    ("scheduling.k8s.io", "v1"): (16600, 15),
    ("coordination.k8s.io", "v1"): (16500, 15),
    ("node.k8s.io", "v1"): (16300, 15),
    ("discovery.k8s.io", "v1"): (16200, 15),
    ("resource.k8s.io", "v1"): (16200, 21),
    ("flowcontrol.apiserver.k8s.io", "v1"): (16100, 21),
    ("storagemigration.k8s.io", "v1"): (15800, 15),
}


def namespaces() -> list[Object]:
    return [{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}} for name in NAMESPACES]


def priority_classes() -> list[Object]:
    rows = (
        ("system-node-critical", 2000001000, _NODE_CRITICAL),
        ("system-cluster-critical", 2000000000, _CLUSTER_CRITICAL),
    )
    return [
        {
            "apiVersion": "scheduling.k8s.io/v1",
            "kind": "PriorityClass",
            "metadata": {"name": name},
            "value": value,
            "description": description,
        }
        for name, value, description in rows
    ]


def api_services(served: Iterable[tuple[str, str]]) -> list[Object]:
    """An APIService for each built-in (group, version) of `served`, apiregistration itself aside."""
    known = sorted({each for each in served if each in _PRIORITIES})
    return [_api_service(group, version) for group, version in known]


def _api_service(group: str, version: str) -> Object:
    group_priority, version_priority = _PRIORITIES[group, version]
    spec: Object = {
        "version": version,
        "groupPriorityMinimum": group_priority,
        "versionPriority": version_priority,
    }
    if group:
        spec["group"] = group
    return {
        "apiVersion": "apiregistration.k8s.io/v1",
        "kind": "APIService",
        "metadata": {"name": f"{version}.{group}", "labels": dict(_ONSTART)},
        "spec": spec,
    }


def service_cidr(ranges: Sequence[str]) -> Object:
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "ServiceCIDR",
        "metadata": {"name": "kubernetes"},
        "spec": {"cidrs": list(ranges)},
    }


def service_cidr_ready(now: str) -> Object:
    """The condition of the default ServiceCIDR."""
    return {
        "type": "Ready",
        "status": "True",
        "lastTransitionTime": now,
        "message": "Kubernetes default Service CIDR is ready",
    }


def first_address(service_range: str) -> str:
    return str(ipaddress.ip_network(service_range)[1])


def kubernetes_service(service_range: str, port: int) -> Object:
    """The service `default/kubernetes`; it has no selector, its endpoints are the API servers."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {
            "name": "kubernetes",
            "namespace": "default",
            "labels": {"component": "apiserver", "provider": "kubernetes"},
        },
        "spec": {
            "clusterIP": first_address(service_range),
            "ipFamilyPolicy": "SingleStack",
            "ports": [{"name": "https", "port": 443, "protocol": "TCP", "targetPort": port}],
            "sessionAffinity": "None",
            "type": "ClusterIP",
        },
    }


def is_endpoint(address: str) -> bool:
    """Whether pods can reach a server at this address: it is an address, and not one for its own machine only."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return False
    return not (found.is_loopback or found.is_link_local or found.is_unspecified)


def kubernetes_endpoints(addresses: Sequence[str], port: int) -> Object:
    return {
        "apiVersion": "v1",
        "kind": "Endpoints",
        "metadata": {
            "name": "kubernetes",
            "namespace": "default",
            "labels": {"endpointslice.kubernetes.io/skip-mirror": "true"},
        },
        "subsets": [
            {
                "addresses": [{"ip": each} for each in addresses],
                "ports": [{"name": "https", "port": port, "protocol": "TCP"}],
            }
        ],
    }


def kubernetes_slice(addresses: Sequence[str], port: int) -> Object:
    family = ipaddress.ip_address(addresses[0]).version
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "name": "kubernetes",
            "namespace": "default",
            "labels": {"kubernetes.io/service-name": "kubernetes"},
        },
        "addressType": f"IPv{family}",
        "endpoints": [{"addresses": [each], "conditions": {"ready": True}} for each in addresses],
        "ports": [{"name": "https", "port": port, "protocol": "TCP"}],
    }


def authentication_config(client_ca: str, front_proxy_ca: str, proxy_names: Sequence[str]) -> Object:
    """What an aggregated API server needs to believe this one; front proxy parts only where there is one."""
    data = {"client-ca-file": client_ca}
    if front_proxy_ca:
        lists = {
            "requestheader-allowed-names": list(proxy_names),
            "requestheader-extra-headers-prefix": ["X-Remote-Extra-"],
            "requestheader-group-headers": ["X-Remote-Group"],
            "requestheader-uid-headers": ["X-Remote-Uid"],
            "requestheader-username-headers": ["X-Remote-User"],
        }
        data["requestheader-client-ca-file"] = front_proxy_ca
        data.update({key: orjson.dumps(value).decode() for key, value in lists.items()})
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "extension-apiserver-authentication", "namespace": "kube-system"},
        "data": data,
    }


def token_tracking(day: str) -> Object:
    """Since when uses of legacy tokens are recorded. day: YYYY-MM-DD."""
    name = "kube-apiserver-legacy-service-account-token-tracking"
    metadata = {"name": name, "namespace": "kube-system"}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"since": day}}
