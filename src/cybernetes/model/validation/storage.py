"""Persistent volumes, claims, and the storage group.

source  "Validation", PersistentVolumeSpec and the storage structures of the catalogue
"""

from __future__ import annotations

from typing import Any

from cybernetes.model import quantity
from cybernetes.model.field import FieldError, Path, duplicate, forbidden, invalid, not_supported, required, too_long
from cybernetes.model.validation import names
from cybernetes.model.validation.claims import VOLUME_MODES, validate_access_modes, validate_claim_spec
from cybernetes.model.validation.meta import IMMUTABLE, validate_labels
from cybernetes.model.validation.paths import validate_no_backsteps
from cybernetes.model.validation.resources import validate_positive
from cybernetes.model.validation.selectors import validate_node_selector
from cybernetes.model.validation.volumes import validate_csi_driver_name

Object = dict[str, Any]
_SPEC = Path("spec")
_RECLAIM = ("Delete", "Recycle", "Retain")
_NOT_SOURCES = frozenset(
    (
        "accessModes",
        "capacity",
        "claimRef",
        "mountOptions",
        "nodeAffinity",
        "persistentVolumeReclaimPolicy",
        "storageClassName",
        "volumeAttributesClassName",
        "volumeMode",
    )
)


def validate_persistent_volume(volume: Object) -> list[FieldError]:
    spec = volume.get("spec") or {}
    errors: list[FieldError] = []
    modes = spec.get("accessModes") or []
    if not modes:
        errors.append(required(_SPEC.child("accessModes")))
    errors += validate_access_modes(modes, _SPEC.child("accessModes"))
    errors += _capacity(spec.get("capacity"), _SPEC.child("capacity"))
    policy = spec.get("persistentVolumeReclaimPolicy", "")
    if policy and policy not in _RECLAIM:
        errors.append(not_supported(_SPEC.child("persistentVolumeReclaimPolicy"), policy, _RECLAIM))
    affinity = spec.get("nodeAffinity")
    if affinity is not None:
        errors += _node_affinity(affinity, _SPEC.child("nodeAffinity"))
    errors += _source(spec)
    if (spec.get("hostPath") or {}).get("path") == "/" and policy == "Recycle":
        text = "may not be 'recycle' for a hostPath mount of '/'"
        errors.append(forbidden(_SPEC.child("persistentVolumeReclaimPolicy"), text))
    errors += _names(spec, ("storageClassName",))
    mode = spec.get("volumeMode")
    if mode is not None and mode not in VOLUME_MODES:
        errors.append(not_supported(_SPEC.child("volumeMode"), mode, VOLUME_MODES))
    return errors + _attributes_class(spec)


def _capacity(capacity: dict[str, str] | None, path: Path) -> list[FieldError]:
    errors = [] if capacity else [required(path)]
    if capacity is None or capacity.keys() != {"storage"}:
        errors.append(not_supported(path, capacity, ("storage",)))
    for name, value in sorted((capacity or {}).items()):
        if name == "storage":
            errors += validate_positive(value, path.key(name))
    return errors


def _node_affinity(affinity: Object, path: Path) -> list[FieldError]:
    required_terms = affinity.get("required")
    if required_terms is None:
        return [required(path.child("required"), "must specify required node constraints")]
    return validate_node_selector(required_terms, path.child("required"))


def _source(spec: Object) -> list[FieldError]:
    found = [key for key in spec if key not in _NOT_SOURCES and isinstance(spec[key], dict)]
    errors: list[FieldError] = []
    for i, key in enumerate(found):
        if i:
            errors.append(forbidden(_SPEC.child(key), "may not specify more than 1 volume type"))
        else:
            errors += _one_source(key, spec, _SPEC.child(key))
    if not found:
        errors.append(required(_SPEC, "must specify a volume type"))
    return errors


def _one_source(key: str, spec: Object, path: Path) -> list[FieldError]:
    source = spec[key]
    match key:
        case "hostPath":
            where = source.get("path", "")
            return validate_no_backsteps(where, path.child("path")) if where else [required(path.child("path"))]
        case "local":
            where = source.get("path", "")
            errors = validate_no_backsteps(where, path.child("path")) if where else [required(path.child("path"))]
            if spec.get("nodeAffinity") is None:
                errors.append(required(_SPEC.child("nodeAffinity"), "Local volume requires node affinity"))
            return errors
        case "nfs":
            return [required(path.child(each)) for each in ("server", "path") if not source.get(each)]
        case "csi":
            return _csi(source, path)
    return []


def _csi(source: Object, path: Path) -> list[FieldError]:
    errors = validate_csi_driver_name(source.get("driver", ""), path.child("driver"))
    if not source.get("volumeHandle"):
        errors.append(required(path.child("volumeHandle")))
    for key in (
        "controllerPublishSecretRef",
        "controllerExpandSecretRef",
        "nodePublishSecretRef",
        "nodeExpandSecretRef",
        "nodeStageSecretRef",
    ):
        if source.get(key) is not None:
            errors += [required(path.child(key, each)) for each in ("name", "namespace") if not source[key].get(each)]
    return errors


def _names(spec: Object, keys: tuple[str, ...]) -> list[FieldError]:
    return [
        invalid(_SPEC.child(key), spec[key], each)
        for key in keys
        if spec.get(key)
        for each in names.dns_subdomain(spec[key])
    ]


def _attributes_class(spec: Object) -> list[FieldError]:
    name, path = spec.get("volumeAttributesClassName"), _SPEC.child("volumeAttributesClassName")
    if name is None:
        return []
    if not name:
        return [required(path, "an empty string is disallowed")]
    errors = [invalid(path, name, each) for each in names.dns_subdomain(name)]
    if spec.get("csi") is None:
        errors.append(required(_SPEC.child("csi"), "has to be specified when using volumeAttributesClassName"))
    return errors


def validate_persistent_volume_update(volume: Object, old: Object) -> list[FieldError]:
    errors = validate_persistent_volume(volume)
    spec, before = volume.get("spec") or {}, old.get("spec") or {}
    sources = {key: value for key, value in spec.items() if key not in _NOT_SOURCES}
    if sources != {key: value for key, value in before.items() if key not in _NOT_SOURCES}:
        text = "spec.persistentvolumesource is immutable after creation"
        errors.append(forbidden(Path("spec.persistentvolumesource"), text))
    if spec.get("volumeMode") != before.get("volumeMode"):
        errors.append(invalid(Path("volumeMode"), spec.get("volumeMode"), IMMUTABLE))
    if before.get("nodeAffinity") is not None and spec.get("nodeAffinity") != before["nodeAffinity"]:
        text = f"{IMMUTABLE}, except for updating from beta label to GA"
        errors.append(invalid(_SPEC.child("nodeAffinity"), spec.get("nodeAffinity"), text))
    return errors


def validate_claim(claim: Object) -> list[FieldError]:
    return validate_claim_spec(claim.get("spec") or {}, _SPEC)


def validate_claim_update(claim: Object, old: Object) -> list[FieldError]:
    errors = validate_claim(claim)
    spec, before = claim.get("spec") or {}, old.get("spec") or {}
    fixed, fixed_before = _fixed_claim(spec), _fixed_claim(before)
    if not before.get("volumeName"):
        fixed.pop("volumeName", None)
    asked, asked_before = _storage(spec), _storage(before)
    if fixed != fixed_before or (asked != asked_before and _phase(old) != "Bound"):
        text = (
            "spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims"
        )
        errors.append(forbidden(_SPEC, text))
    capacity = ((old.get("status") or {}).get("capacity") or {}).get("storage")
    if asked and asked_before and quantity.compare(asked, asked_before) < 0:
        at = _SPEC.child("resources", "requests", "storage")
        if capacity is None or quantity.compare(asked, capacity) < 0:
            errors.append(forbidden(at, "field can not be less than status.capacity"))
    return errors


def _fixed_claim(spec: Object) -> Object:
    fixed = {key: value for key, value in spec.items() if key not in ("resources", "volumeAttributesClassName")}
    return {key: value for key, value in fixed.items() if value is not None}


def _storage(spec: Object) -> str | None:
    found: str | None = ((spec.get("resources") or {}).get("requests") or {}).get("storage")
    return found


def _phase(claim: Object) -> str:
    return str((claim.get("status") or {}).get("phase") or "")


# ---- storage.k8s.io ------------------------------------------------------------------------------------------------

PARAMETERS_BYTES_MAX = 256 * 1024
PARAMETERS_MAX = 512


def _provisioner(name: str, path: Path) -> list[FieldError]:
    if not name:
        return [required(path)]
    return [invalid(path, name, each) for each in names.qualified_name(name.lower())]


def _parameters(parameters: dict[str, str] | None, path: Path) -> list[FieldError]:
    errors: list[FieldError] = []
    size = 0
    for key, value in (parameters or {}).items():
        if not key:
            errors.append(invalid(path, key, "field can not be empty."))
        size += len(key) + len(value)
    if len(parameters or {}) > PARAMETERS_MAX:
        errors.append(too_long(path, PARAMETERS_MAX))
    if size > PARAMETERS_BYTES_MAX:
        errors.append(too_long(path, PARAMETERS_BYTES_MAX))
    return errors


def validate_storage_class(storage_class: Object) -> list[FieldError]:
    errors = _provisioner(storage_class.get("provisioner", ""), Path("provisioner"))
    errors += _parameters(storage_class.get("parameters"), Path("parameters"))
    policy = storage_class.get("reclaimPolicy", "")
    if policy and policy not in ("Delete", "Retain"):
        errors.append(not_supported(Path("reclaimPolicy"), policy, ("Delete", "Retain")))
    mode, path = storage_class.get("volumeBindingMode"), Path("volumeBindingMode")
    if mode is None:
        errors.append(required(path))
    elif mode not in ("Immediate", "WaitForFirstConsumer"):
        errors.append(not_supported(path, mode, ("Immediate", "WaitForFirstConsumer")))
    return errors + _topologies(storage_class.get("allowedTopologies") or [], Path("allowedTopologies"))


def _topologies(terms: list[Object], path: Path) -> list[FieldError]:
    errors: list[FieldError] = []
    seen: list[dict[str, list[str]]] = []
    for i, term in enumerate(terms):
        expressions, at = term.get("matchLabelExpressions") or [], path.index(i).child("matchLabelExpressions")
        keys: dict[str, list[str]] = {}
        for j, expression in enumerate(expressions):
            key, values = expression.get("key", ""), expression.get("values") or []
            where = at.index(j)
            errors += _topology_values(values, where.child("values"))
            errors += [invalid(where.child("key"), key, each) for each in names.qualified_name(key)]
            if key in keys:
                errors.append(duplicate(where.child("key"), key))
            keys[key] = sorted(values)
        if keys in seen:
            errors.append(duplicate(at, ""))
        seen.append(keys)
    return errors


def _topology_values(values: list[str], path: Path) -> list[FieldError]:
    if not values:
        return [required(path)]
    errors: list[FieldError] = []
    seen: set[str] = set()
    for i, value in enumerate(values):
        if value in seen:
            errors.append(duplicate(path.index(i), value))
        seen.add(value)
    return errors


def validate_storage_class_update(storage_class: Object, old: Object) -> list[FieldError]:
    errors: list[FieldError] = []
    if (storage_class.get("parameters") or {}) != (old.get("parameters") or {}):
        errors.append(forbidden(Path("parameters"), "updates to parameters are forbidden."))
    for key in ("provisioner", "reclaimPolicy"):
        if storage_class.get(key) != old.get(key):
            errors.append(forbidden(Path(key), f"updates to {key} are forbidden."))
    if storage_class.get("volumeBindingMode") != old.get("volumeBindingMode"):
        errors.append(invalid(Path("volumeBindingMode"), storage_class.get("volumeBindingMode"), IMMUTABLE))
    return errors + _topologies(storage_class.get("allowedTopologies") or [], Path("allowedTopologies"))


def validate_volume_attributes_class(each: Object) -> list[FieldError]:
    errors = _provisioner(each.get("driverName", ""), Path("driverName"))
    if not each.get("parameters"):
        return [*errors, required(Path("parameters"), "must contain at least one key/value pair")]
    return errors + _parameters(each["parameters"], Path("parameters"))


def validate_volume_attributes_class_update(each: Object, old: Object) -> list[FieldError]:
    errors: list[FieldError] = []
    if each.get("driverName") != old.get("driverName"):
        errors.append(forbidden(Path("driverName"), "updates to driverName are forbidden."))
    if (each.get("parameters") or {}) != (old.get("parameters") or {}):
        errors.append(forbidden(Path("parameters"), "updates to parameters are forbidden."))
    return errors


def validate_csi_node(node: Object) -> list[FieldError]:
    errors: list[FieldError] = []
    seen: set[str] = set()
    for i, driver in enumerate((node.get("spec") or {}).get("drivers") or []):
        path, name, node_id = _SPEC.child("drivers").index(i), driver.get("name", ""), driver.get("nodeID", "")
        errors += validate_csi_driver_name(name, path.child("name"))
        if not node_id:
            errors.append(required(path.child("nodeID")))
        elif len(node_id) > 256:
            errors.append(invalid(path.child("nodeID"), node_id, "must be 256 characters or less"))
        count = (driver.get("allocatable") or {}).get("count")
        if count is not None and count < 0:
            at = path.child("allocatable", "count")
            errors.append(invalid(at, count, "must be greater than or equal to 0"))
        if name in seen:
            errors.append(duplicate(path.child("name"), name))
        seen.add(name)
        for key in driver.get("topologyKeys") or []:
            if not key:
                errors.append(required(path.child("topologyKeys")))
            errors += [invalid(path.child("topologyKeys"), key, each) for each in names.qualified_name(key)]
    return errors


_LIFECYCLE_MODES = ("Ephemeral", "Persistent")
_GROUP_POLICIES = ("File", "None", "ReadWriteOnceWithFSType")


def validate_csi_driver(driver: Object) -> list[FieldError]:
    spec = driver.get("spec") or {}
    errors = validate_csi_driver_name(driver["metadata"].get("name", ""), Path("metadata").child("name"))
    for key in ("attachRequired", "podInfoOnMount", "storageCapacity", "seLinuxMount"):
        if spec.get(key) is None:
            named = {"attachRequired": "attachedRequired"}.get(key, key)
            errors.append(required(_SPEC.child(named)))
    policy, path = spec.get("fsGroupPolicy"), _SPEC.child("fsGroupPolicy")
    if policy is None:
        errors.append(required(path))
    elif policy not in _GROUP_POLICIES:
        errors.append(not_supported(path, policy, ("None", "File", "ReadWriteOnceWithFSType")))
    seen: set[str] = set()
    for i, request in enumerate(spec.get("tokenRequests") or []):
        audience, at = request.get("audience", ""), _SPEC.child("tokenRequests").index(i)
        if audience in seen:
            errors.append(duplicate(at.child("audience"), audience))
        seen.add(audience)
        seconds = request.get("expirationSeconds")
        if seconds is not None and seconds < 600:
            text = "may not specify a duration less than 10 minutes"
            errors.append(invalid(at.child("expirationSeconds"), seconds, text))
    for mode in spec.get("volumeLifecycleModes") or []:
        if mode not in _LIFECYCLE_MODES:
            errors.append(not_supported(_SPEC.child("volumeLifecycleModes"), mode, _LIFECYCLE_MODES))
    return errors


def validate_csi_driver_update(driver: Object, old: Object) -> list[FieldError]:
    spec, before = driver.get("spec") or {}, old.get("spec") or {}
    errors = validate_csi_driver(driver)
    for key, named in (("attachRequired", "attachedRequired"), ("volumeLifecycleModes", "volumeLifecycleModes")):
        if spec.get(key) != before.get(key):
            errors.append(invalid(_SPEC.child(named), spec.get(key), IMMUTABLE))
    return errors


def validate_storage_capacity(capacity: Object) -> list[FieldError]:
    name = capacity.get("storageClassName", "")
    errors = [invalid(Path("storageClassName"), name, each) for each in names.dns_subdomain(name)]
    for key in ("capacity", "maximumVolumeSize"):
        value = capacity.get(key)
        if value is not None and quantity.nano(value) < 0:
            errors.append(invalid(Path(key), value, "must be greater than or equal to 0"))
    topology = capacity.get("nodeTopology")
    if topology is not None:
        errors += validate_labels(topology.get("matchLabels"), Path("nodeTopology").child("matchLabels"))
    return errors


def validate_volume_attachment(attachment: Object) -> list[FieldError]:
    spec = attachment.get("spec") or {}
    errors: list[FieldError] = []
    attacher, node = spec.get("attacher", ""), spec.get("nodeName", "")
    if not attacher:
        errors.append(required(_SPEC.child("attacher")))
    else:
        errors += [invalid(_SPEC.child("attacher"), attacher, each) for each in names.qualified_name(attacher.lower())]
    source, path = spec.get("source") or {}, _SPEC.child("source")
    inline, volume = source.get("inlineVolumeSpec"), source.get("persistentVolumeName")
    if inline is None and volume is None:
        errors.append(required(path, "must specify exactly one of inlineVolumeSpec and persistentVolumeName"))
    elif inline is not None and volume is not None:
        errors.append(forbidden(path, "must specify exactly one of inlineVolumeSpec and persistentVolumeName"))
    elif volume == "":
        errors.append(required(path.child("persistentVolumeName"), "must specify non empty persistentVolumeName"))
    return errors + [invalid(_SPEC.child("nodeName"), node, each) for each in names.dns_subdomain(node)]


def validate_volume_attachment_update(attachment: Object, old: Object) -> list[FieldError]:
    errors = validate_volume_attachment(attachment)
    if attachment.get("spec") != old.get("spec"):
        errors.append(invalid(_SPEC, attachment.get("spec"), IMMUTABLE))
    return errors
