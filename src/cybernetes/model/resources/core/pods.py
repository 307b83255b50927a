"""Pods: their strategy, and those of their subresources."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cybernetes.base.clock import rfc3339
from cybernetes.model.field import FieldError, Path, forbidden
from cybernetes.model.printing.pods import PODS
from cybernetes.model.qos import qos_class
from cybernetes.model.resource import GET_PATCH_UPDATE, Object, Resource, Strategy, Subresource, WriteContext
from cybernetes.model.strategy import first_generation, keep, next_generation, standard, status_of
from cybernetes.model.validation.meta import validate_meta_update
from cybernetes.model.validation.pod_resize import same_containers, validate_resize
from cybernetes.model.validation.pod_status import validate_pod_status
from cybernetes.model.validation.pod_update import validate_spec_update
from cybernetes.model.validation.pods import validate_pod_annotations, validate_pod_spec
from cybernetes.model.warnings.pods import of_pod

_DEFAULT_GRACE_S = 30


def _new_status(obj: Object, ctx: WriteContext) -> None:
    obj["status"] = {"phase": "Pending", "qosClass": qos_class(obj["spec"])}
    if obj["spec"].get("schedulingGates"):
        obj["status"]["conditions"] = [
            {
                "type": "PodScheduled",
                "status": "False",
                "reason": "SchedulingGated",
                "message": "Scheduling is blocked due to non-empty scheduling gates",
                "lastProbeTime": None,
                "lastTransitionTime": rfc3339(ctx.now),
            }
        ]


def _merge_match_label_keys(obj: Object, ctx: WriteContext) -> None:
    """The values of the pod's own labels become requirements of its selectors (KEP-3633)."""
    affinity = obj["spec"].get("affinity")
    if not affinity:
        return
    labels = obj["metadata"].get("labels") or {}
    for kind in ("podAffinity", "podAntiAffinity"):
        for term in _terms(affinity.get(kind) or {}):
            _add_requirements(term, term.get("matchLabelKeys"), "In", labels)
            _add_requirements(term, term.get("mismatchLabelKeys"), "NotIn", labels)


def _terms(affinity: dict[str, Any]) -> list[dict[str, Any]]:
    required = affinity.get("requiredDuringSchedulingIgnoredDuringExecution") or []
    preferred = affinity.get("preferredDuringSchedulingIgnoredDuringExecution") or []
    return [*required, *(each["podAffinityTerm"] for each in preferred if "podAffinityTerm" in each)]


def _add_requirements(term: dict[str, Any], keys: list[str] | None, operator: str, labels: dict[str, str]) -> None:
    selector = term.get("labelSelector")
    if selector is None:
        return
    for key in keys or []:
        if key in labels:
            requirement = {"key": key, "operator": operator, "values": [labels[key]]}
            selector.setdefault("matchExpressions", []).append(requirement)


def _validate(obj: Object) -> list[FieldError]:
    spec, meta = obj.get("spec") or {}, obj["metadata"]
    errors = validate_pod_annotations(meta.get("annotations") or {}, spec, Path("metadata.annotations"))
    errors += validate_pod_spec(spec, meta, Path("spec"))
    if spec.get("ephemeralContainers"):
        errors.append(forbidden(Path("spec.ephemeralContainers"), "cannot be set on create"))
    if spec.get("nodeName") and spec.get("schedulingGates"):
        text = "cannot be set until all schedulingGates have been cleared"
        errors.append(forbidden(Path("spec.nodeName"), text))
    return errors


def _validate_update(obj: Object, old: Object) -> list[FieldError]:
    return validate_spec_update(obj, old)


def _keep_old_status_facts(obj: Object, old: Object, ctx: WriteContext) -> None:
    """What a status write can't clear."""
    status, before = obj.setdefault("status", {}), old.get("status") or {}
    if not status.get("qosClass") and before.get("qosClass"):
        status["qosClass"] = before["qosClass"]
    if not status.get("observedGeneration") and before.get("observedGeneration"):
        status["observedGeneration"] = before["observedGeneration"]
    _keep_meta(obj, old, "ownerReferences", "deletionTimestamp")


def _keep_meta(obj: Object, old: Object, *keys: str) -> None:
    for key in keys:
        if key in old["metadata"]:
            obj["metadata"][key] = old["metadata"][key]
        else:
            obj["metadata"].pop(key, None)


def _only_ephemeral_containers(obj: Object, old: Object, ctx: WriteContext) -> None:
    added = (obj.get("spec") or {}).get("ephemeralContainers") or []
    _replace_with_old(obj, old)
    obj["spec"] = {**old["spec"], "ephemeralContainers": added}
    _bump(obj, old)


def _validate_ephemeral_containers(obj: Object, old: Object, ctx: WriteContext) -> list[FieldError]:
    path = Path("spec")
    errors = validate_meta_update(obj, old) + validate_pod_spec(obj["spec"], obj["metadata"], path)
    now = {each.get("name"): each for each in obj["spec"].get("ephemeralContainers") or []}
    for each in old["spec"].get("ephemeralContainers") or []:
        name = each.get("name")
        if name not in now:
            text = f'existing ephemeral containers "{name}" may not be removed\n'
            errors.append(forbidden(path.child("ephemeralContainers"), text))
        elif now[name] != each:
            text = f'existing ephemeral containers "{name}" may not be changed\n'
            errors.append(forbidden(path.child("ephemeralContainers"), text))
    return errors


def _only_resources(obj: Object, old: Object, ctx: WriteContext) -> None:
    wanted = obj.get("spec") or {}
    _replace_with_old(obj, old)
    # Containers that came, went or moved are the validation's to refuse.
    obj["spec"] = _resized(old["spec"], wanted) if same_containers(wanted, old["spec"]) else wanted
    _bump(obj, old)


def _resized(spec: Object, wanted: Object) -> Object:
    """`spec` with the resources of the pod and its containers, and the containers' resize policies, as wanted."""
    result = dict(spec)
    for key in ("containers", "initContainers"):
        if spec.get(key):
            pairs = zip(spec[key], wanted[key], strict=True)
            result[key] = [_taking(container, new, "resources", "resizePolicy") for container, new in pairs]
    return _taking(result, wanted, "resources")


def _taking(target: Object, source: Object, *keys: str) -> Object:
    kept = {key: value for key, value in target.items() if key not in keys or key in source}
    return {**kept, **{key: source[key] for key in keys if key in source}}


def _validate_resize(obj: Object, old: Object, ctx: WriteContext) -> list[FieldError]:
    errors = validate_meta_update(obj, old) + validate_pod_spec(obj["spec"], obj["metadata"], Path("spec"))
    return errors + validate_resize(obj, old)


def _replace_with_old(obj: Object, old: Object) -> None:
    version = obj["metadata"].get("resourceVersion")
    managed = obj["metadata"].get("managedFields")
    obj["metadata"] = dict(old["metadata"])
    for key, value in (("resourceVersion", version), ("managedFields", managed)):
        if value is not None:
            obj["metadata"][key] = value
    obj["status"] = old.get("status") or {}


def _bump(obj: Object, old: Object) -> None:
    before = old["metadata"].get("generation", 0)
    obj["metadata"]["generation"] = before + (obj["spec"] != old["spec"])


def _grace(obj: Object, options: Mapping[str, Any]) -> int:
    """Seconds until the kubelet kills it; 0 when no kubelet has it, or its containers have ended."""
    spec, status = obj.get("spec") or {}, obj.get("status") or {}
    if not spec.get("nodeName") or status.get("phase") in ("Succeeded", "Failed"):
        return 0
    asked = options.get("gracePeriodSeconds")
    period = spec.get("terminationGracePeriodSeconds", _DEFAULT_GRACE_S) if asked is None else asked
    return 1 if period < 0 else period


def _spec_field(name: str) -> Any:
    return lambda obj: str((obj.get("spec") or {}).get(name) or "")


def _status_field(name: str) -> Any:
    return lambda obj: str((obj.get("status") or {}).get(name) or "")


_FIELDS = {
    "spec.nodeName": _spec_field("nodeName"),
    "spec.host": _spec_field("nodeName"),
    "spec.restartPolicy": _spec_field("restartPolicy"),
    "spec.schedulerName": _spec_field("schedulerName"),
    "spec.serviceAccountName": _spec_field("serviceAccountName"),
    "spec.hostNetwork": lambda obj: "true" if (obj.get("spec") or {}).get("hostNetwork") else "false",
    "status.phase": _status_field("phase"),
    "status.podIP": _status_field("podIP"),
    "status.podIPs": lambda obj: ",".join(each.get("ip", "") for each in (obj.get("status") or {}).get("podIPs") or []),
    "status.nominatedNodeName": _status_field("nominatedNodeName"),
}


RESOURCE = Resource(
    group="",
    version="v1",
    kind="Pod",
    plural="pods",
    singular="pod",
    namespaced=True,
    short_names=("po",),
    categories=("all",),
    subresources=(
        Subresource(name="attach", kind="PodAttachOptions", verbs=("create", "get")),
        Subresource(name="binding", kind="Binding", verbs=("create",)),
        Subresource(
            name="ephemeralcontainers",
            kind="Pod",
            verbs=GET_PATCH_UPDATE,
            strategy=Strategy(
                prepare_update=_only_ephemeral_containers, validate_update=_validate_ephemeral_containers
            ),
        ),
        Subresource(name="eviction", kind="Eviction", group="policy", version="v1", verbs=("create",)),
        Subresource(name="exec", kind="PodExecOptions", verbs=("create", "get")),
        Subresource(name="log", kind="Pod", verbs=("get",)),
        Subresource(name="portforward", kind="PodPortForwardOptions", verbs=("create", "get")),
        Subresource(name="proxy", kind="PodProxyOptions", verbs=("create", "delete", "get", "patch", "update")),
        Subresource(
            name="resize",
            kind="Pod",
            verbs=GET_PATCH_UPDATE,
            strategy=Strategy(prepare_update=_only_resources, validate_update=_validate_resize),
        ),
        Subresource(
            name="status",
            kind="Pod",
            verbs=GET_PATCH_UPDATE,
            strategy=status_of(
                prepare_update=(_keep_old_status_facts,),
                validate_update=validate_pod_status,
                reset_fields=(("spec",), ("metadata", "deletionTimestamp"), ("metadata", "ownerReferences")),
            ),
        ),
    ),
    storage_version_hash="xPOwRZ+Yhw8=",
    strategy=standard(
        namespaced=True,
        warnings=of_pod,
        meta_checks_on_update=2,
        validate=_validate,
        validate_update=_validate_update,
        prepare_create=(first_generation, _new_status, _merge_match_label_keys),
        prepare_update=(keep("status"), next_generation("spec")),
        returns_deleted_object=True,
        grace=_grace,
        reset_fields=(("status",),),
    ),
    fields=_FIELDS,
    indexed=("spec.nodeName",),
    columns=PODS,
    schema="io.k8s.api.core.v1.Pod",
)
