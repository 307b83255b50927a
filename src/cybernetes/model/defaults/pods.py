"""Pods, pod templates and containers.

What only pods get (requests from limits, service links, host ports, a grace period that is none) is in `pod`: a template keeps what was written.
"""

from __future__ import annotations

import re
from typing import Any

from cybernetes.model import quantity

CORE = "io.k8s.api.core.v1."
GRACE_SECONDS = 30
_DOMAIN = r"(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])"
_HOST = rf"(?:{_DOMAIN}(?:\.{_DOMAIN})*|\[[a-fA-F0-9:]+\])(?::[0-9]+)?"
_PART = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_REFERENCE = re.compile(
    rf"(?P<name>(?:{_HOST}/)?{_PART}(?:/{_PART})*)(?::(?P<tag>[\w][\w.-]{{0,127}}))?"
    r"(?:@(?P<digest>[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,}))?\Z",
    re.ASCII,
)
_IDENTIFIER = re.compile(r"[a-f0-9]{64}\Z")
_NAME_MAX = 255


def pull_policy(image: str) -> str:
    """Always for the tag `latest`, which no tag and no digest also mean."""
    found = _REFERENCE.match(image)
    if found is None or len(found["name"]) > _NAME_MAX or _IDENTIFIER.match(image):
        return "IfNotPresent"
    latest = found["tag"] == "latest" or (found["tag"] is None and found["digest"] is None)
    return "Always" if latest else "IfNotPresent"


def pod(obj: dict[str, Any]) -> None:
    spec = obj["spec"]
    spec.setdefault("enableServiceLinks", True)
    if spec.get("terminationGracePeriodSeconds", 0) < 0:
        spec["terminationGracePeriodSeconds"] = 1
    containers = [*(spec.get("containers") or ()), *(spec.get("initContainers") or ())]
    for each in containers:
        resources = each["resources"]
        if resources.get("limits"):
            _add_missing(resources, resources["limits"])
        if spec.get("hostNetwork"):
            for port in each.get("ports") or ():
                if not port.get("hostPort") and port["containerPort"]:
                    port["hostPort"] = port["containerPort"]
    if spec.get("resources", {}).get("limits"):
        _pod_level_requests(spec)


def _add_missing(resources: dict[str, Any], source: dict[str, str]) -> None:
    requests = resources.get("requests") or {}
    missing = [name for name in source if name not in requests]
    if missing:
        merged = {**requests, **{name: source[name] for name in missing}}
        resources["requests"] = {name: merged[name] for name in sorted(merged)}


def _pod_level_requests(spec: dict[str, Any]) -> None:
    """From the containers together, where they say something, else from the pod's own limits."""
    resources = spec["resources"]
    _add_missing(resources, {k: v for k, v in _container_requests(spec).items() if k in ("cpu", "memory")})
    supported = {k: v for k, v in resources["limits"].items() if k in ("cpu", "memory") or k.startswith("hugepages-")}
    _add_missing(resources, supported)


def _container_requests(spec: dict[str, Any]) -> dict[str, str]:
    """Sum of containers and sidecars, or the largest init container with the sidecars before it."""
    total: dict[str, str] = {}
    for each in spec.get("containers") or ():
        _sum_into(total, each["resources"].get("requests") or {})
    sidecars: dict[str, str] = {}
    peak: dict[str, str] = {}
    for each in spec.get("initContainers") or ():
        requests = each["resources"].get("requests") or {}
        if each.get("restartPolicy") == "Always":
            _sum_into(total, requests)
            _sum_into(sidecars, requests)
            current = sidecars
        else:
            current = dict(sidecars)
            _sum_into(current, requests)
        _largest_into(peak, current)
    _largest_into(total, peak)
    return total


def _sum_into(total: dict[str, str], more: dict[str, str]) -> None:
    for name, text in more.items():
        total[name] = quantity.add(total[name], text) if name in total else text


def _largest_into(total: dict[str, str], other: dict[str, str]) -> None:
    for name, text in other.items():
        if name not in total or quantity.compare(text, total[name]) > 0:
            total[name] = text


def pod_spec(spec: dict[str, Any]) -> None:
    spec.setdefault("dnsPolicy", "ClusterFirst")
    spec.setdefault("restartPolicy", "Always")
    spec.setdefault("securityContext", {})
    spec.setdefault("terminationGracePeriodSeconds", GRACE_SECONDS)
    spec.setdefault("schedulerName", "default-scheduler")
    account = spec.get("serviceAccountName") or spec.get("serviceAccount")
    if account:
        spec["serviceAccountName"] = spec["serviceAccount"] = account


def pod_status(status: dict[str, Any]) -> None:
    """podIP and hostIP are the first of their lists."""
    for one, many in (("podIP", "podIPs"), ("hostIP", "hostIPs")):
        first, listed = status.get(one), status.get(many)
        if first and (not listed or listed[0].get("ip") != first):
            status[many] = [{"ip": first}]
        elif listed and listed[0].get("ip"):
            status[one] = listed[0]["ip"]


def container(obj: dict[str, Any]) -> None:
    if "imagePullPolicy" not in obj:
        obj["imagePullPolicy"] = pull_policy(obj.get("image", ""))
    obj.setdefault("terminationMessagePath", "/dev/termination-log")
    obj.setdefault("terminationMessagePolicy", "File")


def container_port(port: dict[str, Any]) -> None:
    port.setdefault("protocol", "TCP")


def probe(obj: dict[str, Any]) -> None:
    obj.setdefault("timeoutSeconds", 1)
    obj.setdefault("periodSeconds", 10)
    obj.setdefault("successThreshold", 1)
    obj.setdefault("failureThreshold", 3)


def http_get(action: dict[str, Any]) -> None:
    action.setdefault("path", "/")
    action.setdefault("scheme", "HTTP")


def grpc(action: dict[str, Any]) -> None:
    if action.get("service") is None:
        action["service"] = ""


def object_field_selector(selector: dict[str, Any]) -> None:
    selector.setdefault("apiVersion", "v1")


def file_key_selector(selector: dict[str, Any]) -> None:
    selector.setdefault("optional", False)


DEFAULTS = {
    CORE + "Pod": pod,
    CORE + "PodSpec": pod_spec,
    CORE + "PodStatus": pod_status,
    CORE + "Container": container,
    CORE + "EphemeralContainer": container,
    CORE + "ContainerPort": container_port,
    CORE + "Probe": probe,
    CORE + "HTTPGetAction": http_get,
    CORE + "GRPCAction": grpc,
    CORE + "ObjectFieldSelector": object_field_selector,
    CORE + "FileKeySelector": file_key_selector,
}
