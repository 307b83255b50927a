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


def ingress_class_parameters(reference: dict[str, Any]) -> None:
    if reference.get("scope") is None:
        reference["scope"] = "Cluster"


DEFAULTS = {
    NETWORKING + "NetworkPolicy": network_policy,
    NETWORKING + "NetworkPolicyPort": network_policy_port,
    NETWORKING + "IngressClassParametersReference": ingress_class_parameters,
}
