"""Storage classes, drivers, attachments: the group storage.k8s.io.

source  Kubernetes, pkg/apis/storage/validation
"""

from __future__ import annotations

from typing import Any

from cybernetes.model import quantity
from cybernetes.model.field import FieldError, Path, duplicate, forbidden, invalid, not_supported, required, too_long
from cybernetes.model.validation import names
from cybernetes.model.validation.meta import IMMUTABLE
from cybernetes.model.validation.selectors import validate_label_selector
from cybernetes.model.validation.volumes import validate_csi_driver_name

Object = dict[str, Any]
_SPEC = Path("spec")
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
    # The reference compares with terms to come too, as if they were empty: an empty term always repeats one.
    seen: list[dict[str, list[str]]] = [{} for _ in terms]
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
        errors += [duplicate(at, "") for each in seen if each == keys]
        seen[i] = keys
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
        errors += _topology_keys(driver.get("topologyKeys") or [], path)
    return errors


def validate_csi_node_update(node: Object, old: Object) -> list[FieldError]:
    """How many volumes a driver can attach may change; what else is said of it stays."""
    errors = validate_csi_node(node)
    before = {each.get("name", ""): _fixed_driver(each) for each in (old.get("spec") or {}).get("drivers") or []}
    for driver in (node.get("spec") or {}).get("drivers") or []:
        if before.get(driver.get("name", ""), fixed := _fixed_driver(driver)) != fixed:
            errors.append(invalid(Path("CSINodeDriver"), driver, IMMUTABLE))
    return errors


def _fixed_driver(driver: Object) -> Object:
    return {key: value for key, value in driver.items() if value and key != "allocatable"}


def _topology_keys(keys: list[str], driver: Path) -> list[FieldError]:
    errors: list[FieldError] = []
    for i, key in enumerate(keys):
        if not key:
            errors.append(required(driver))
        if key in keys[:i]:
            errors.append(duplicate(driver, key))
        errors += [invalid(driver, key, each) for each in names.qualified_name(key)]
    return errors


_LIFECYCLE_MODES = ("Persistent", "Ephemeral")
_GROUP_POLICIES = ("File", "None", "ReadWriteOnceWithFSType")


def validate_csi_driver(driver: Object) -> list[FieldError]:
    spec = driver.get("spec") or {}
    errors: list[FieldError] = []
    for key in ("attachRequired", "podInfoOnMount", "storageCapacity", "seLinuxMount"):
        if spec.get(key) is None:
            named = {"attachRequired": "attachedRequired"}.get(key, key)
            errors.append(required(_SPEC.child(named)))
    policy, path = spec.get("fsGroupPolicy"), _SPEC.child("fsGroupPolicy")
    if policy is None:
        errors.append(required(path))
    elif policy not in _GROUP_POLICIES:
        errors.append(not_supported(path, policy, _GROUP_POLICIES))
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
        errors += validate_label_selector(topology, Path("nodeTopology"))
    return errors


def validate_storage_capacity_update(capacity: Object, old: Object) -> list[FieldError]:
    """What a driver was asked stays; what it answered changes."""
    errors = validate_storage_capacity(capacity)
    for key in ("nodeTopology", "storageClassName"):
        if capacity.get(key) != old.get(key):
            errors.append(invalid(Path(key), capacity.get(key), IMMUTABLE))
    return errors


def validate_volume_attachment(attachment: Object) -> list[FieldError]:
    spec = attachment.get("spec") or {}
    errors: list[FieldError] = []
    attacher, node = spec.get("attacher", ""), spec.get("nodeName", "")
    if not attacher:
        errors.append(required(_SPEC.child("attacher")))
    source, path = spec.get("source") or {}, _SPEC.child("source")
    inline, volume = source.get("inlineVolumeSpec"), source.get("persistentVolumeName")
    if inline is None and volume is None:
        errors.append(required(path, "must specify exactly one of inlineVolumeSpec and persistentVolumeName"))
    elif inline is not None and volume is not None:
        errors.append(forbidden(path, "must specify exactly one of inlineVolumeSpec and persistentVolumeName"))
    elif volume == "":
        errors.append(required(path.child("persistentVolumeName"), "must specify non empty persistentVolumeName"))
    errors += [invalid(_SPEC.child("nodeName"), node, each) for each in names.dns_subdomain(node)]
    if attacher:
        errors += validate_csi_driver_name(attacher, _SPEC.child("attacher"))
    if volume is not None:
        errors += [invalid(path.child("persistentVolumeName"), volume, each) for each in names.dns_subdomain(volume)]
    return errors


def validate_volume_attachment_update(attachment: Object, old: Object) -> list[FieldError]:
    errors = validate_volume_attachment(attachment)
    if attachment.get("spec") != old.get("spec"):
        errors.append(invalid(_SPEC, attachment.get("spec"), IMMUTABLE))
    return errors
