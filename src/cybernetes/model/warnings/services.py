"""Services whose fields are old, or do nothing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from cybernetes.model.field import Path
from cybernetes.model.resource import WriteContext
from cybernetes.model.warnings.addresses import of_address, of_range

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
    for i, text in enumerate(spec.get("loadBalancerSourceRanges") or []):
        found += of_range(text, _SPEC.child("loadBalancerSourceRanges").index(i))
    external = spec.get("type") == "ExternalName"
    if external and spec.get("externalIPs"):
        found.append('spec.externalIPs is ignored when spec.type is "ExternalName"')
    if not external and spec.get("externalName"):
        found.append('spec.externalName is ignored when spec.type is not "ExternalName"')
    if spec.get("trafficDistribution") == "PreferClose":
        found.append('spec.trafficDistribution: "PreferClose" is deprecated; use "PreferSameZone"')
    if spec.get("clusterIP") == "None":
        found += [f"{each} is ignored for headless services" for each in _without_address(spec)]
    return found


def _without_address(spec: Object) -> Iterator[str]:
    """Fields that only an address of the Service's own gives a meaning."""
    if spec.get("loadBalancerIP"):
        yield "spec.loadBalancerIP"
    if spec.get("externalIPs"):
        yield "spec.externalIPs"
    if spec.get("sessionAffinity", "None") != "None":
        yield "spec.SessionAffinity"
