"""What an object counts for in resource quotas, and which quotas look at it. Pure.

Admission charges with it what is new; the quota controller counts with it what is there.

source  Kubernetes documentation "Resource Quotas"
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

from cybernetes.base.clock import parse_rfc3339
from cybernetes.model import pod_resources, qos, quantity
from cybernetes.model.pod_resources import Amounts

Object = dict[str, Any]

_STORAGE_CLASS = ".storageclass.storage.k8s.io/"
_ATTRIBUTES_CLASS = ".volumeattributesclass.storage.k8s.io/"
_DEVICE_CLASS = ".deviceclass.resource.k8s.io/devices"
# Kinds of the core group that have a name of their own in quotas, besides count/PLURAL.
_COUNTED = ("secrets", "configmaps", "replicationcontrollers", "resourcequotas")
_COMPUTE = ("cpu", "memory", "ephemeral-storage")
_POD_NAMES = frozenset(
    ("pods", "count/pods", *_COMPUTE, *(f"requests.{n}" for n in _COMPUTE), *(f"limits.{n}" for n in _COMPUTE))
)
# Of these, every container must say what it needs where a quota limits them.
_MUST_SPECIFY = frozenset(f"{kind}{name}" for kind in ("", "requests.", "limits.") for name in ("cpu", "memory"))
# Devices that a request for all of them is taken to be.
DEVICES_ALL = 32


def count_name(group: str, plural: str) -> str:
    return f"count/{plural}.{group}" if group else f"count/{plural}"


def usage(group: str, plural: str, obj: Object, now: float) -> Amounts:
    """What the object uses of all that quotas can limit. now: wall time, for pods that should be gone."""
    counted = {count_name(group, plural): "1"}
    match group, plural:
        case "", "pods":
            return {**counted, **(_pod_usage(obj["spec"]) if pod_counts(obj, now) else {})}
        case "", "services":
            return {**counted, **_service_usage(obj["spec"])}
        case "", "persistentvolumeclaims":
            return {**counted, **_claim_usage(obj)}
        case "resource.k8s.io", "resourceclaims":
            return {**counted, **_device_usage(obj["spec"])}
    if not group and plural in _COUNTED:
        counted[plural] = "1"
    return counted


def relevant(group: str, plural: str, names: Iterable[str]) -> list[str]:
    """Those of a quota's resource names that objects of this kind count for."""
    count = count_name(group, plural)
    match group, plural:
        case "", "pods":
            return [name for name in names if name in _POD_NAMES or _is_extended(name)]
        case "", "services":
            return [name for name in names if name == count or name.split(".")[0] == "services"]
        case "", "persistentvolumeclaims":
            wanted = (count, plural, "requests.storage")
            return [n for n in names if n in wanted or _STORAGE_CLASS in n or _ATTRIBUTES_CLASS in n]
        case "resource.k8s.io", "resourceclaims":
            return [name for name in names if name == count or name.endswith(_DEVICE_CLASS)]
    return [name for name in names if name == count or (not group and name == plural and plural in _COUNTED)]


def _is_extended(name: str) -> bool:
    """requests.example.com/gpu, hugepages-2Mi, requests.hugepages-2Mi."""
    plain = name.removeprefix("requests.")
    return plain.startswith("hugepages-") or (plain != name and "/" in plain)


def pod_counts(pod: Object, now: float) -> bool:
    """Whether the pod still uses anything: it has not ended, nor should it have."""
    if (pod.get("status") or {}).get("phase") in ("Succeeded", "Failed"):
        return False
    deleted = pod["metadata"].get("deletionTimestamp")
    grace_s = pod["metadata"].get("deletionGracePeriodSeconds")
    return not deleted or grace_s is None or now <= parse_rfc3339(deleted) + grace_s


def _pod_usage(spec: Object) -> Amounts:
    return {"pods": "1", **_compute_usage(pod_resources.requests(spec), pod_resources.limits(spec))}


def _compute_usage(requests: Amounts, limits: Amounts) -> Amounts:
    found: Amounts = {}
    for name in _COMPUTE:
        if name in requests:
            found[name] = found[f"requests.{name}"] = requests[name]
        if name in limits:
            found[f"limits.{name}"] = limits[name]
    for name, amount in requests.items():
        if name.startswith("hugepages-"):
            found[name] = found[f"requests.{name}"] = amount
        elif "/" in name and not name.startswith("requests."):
            found[f"requests.{name}"] = amount
    return found


def unspecified(spec: Object, limited: Collection[str]) -> str:
    """What a pod must still say because quotas limit it: `must specify cpu for: a,b; memory for: a`; "" if nothing."""
    required = _MUST_SPECIFY.intersection(limited)
    if not required:
        return ""
    pod_level = spec.get("resources") or {}
    given = _compute_usage(pod_level.get("requests") or {}, pod_level.get("limits") or {})
    missing: dict[str, set[str]] = {}
    for container in (*(spec.get("containers") or ()), *(spec.get("initContainers") or ())):
        resources = container.get("resources") or {}
        has = _compute_usage(resources.get("requests") or {}, resources.get("limits") or {})
        for name in required.difference(has, given):
            missing.setdefault(name, set()).add(container["name"])
    if not missing:
        return ""
    return "must specify " + "; ".join(f"{name} for: {','.join(sorted(missing[name]))}" for name in sorted(missing))


def _service_usage(spec: Object) -> Amounts:
    found, ports = {"services": "1"}, spec.get("ports") or ()
    match spec.get("type", "ClusterIP"):
        case "NodePort":
            found["services.nodeports"] = str(len(ports))
        case "LoadBalancer":
            allocates = spec.get("allocateLoadBalancerNodePorts") is not False
            found["services.nodeports"] = str(len(ports) if allocates else sum(1 for p in ports if p.get("nodePort")))
            found["services.loadbalancers"] = "1"
    return found


def _claim_usage(claim: Object) -> Amounts:
    spec = claim["spec"]
    requested = ((spec.get("resources") or {}).get("requests") or {}).get("storage")
    allocated = ((claim.get("status") or {}).get("allocatedResources") or {}).get("storage")
    if requested and allocated and quantity.compare(allocated, requested) > 0:
        requested = allocated
    found = {"persistentvolumeclaims": "1"}
    if requested:
        found["requests.storage"] = requested
    annotated = (claim["metadata"].get("annotations") or {}).get("volume.beta.kubernetes.io/storage-class")
    name = annotated or spec.get("storageClassName")
    if name:
        found[f"{name}{_STORAGE_CLASS}persistentvolumeclaims"] = "1"
        if requested:
            found[f"{name}{_STORAGE_CLASS}requests.storage"] = requested
    return found


def _device_usage(spec: Object) -> Amounts:
    found: Amounts = {}
    for request in (spec.get("devices") or {}).get("requests") or ():
        alternatives = request.get("firstAvailable") or [request.get("exactly") or {}]
        # Only one of the alternatives will be allocated; each class is charged for the one that asks most of it.
        peak: dict[str, int] = {}
        for each in alternatives:
            name = each.get("deviceClassName", "")
            count = DEVICES_ALL if each.get("allocationMode") == "All" else each.get("count", 1)
            peak[name] = max(peak.get(name, 0), count)
        for name, count in peak.items():
            found = pod_resources.add(found, {f"{name}{_DEVICE_CLASS}": str(count)})
    return found


def in_scope(quota: Object, group: str, plural: str, obj: Object) -> bool:
    """Whether all scopes of a quota hold for the object; a quota without scopes is for everything."""
    spec = quota["spec"]
    selectors = [{"scopeName": name, "operator": "Exists"} for name in spec.get("scopes") or ()]
    selectors += (spec.get("scopeSelector") or {}).get("matchExpressions") or ()
    return all(_scope_holds(each, group, plural, obj) for each in selectors)


def _scope_holds(selector: Object, group: str, plural: str, obj: Object) -> bool:
    scope = selector["scopeName"]
    if (group, plural) == ("", "persistentvolumeclaims"):
        name = obj["spec"].get("volumeAttributesClassName", "")
        return scope == "VolumeAttributesClass" and _name_matches(selector, name)
    if (group, plural) != ("", "pods"):
        return False
    spec = obj["spec"]
    match scope:
        case "Terminating":
            return _must_end(spec)
        case "NotTerminating":
            return not _must_end(spec)
        case "BestEffort":
            return qos.qos_class(spec) == "BestEffort"
        case "NotBestEffort":
            return qos.qos_class(spec) != "BestEffort"
        case "PriorityClass":
            return _name_matches(selector, spec.get("priorityClassName", ""))
        case "CrossNamespacePodAffinity":
            return any("namespaces" in term or "namespaceSelector" in term for term in _affinity_terms(spec))
    return False


def _must_end(spec: Object) -> bool:
    seconds = spec.get("activeDeadlineSeconds")
    return seconds is not None and seconds >= 0


def _name_matches(selector: Object, name: str) -> bool:
    values = selector.get("values") or ()
    match selector.get("operator"):
        case "Exists":
            return bool(name)
        case "DoesNotExist":
            return not name
        case "In":
            return name in values
        case "NotIn":
            return name not in values
    return False


def _affinity_terms(spec: Object) -> Iterable[Object]:
    for kind in ("podAffinity", "podAntiAffinity"):
        affinity = (spec.get("affinity") or {}).get(kind) or {}
        yield from affinity.get("requiredDuringSchedulingIgnoredDuringExecution") or ()
        for each in affinity.get("preferredDuringSchedulingIgnoredDuringExecution") or ():
            yield each.get("podAffinityTerm") or {}
