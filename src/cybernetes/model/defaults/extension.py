"""Custom resource definitions and aggregated API services."""

from __future__ import annotations

from typing import Any

CRD = "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1."
HTTPS = 443


def definition_spec(spec: dict[str, Any]) -> None:
    names = spec["names"]
    if not names.get("singular"):
        names["singular"] = names["kind"].lower()
    if not names.get("listKind") and names["kind"]:
        names["listKind"] = names["kind"] + "List"
    spec.setdefault("conversion", {"strategy": "None"})


def service_reference(obj: dict[str, Any]) -> None:
    obj.setdefault("port", HTTPS)


DEFAULTS = {
    CRD + "CustomResourceDefinitionSpec": definition_spec,
    CRD + "ServiceReference": service_reference,
    "io.k8s.kube-aggregator.pkg.apis.apiregistration.v1.ServiceReference": service_reference,
}
