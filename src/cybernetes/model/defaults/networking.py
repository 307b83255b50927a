"""Network policies and ingress classes."""

from __future__ import annotations

from typing import Any

NETWORKING = "io.k8s.api.networking.v1."


def network_policy(obj: dict[str, Any]) -> None:
    spec = obj["spec"]
    if not spec.get("policyTypes"):
        spec["policyTypes"] = ["Ingress", "Egress"] if spec.get("egress") else ["Ingress"]


def network_policy_port(port: dict[str, Any]) -> None:
    port.setdefault("protocol", "TCP")


def ingress_class(obj: dict[str, Any]) -> None:
    parameters = obj["spec"].get("parameters")
    if parameters is not None and parameters.get("scope") is None:
        parameters["scope"] = "Cluster"


DEFAULTS = {
    NETWORKING + "NetworkPolicy": network_policy,
    NETWORKING + "NetworkPolicyPort": network_policy_port,
    NETWORKING + "IngressClass": ingress_class,
}
