"""Endpoints and EndpointSlices with addresses of old forms. What controllers write is not looked at: they write new ones."""

from __future__ import annotations

from typing import Any

from cybernetes.model.field import Path
from cybernetes.model.resource import WriteContext
from cybernetes.model.warnings.addresses import of_address

Object = dict[str, Any]
_MANAGED_BY, _CONTROLLER = "endpoints.kubernetes.io/managed-by", "endpoint-controller"
_SLICES_MANAGED_BY = "endpointslice.kubernetes.io/managed-by"
_SLICE_CONTROLLERS = ("endpointslice-controller.k8s.io", "endpointslicemirroring-controller.k8s.io")


def of_endpoints(endpoints: Object, old: Object | None, ctx: WriteContext) -> list[str]:
    if (endpoints["metadata"].get("labels") or {}).get(_MANAGED_BY) == _CONTROLLER:
        return []
    return [
        warning
        for i, subset in enumerate(endpoints.get("subsets") or [])
        for key in ("addresses", "notReadyAddresses")
        for j, each in enumerate(subset.get(key) or [])
        for warning in of_address(each["ip"], Path("subsets").index(i).child(key).index(j).child("ip"))
    ]


def of_endpoint_slice(slice_: Object, old: Object | None, ctx: WriteContext) -> list[str]:
    if slice_["addressType"] == "FQDN":
        return ["spec.addressType: FQDN endpoints are deprecated"]
    if (slice_["metadata"].get("labels") or {}).get(_SLICES_MANAGED_BY) in _SLICE_CONTROLLERS:
        return []
    return [
        warning
        for i, endpoint in enumerate(slice_.get("endpoints") or [])
        for j, address in enumerate(endpoint["addresses"])
        for warning in of_address(address, Path("endpoints").index(i).child("addresses").index(j))
    ]
