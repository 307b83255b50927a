"""Services, nodes, namespaces, secrets, quotas, accounts."""

from __future__ import annotations

import base64
from typing import Any

from cybernetes.model.defaults import nothing

CORE = "io.k8s.api.core.v1."
RBAC_GROUP = "rbac.authorization.k8s.io"
SESSION_SECONDS = 10800
EXTERNAL = ("NodePort", "LoadBalancer")


def service(obj: dict[str, Any]) -> None:
    spec = obj["spec"]
    affinity = spec.setdefault("sessionAffinity", "None")
    if affinity == "None":
        spec.pop("sessionAffinityConfig", None)
    elif affinity == "ClientIP":
        client = spec.setdefault("sessionAffinityConfig", {}).setdefault("clientIP", {})
        client.setdefault("timeoutSeconds", SESSION_SECONDS)
    kind = spec.setdefault("type", "ClusterIP")
    external = kind in EXTERNAL or (kind == "ClusterIP" and bool(spec.get("externalIPs")))
    if external:
        spec.setdefault("externalTrafficPolicy", "Cluster")
    if kind in ("ClusterIP", *EXTERNAL):
        spec.setdefault("internalTrafficPolicy", "Cluster")
    if kind == "LoadBalancer":
        spec.setdefault("allocateLoadBalancerNodePorts", True)
        for ingress in obj["status"]["loadBalancer"].get("ingress") or ():
            if ingress.get("ip"):
                ingress.setdefault("ipMode", "VIP")


def service_port(port: dict[str, Any]) -> None:
    port.setdefault("protocol", "TCP")
    if port.get("targetPort") in (None, 0, ""):
        port["targetPort"] = port["port"]


def secret(obj: dict[str, Any]) -> None:
    obj.setdefault("type", "Opaque")
    plain = obj.pop("stringData", None)
    if plain:
        data = obj.get("data") or {}
        for key, text in plain.items():
            data[key] = base64.b64encode(text.encode()).decode()
        obj["data"] = {key: data[key] for key in sorted(data)}


def namespace(obj: dict[str, Any]) -> None:
    name = obj["metadata"].get("name")
    if name:
        labels = obj["metadata"].get("labels") or {}
        labels["kubernetes.io/metadata.name"] = name
        obj["metadata"]["labels"] = {key: labels[key] for key in sorted(labels)}


def namespace_status(status: dict[str, Any]) -> None:
    status.setdefault("phase", "Active")


def node_status(status: dict[str, Any]) -> None:
    if status.get("allocatable") is None and status.get("capacity") is not None:
        status["allocatable"] = dict(status["capacity"])


def node_spec(spec: dict[str, Any]) -> None:
    """podCIDR is the first of podCIDRs."""
    first, ranges = spec.get("podCIDR"), spec.get("podCIDRs")
    if first and (not ranges or ranges[0] != first):
        spec["podCIDRs"] = [first]
    elif ranges:
        spec["podCIDR"] = ranges[0]


def limit_range_item(item: dict[str, Any]) -> None:
    if item.get("type") != "Container":
        return
    limits = item.get("default") or {}
    requests = item.get("defaultRequest") or {}
    for name, most in (item.get("max") or {}).items():
        limits.setdefault(name, most)
    for name, limit in limits.items():
        requests.setdefault(name, limit)
    for name, least in (item.get("min") or {}).items():
        requests.setdefault(name, least)
    if limits:
        item["default"] = {name: limits[name] for name in sorted(limits)}
    if requests:
        item["defaultRequest"] = {name: requests[name] for name in sorted(requests)}


def replication_controller(obj: dict[str, Any]) -> None:
    spec = obj["spec"]
    spec.setdefault("replicas", 1)
    labels = (spec.get("template") or {}).get("metadata", {}).get("labels")
    if labels:
        if not spec.get("selector"):
            spec["selector"] = dict(labels)
        if not obj["metadata"].get("labels"):
            obj["metadata"]["labels"] = dict(labels)


def endpoint_port(port: dict[str, Any]) -> None:
    port.setdefault("protocol", "TCP")


def slice_port(port: dict[str, Any]) -> None:
    port.setdefault("name", "")
    port.setdefault("protocol", "TCP")


def token_request_spec(spec: dict[str, Any]) -> None:
    if spec.get("expirationSeconds") is None:
        spec["expirationSeconds"] = 3600


def role_ref_holder(obj: dict[str, Any]) -> None:
    if not obj["roleRef"].get("apiGroup"):
        obj["roleRef"]["apiGroup"] = RBAC_GROUP


def subject(obj: dict[str, Any]) -> None:
    if not obj.get("apiGroup") and obj.get("kind") in ("User", "Group"):
        obj["apiGroup"] = RBAC_GROUP


def priority_class(obj: dict[str, Any]) -> None:
    obj.setdefault("preemptionPolicy", "PreemptLowerPriority")


DEFAULTS = {
    "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta": nothing,
    CORE + "LoadBalancerIngress": nothing,
    CORE + "Service": service,
    CORE + "ServicePort": service_port,
    CORE + "Secret": secret,
    CORE + "Namespace": namespace,
    CORE + "NamespaceStatus": namespace_status,
    CORE + "NodeStatus": node_status,
    CORE + "NodeSpec": node_spec,
    CORE + "LimitRangeItem": limit_range_item,
    CORE + "ReplicationController": replication_controller,
    CORE + "EndpointPort": endpoint_port,
    "io.k8s.api.discovery.v1.EndpointPort": slice_port,
    "io.k8s.api.authentication.v1.TokenRequestSpec": token_request_spec,
    "io.k8s.api.rbac.v1.ClusterRoleBinding": role_ref_holder,
    "io.k8s.api.rbac.v1.RoleBinding": role_ref_holder,
    "io.k8s.api.rbac.v1.Subject": subject,
    "io.k8s.api.scheduling.v1.PriorityClass": priority_class,
}
