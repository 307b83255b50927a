"""Services whose fields are old, or do nothing."""

from __future__ import annotations

from typing import Any

from cybernetes.model.field import Path
from cybernetes.model.resource import WriteContext
from cybernetes.model.warnings.addresses import of_address

Object = dict[str, Any]
_SPEC = Path("spec")
_OLD_HINTS, _HINTS = "service.kubernetes.io/topology-aware-hints", "service.kubernetes.io/topology-mode"


def of_service(service: Object, old: Object | None, ctx: WriteContext) -> list[str]:
    spec, annotations = service.get("spec") or {}, service["metadata"].get("annotations") or {}
    found: list[str] = []
    if _OLD_HINTS in annotations:
        found.append(f"annotation {_OLD_HINTS} is deprecated, please use {_HINTS} instead")
    for key in ("clusterIPs", "externalIPs"):
        for i, address in enumerate(spec.get(key) or []):
            found += of_address(address, _SPEC.child(key).index(i))
    found += of_address(spec.get("loadBalancerIP", ""), _SPEC.child("loadBalancerIP"))
    external = spec.get("type") == "ExternalName"
    if external and spec.get("externalIPs"):
        found.append('spec.externalIPs is ignored when spec.type is "ExternalName"')
    if not external and spec.get("externalName"):
        found.append('spec.externalName is ignored when spec.type is not "ExternalName"')
    if spec.get("trafficDistribution") == "PreferClose":
        found.append('spec.trafficDistribution: "PreferClose" is deprecated; use "PreferSameZone"')
    if spec.get("clusterIP") == "None" and spec.get("sessionAffinity", "None") != "None":
        found.append("spec.SessionAffinity is ignored for headless services")
    return found
