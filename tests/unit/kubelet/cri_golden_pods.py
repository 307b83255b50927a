"""Reads the recorded CRI requests, and gives their pods the defaults that an API server would."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import orjson
import pytest

ROOT = Path(__file__).resolve().parents[3]
GOLDEN = Path(os.environ.get("CYBERNETES_GOLDEN", ROOT.parent / "shared" / "golden"))


def cases() -> list[Any]:
    path = GOLDEN / "cri.jsonl"
    if not path.exists():
        return [pytest.param(None, marks=pytest.mark.skip(reason=f"no recorded answers at {path}"))]
    rows = [orjson.loads(line) for line in path.read_bytes().splitlines()]
    return [pytest.param(row, id=row["pod"]["metadata"]["name"][:30]) for row in rows]


def defaulted(pod: dict[str, Any]) -> dict[str, Any]:
    """As the API server stores it: defaults of 1.36, and the service account's volume."""
    pod = orjson.loads(orjson.dumps(pod))
    pod["metadata"]["uid"] = "<uid>"
    spec = pod["spec"]
    spec.setdefault("nodeName", "gold-node")
    spec.setdefault("serviceAccountName", "default")
    spec.setdefault("terminationGracePeriodSeconds", 30)
    volume = "kube-api-access-<suffix>"
    for container in [*spec.get("initContainers", []), *spec["containers"]]:
        latest = container["image"].rpartition("/")[2].partition(":")[2] in ("", "latest")
        container.setdefault("imagePullPolicy", "Always" if latest else "IfNotPresent")
        container.setdefault("terminationMessagePath", "/dev/termination-log")
        for port in container.get("ports", []):
            port.setdefault("protocol", "TCP")
            if spec.get("hostNetwork"):
                port.setdefault("hostPort", port["containerPort"])
        limits = (container.get("resources") or {}).get("limits", {})
        if limits:
            container["resources"]["requests"] = {**limits, **container["resources"].get("requests", {})}
        # A field behind a gate that was off where this was recorded.
        container.get("lifecycle", {}).pop("stopSignal", None)
        container.setdefault("volumeMounts", []).append(
            {"name": volume, "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount", "readOnly": True}
        )
    spec.setdefault("volumes", []).append({"name": volume, "projected": {"sources": []}})
    return pod
