"""Device requests."""

from __future__ import annotations

from typing import Any

RESOURCE = "io.k8s.api.resource.v1."


def device_request(request: dict[str, Any]) -> None:
    mode = request.setdefault("allocationMode", "ExactCount")
    if mode == "ExactCount" and not request.get("count"):
        request["count"] = 1


DEFAULTS = {RESOURCE + "ExactDeviceRequest": device_request, RESOURCE + "DeviceSubRequest": device_request}
