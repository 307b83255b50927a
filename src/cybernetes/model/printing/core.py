"""How the core group prints, but for pods."""

from __future__ import annotations

from cybernetes.model.printing.formats import (
    AGE,
    NAME,
    NONE,
    UNKNOWN,
    UNSET,
    at,
    column,
    container_columns,
    count,
    first_few,
    format_labels,
    number,
    since,
    text,
)
from cybernetes.model.resource import Column, Object

CONFIG_MAPS = (
    NAME,
    column(
        "Data",
        lambda obj, now: len(obj.get("data") or ()) + len(obj.get("binaryData") or ()),
        "@core.v1.ConfigMap#data",
    ),
    AGE,
)
SECRETS = (
    NAME,
    text("Type", "@core.v1.Secret#type", "type"),
    count("Data", "@core.v1.Secret#data", "data", type_="string"),
    AGE,
)


# ---- services ------------------------------------------------------------------------------------------------------


def _cluster_address(obj: Object, now: float) -> str:
    addresses = at(obj, "spec", "clusterIPs", default=())
    return addresses[0] if addresses else NONE


def _external_address(obj: Object, now: float) -> str:
    spec = obj.get("spec", {})
    listed = list(spec.get("externalIPs") or ())
    match spec.get("type"):
        case "ClusterIP" | "NodePort":
            return ",".join(listed) or NONE
        case "LoadBalancer":
            ingress = at(obj, "status", "loadBalancer", "ingress", default=())
            given = sorted({each.get("ip") or each.get("hostname", "") for each in ingress} - {""})
            return ",".join([*given, *listed]) or "<pending>"
        case "ExternalName":
            return str(spec.get("externalName", ""))
    return UNKNOWN


def _ports(obj: Object, now: float) -> str:
    shown = []
    for port in at(obj, "spec", "ports", default=()):
        node_port = f":{port['nodePort']}" if port.get("nodePort") else ""
        shown.append(f"{port['port']}{node_port}/{port.get('protocol', 'TCP')}")
    return ",".join(shown) or NONE


SERVICES = (
    NAME,
    text("Type", "@core.v1.ServiceSpec#type", "spec", "type"),
    column("Cluster-IP", _cluster_address, "@core.v1.ServiceSpec#clusterIP"),
    column("External-IP", _external_address, "@core.v1.ServiceSpec#externalIPs"),
    column("Port(s)", _ports, "@core.v1.ServiceSpec#ports"),
    AGE,
    column(
        "Selector",
        lambda obj, now: format_labels(at(obj, "spec", "selector")),
        "@core.v1.ServiceSpec#selector",
        wide=True,
    ),
)


def _endpoints(obj: Object, now: float) -> str:
    found = []
    for subset in obj.get("subsets") or ():
        addresses = [each["ip"] for each in subset.get("addresses") or ()]
        ports = subset.get("ports") or ()
        if not ports:
            found += addresses
        found += [f"{_bracketed(ip)}:{port['port']}" for port in ports for ip in addresses]
    return first_few(found) or NONE


def _bracketed(ip: str) -> str:
    return f"[{ip}]" if ":" in ip else ip


ENDPOINTS = (NAME, column("Endpoints", _endpoints, "@core.v1.Endpoints#subsets"), AGE)


# ---- nodes, namespaces ---------------------------------------------------------------------------------------------


def _node_status(obj: Object, now: float) -> str:
    ready = [each for each in at(obj, "status", "conditions", default=()) if each["type"] == "Ready"]
    word = "Unknown" if not ready else "Ready" if ready[0]["status"] == "True" else "NotReady"
    return word + (",SchedulingDisabled" if at(obj, "spec", "unschedulable") else "")


def _roles(obj: Object, now: float) -> str:
    labels = at(obj, "metadata", "labels", default={})
    prefix = "node-role.kubernetes.io/"
    roles = {key.removeprefix(prefix) for key in labels if key.startswith(prefix)} - {""}
    if labels.get("kubernetes.io/role"):
        roles.add(labels["kubernetes.io/role"])
    return ",".join(sorted(roles)) or NONE


def _node_address(kind: str) -> Column:
    def address(obj: Object, now: float) -> str:
        addresses = at(obj, "status", "addresses", default=())
        return next((each["address"] for each in addresses if each["type"] == kind), NONE)

    name = kind.replace("IP", "-IP")
    return column(name, address, "@core.v1.NodeStatus#addresses", wide=True)


def _kernel(obj: Object, now: float) -> str:
    info = at(obj, "status", "nodeInfo", default={})
    version = info.get("kernelVersion")
    if not version:
        return UNKNOWN
    return f"{version} ({info['architecture']})" if info.get("architecture") else str(version)


def _info(name: str, part: str) -> Column:
    return column(
        name,
        lambda obj, now: at(obj, "status", "nodeInfo", part, default="") or UNKNOWN,
        f"@core.v1.NodeSystemInfo#{part}",
        wide=True,
    )


NODES = (
    NAME,
    column("Status", _node_status, "The status of the node"),
    column("Roles", _roles, "The roles of the node"),
    AGE,
    text("Version", "@core.v1.NodeSystemInfo#kubeletVersion", "status", "nodeInfo", "kubeletVersion"),
    _node_address("InternalIP"),
    _node_address("ExternalIP"),
    _info("OS-Image", "osImage"),
    column("Kernel-Version", _kernel, "@core.v1.NodeSystemInfo#kernelVersion", wide=True),
    _info("Container-Runtime", "containerRuntimeVersion"),
)
NAMESPACES = (NAME, text("Status", "The status of the namespace", "status", "phase"), AGE)


# ---- volumes -------------------------------------------------------------------------------------------------------

_MODES = {"ReadWriteOnce": "RWO", "ReadOnlyMany": "ROX", "ReadWriteMany": "RWX", "ReadWriteOncePod": "RWOP"}
_CLASS_ANNOTATION = "volume.beta.kubernetes.io/storage-class"


def _modes(modes: object) -> str:
    return ",".join(short for name, short in _MODES.items() if isinstance(modes, list) and name in modes)


def _storage_class(obj: Object, now: float) -> str:
    annotations = at(obj, "metadata", "annotations", default={})
    return str(annotations.get(_CLASS_ANNOTATION) or at(obj, "spec", "storageClassName", default=""))


def _phase(obj: Object, now: float) -> str:
    return "Terminating" if at(obj, "metadata", "deletionTimestamp") else str(at(obj, "status", "phase", default=""))


def _claim(obj: Object, now: float) -> str:
    claim = at(obj, "spec", "claimRef")
    return f"{claim.get('namespace', '')}/{claim.get('name', '')}" if claim else ""


def _unset(name: str, description: str, *path: str, wide: bool = False) -> Column:
    return column(name, lambda obj, now: at(obj, *path, default="") or UNSET, description, wide=wide)


PERSISTENT_VOLUMES = (
    NAME,
    text("Capacity", "@core.v1.PersistentVolumeSpec#capacity", "spec", "capacity", "storage"),
    column(
        "Access Modes",
        lambda obj, now: _modes(at(obj, "spec", "accessModes")),
        "@core.v1.PersistentVolumeSpec#accessModes",
    ),
    text(
        "Reclaim Policy",
        "@core.v1.PersistentVolumeSpec#persistentVolumeReclaimPolicy",
        "spec",
        "persistentVolumeReclaimPolicy",
    ),
    column("Status", _phase, "@core.v1.PersistentVolumeStatus#phase"),
    column("Claim", _claim, "@core.v1.PersistentVolumeSpec#claimRef"),
    column("StorageClass", _storage_class, "StorageClass of the pv"),
    _unset("VolumeAttributesClass", "VolumeAttributesClass of the pv", "spec", "volumeAttributesClassName"),
    text("Reason", "@core.v1.PersistentVolumeStatus#reason", "status", "reason"),
    AGE,
    _unset("VolumeMode", "@core.v1.PersistentVolumeSpec#volumeMode", "spec", "volumeMode", wide=True),
)


def _bound_capacity(obj: Object, now: float) -> str:
    return str(at(obj, "status", "capacity", "storage", default="")) if at(obj, "spec", "volumeName") else ""


def _bound_modes(obj: Object, now: float) -> str:
    return _modes(at(obj, "status", "accessModes")) if at(obj, "spec", "volumeName") else ""


PERSISTENT_VOLUME_CLAIMS = (
    NAME,
    column("Status", _phase, "@core.v1.PersistentVolumeClaimStatus#phase"),
    text("Volume", "@core.v1.PersistentVolumeClaimSpec#volumeName", "spec", "volumeName"),
    column("Capacity", _bound_capacity, "@core.v1.PersistentVolumeClaimStatus#capacity"),
    column("Access Modes", _bound_modes, "@core.v1.PersistentVolumeClaimStatus#accessModes"),
    column("StorageClass", _storage_class, "StorageClass of the pvc"),
    _unset("VolumeAttributesClass", "VolumeAttributesClass of the pvc", "spec", "volumeAttributesClassName"),
    AGE,
    _unset("VolumeMode", "@core.v1.PersistentVolumeClaimSpec#volumeMode", "spec", "volumeMode", wide=True),
)


# ---- quotas, templates, events -------------------------------------------------------------------------------------


def _quota(limits: bool) -> Column:
    def cell(obj: Object, now: float) -> str:
        hard, used = at(obj, "status", "hard", default={}), at(obj, "status", "used", default={})
        mine = (key for key in sorted(hard) if key.startswith("limits.") == limits)
        return ", ".join(f"{key}: {used.get(key, '0')}/{hard[key]}" for key in mine)

    if limits:
        about = "Limits control the maximum amount of cpu/memory that a container may use independent of contention"
        return column("Limit", cell, f"{about} on the node.")
    return column("Request", cell, "Request represents a minimum amount of cpu/memory that a container may consume.")


RESOURCE_QUOTAS = (NAME, _quota(False), _quota(True), AGE)
POD_TEMPLATES = (
    NAME,
    *container_columns("template", wide=False),
    column(
        "Pod Labels",
        lambda obj, now: format_labels(at(obj, "template", "metadata", "labels")),
        "The labels for the pod template.",
    ),
)
REPLICATION_CONTROLLERS = (
    NAME,
    number("Desired", "@core.v1.ReplicationControllerSpec#replicas", "spec", "replicas"),
    number("Current", "@core.v1.ReplicationControllerStatus#replicas", "status", "replicas"),
    number("Ready", "@core.v1.ReplicationControllerStatus#readyReplicas", "status", "readyReplicas"),
    AGE,
    *container_columns("spec", "template"),
    column(
        "Selector",
        lambda obj, now: format_labels(at(obj, "spec", "selector")),
        "@core.v1.ReplicationControllerSpec#selector",
        wide=True,
    ),
)


def _first_seen(obj: Object, now: float) -> str:
    return since(obj.get("firstTimestamp") or obj.get("eventTime"), now)


def _last_seen(obj: Object, now: float) -> str:
    last = at(obj, "series", "lastObservedTime") or obj.get("lastTimestamp")
    return since(last, now) if last else _first_seen(obj, now)


def _event_source(obj: Object, now: float) -> str:
    source = obj.get("source") or {}
    component = source.get("component") or obj.get("reportingComponent", "")
    host = source.get("host") or obj.get("reportingInstance", "")
    return f"{component}, {host}" if host else str(component)


def _event_count(obj: Object, now: float) -> int:
    return int(at(obj, "series", "count", default=0) or obj.get("count") or 1)


def _involved(obj: Object, now: float) -> str:
    return f"{at(obj, 'involvedObject', 'kind', default='').lower()}/{at(obj, 'involvedObject', 'name', default='')}"


EVENTS = (
    column("Last Seen", _last_seen, "@core.v1.Event#lastTimestamp"),
    text("Type", "@core.v1.Event#type", "type"),
    text("Reason", "@core.v1.Event#reason", "reason"),
    column("Object", _involved, "@core.v1.Event#involvedObject"),
    text("Subobject", "@core.v1.ObjectReference#fieldPath", "involvedObject", "fieldPath", wide=True),
    column("Source", _event_source, "@core.v1.Event#source", wide=True),
    column("Message", lambda obj, now: (obj.get("message") or "").strip(), "@core.v1.Event#message"),
    column("First Seen", _first_seen, "@core.v1.Event#firstTimestamp", wide=True),
    column("Count", _event_count, "@core.v1.Event#count", wide=True),
    Column(name="Name", format="name", description=NAME.description, priority=1, cell=NAME.cell),
)


def _healthy(obj: Object, now: float) -> str:
    words = {"True": "Healthy", "False": "Unhealthy"}
    conditions = obj.get("conditions") or ()
    found = next((each.get("status", "") for each in conditions if each.get("type") == "Healthy"), "")
    return words.get(found, "Unknown")


def _of_healthy(name: str, part: str, description: str) -> Column:
    def cell(obj: Object, now: float) -> str:
        conditions = obj.get("conditions") or ()
        return next((each.get(part, "") for each in conditions if each.get("type") == "Healthy"), "")

    return column(name, cell, description)


COMPONENT_STATUSES = (
    NAME,
    column("Status", _healthy, "Status of the component conditions"),
    _of_healthy("Message", "message", "Message of the component conditions"),
    _of_healthy("Error", "error", "Error of the component conditions"),
)
