"""Custom resource definitions and aggregated API services."""

from __future__ import annotations

from typing import Any

from cybernetes.model.defaults import nothing

CRD = "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1."
HTTPS = 443


def definition_names(names: dict[str, Any]) -> None:
    if not names.get("singular") and names["kind"]:
        names["singular"] = names["kind"].lower()
    if not names.get("listKind") and names["kind"]:
        names["listKind"] = names["kind"] + "List"


def definition_spec(spec: dict[str, Any]) -> None:
    # The names are filled here: the names in the status, which have the same type, stay empty.
    definition_names(spec["names"])
    spec.setdefault("conversion", {"strategy": "None"})


def service_reference(obj: dict[str, Any]) -> None:
    obj.setdefault("port", HTTPS)


DEFAULTS = {
    CRD + "CustomResourceDefinitionNames": nothing,
    CRD + "CustomResourceDefinitionSpec": definition_spec,
    CRD + "ServiceReference": service_reference,
    "io.k8s.kube-aggregator.pkg.apis.apiregistration.v1.ServiceReference": service_reference,
}
