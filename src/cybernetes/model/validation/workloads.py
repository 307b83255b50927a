"""Deployments, replica sets, stateful sets, daemon sets, replication controllers.

source  Kubernetes, pkg/apis/apps/validation
"""

from __future__ import annotations

from typing import Any

from cybernetes.model.field import FieldError, Path, forbidden, invalid, not_supported, required
from cybernetes.model.validation import names
from cybernetes.model.validation.claims import validate_claim_spec
from cybernetes.model.validation.meta import IMMUTABLE, NOT_NEGATIVE, not_negative
from cybernetes.model.validation.pods import validate_pod_template, validate_template_meta
from cybernetes.model.validation.selectors import matches_labels, validate_label_selector

Object = dict[str, Any]
_SPEC = Path("spec")
_TEMPLATE = _SPEC.child("template")
_MISMATCH = "`selector` does not match template `labels`"


def _is_empty(selector: dict[str, Any]) -> bool:
    return not selector.get("matchLabels") and not selector.get("matchExpressions")


def _selector(selector: dict[str, Any] | None, kind: str) -> list[FieldError]:
    path = _SPEC.child("selector")
    if selector is None:
        return [required(path)]
    errors = validate_label_selector(selector, path)
    if _is_empty(selector):
        errors.append(invalid(path, selector, f"empty selector is invalid for {kind}"))
    return errors


def _selected_template(spec: Object, kind: str) -> list[FieldError]:
    """The selector must be usable and select the template's labels; then the template itself."""
    selector, template = spec.get("selector"), spec.get("template") or {}
    if selector is not None and validate_label_selector(selector, _SPEC):
        return [invalid(_SPEC.child("selector"), selector, "invalid label selector")]
    return (
        _matching_labels(selector, template) + validate_pod_template(template, _TEMPLATE) + _always_runs(template, kind)
    )


def _matching_labels(selector: dict[str, Any] | None, template: Object) -> list[FieldError]:
    labels = (template.get("metadata") or {}).get("labels")
    if selector is not None and matches_labels(selector, labels or {}):
        return []
    return [invalid(_TEMPLATE.child("metadata", "labels"), labels, _MISMATCH)]


def _always_runs(template: Object, kind: str) -> list[FieldError]:
    spec, path = template.get("spec") or {}, _TEMPLATE.child("spec")
    errors: list[FieldError] = []
    if spec.get("restartPolicy") != "Always":
        errors.append(not_supported(path.child("restartPolicy"), spec.get("restartPolicy", ""), ("Always",)))
    if spec.get("activeDeadlineSeconds") is not None:
        text = f"activeDeadlineSeconds in {kind} is not Supported"
        errors.append(forbidden(path.child("activeDeadlineSeconds"), text))
    return errors


def int_or_percent(value: int | str, path: Path) -> list[FieldError]:
    """Not negative, or a percentage."""
    if isinstance(value, int):
        return [invalid(path, value, NOT_NEGATIVE)] if value < 0 else []
    return [invalid(path, value, each) for each in names.percent(value)]


def at_most_all(value: int | str, path: Path) -> list[FieldError]:
    if isinstance(value, str) and not names.percent(value) and int(value[:-1]) > 100:
        return [invalid(path, value, "must not be greater than 100%")]
    return []


def _amount(value: int | str | None) -> int:
    if isinstance(value, str):
        return int(value[:-1]) if not names.percent(value) else 0
    return value or 0


def validate_deployment(deployment: Object) -> list[FieldError]:
    spec = deployment.get("spec") or {}
    errors = not_negative(spec.get("replicas", 0), _SPEC.child("replicas"))
    errors += _selector(spec.get("selector"), "deployment")
    errors += _selected_template(spec, "ReplicaSet")
    errors += _strategy(spec.get("strategy") or {}, _SPEC.child("strategy"))
    ready_s = spec.get("minReadySeconds", 0)
    errors += not_negative(ready_s, _SPEC.child("minReadySeconds"))
    errors += not_negative(spec.get("revisionHistoryLimit"), _SPEC.child("revisionHistoryLimit"))
    deadline, path = spec.get("progressDeadlineSeconds"), _SPEC.child("progressDeadlineSeconds")
    errors += not_negative(deadline, path)
    if deadline is not None and deadline <= ready_s:
        errors.append(invalid(path, deadline, "must be greater than minReadySeconds"))
    return errors


def _strategy(strategy: Object, path: Path) -> list[FieldError]:
    rolling = strategy.get("rollingUpdate")
    match strategy.get("type", ""):
        case "Recreate":
            if rolling is None:
                return []
            return [forbidden(path.child("rollingUpdate"), "may not be specified when strategy `type` is 'Recreate'")]
        case "RollingUpdate":
            if rolling is None:
                return [required(path.child("rollingUpdate"), "this should be defaulted and never be nil")]
            return _rolling_update(rolling, path.child("rollingUpdate"))
        case other:
            return [not_supported(path, _shown_strategy(other, rolling), ("Recreate", "RollingUpdate"))]


def _shown_strategy(kind: str, rolling: Object | None) -> Object:
    """As the reference prints its internal struct."""
    if rolling is None:
        return {"Type": kind, "RollingUpdate": None}
    shown = {"MaxUnavailable": rolling.get("maxUnavailable", 0), "MaxSurge": rolling.get("maxSurge", 0)}
    return {"Type": kind, "RollingUpdate": shown}


def _rolling_update(rolling: Object, path: Path) -> list[FieldError]:
    unavailable, surge = rolling.get("maxUnavailable", 0), rolling.get("maxSurge", 0)
    errors = int_or_percent(unavailable, path.child("maxUnavailable"))
    errors += int_or_percent(surge, path.child("maxSurge"))
    if _amount(unavailable) == 0 and _amount(surge) == 0:
        text = "may not be 0 when `maxSurge` is 0"
        errors.append(invalid(path.child("maxUnavailable"), unavailable, text))
    return errors + at_most_all(unavailable, path.child("maxUnavailable"))


def selector_is_immutable(obj: Object, old: Object) -> list[FieldError]:
    now, before = (obj.get("spec") or {}).get("selector"), (old.get("spec") or {}).get("selector")
    return [] if now == before else [invalid(_SPEC.child("selector"), now, IMMUTABLE)]


def validate_deployment_update(deployment: Object, old: Object) -> list[FieldError]:
    return validate_deployment(deployment) + selector_is_immutable(deployment, old)


def validate_replica_set(replica_set: Object) -> list[FieldError]:
    spec = replica_set.get("spec") or {}
    errors = not_negative(spec.get("replicas", 0), _SPEC.child("replicas"))
    errors += not_negative(spec.get("minReadySeconds", 0), _SPEC.child("minReadySeconds"))
    errors += _selector(spec.get("selector"), "deployment")
    return errors + _selected_template(spec, "ReplicaSet")


def validate_replica_set_update(replica_set: Object, old: Object) -> list[FieldError]:
    return validate_replica_set(replica_set) + selector_is_immutable(replica_set, old)


def validate_daemon_set(daemon_set: Object) -> list[FieldError]:
    spec = daemon_set.get("spec") or {}
    selector, template = spec.get("selector"), spec.get("template") or {}
    wrong = validate_label_selector(selector, _SPEC.child("selector"))
    errors = list(wrong)
    if not wrong:
        errors += _matching_labels(selector, template)
    if selector is not None and _is_empty(selector):
        errors.append(invalid(_SPEC.child("selector"), selector, "empty selector is invalid for daemonset"))
    errors += validate_pod_template(template, _TEMPLATE) + _always_runs(template, "DaemonSet")
    errors += _daemon_update_strategy(spec.get("updateStrategy") or {}, _SPEC.child("updateStrategy"))
    errors += not_negative(spec.get("minReadySeconds", 0), _SPEC.child("minReadySeconds"))
    return errors + not_negative(spec.get("revisionHistoryLimit"), _SPEC.child("revisionHistoryLimit"))


def _daemon_update_strategy(strategy: Object, path: Path) -> list[FieldError]:
    rolling = strategy.get("rollingUpdate")
    match strategy.get("type", ""):
        case "OnDelete":
            return []
        case "RollingUpdate":
            if rolling is None:
                return [required(path.child("rollingUpdate"))]
        case other:
            return [not_supported(path, _shown_strategy(other, rolling), ("RollingUpdate", "OnDelete"))]
    at = path.child("rollingUpdate")
    unavailable, surge = rolling.get("maxUnavailable", 0), rolling.get("maxSurge", 0)
    errors = int_or_percent(unavailable, at.child("maxUnavailable")) + int_or_percent(surge, at.child("maxSurge"))
    if _amount(unavailable) == 0 and _amount(surge) == 0:
        errors.append(required(at.child("maxUnavailable"), "cannot be 0 when maxSurge is 0"))
    if _amount(unavailable) != 0 and _amount(surge) != 0:
        text = "may not be set when maxUnavailable is non-zero"
        errors.append(invalid(at.child("maxSurge"), surge, text))
    errors += at_most_all(unavailable, at.child("maxUnavailable"))
    return errors + at_most_all(surge, at.child("maxSurge"))


def validate_daemon_set_update(daemon_set: Object, old: Object) -> list[FieldError]:
    return selector_is_immutable(daemon_set, old) + validate_daemon_set(daemon_set)


def validate_stateful_set(stateful_set: Object) -> list[FieldError]:
    spec = stateful_set.get("spec") or {}
    errors: list[FieldError] = []
    policy = spec.get("podManagementPolicy", "")
    if policy not in ("OrderedReady", "Parallel"):
        path = _SPEC.child("podManagementPolicy")
        errors.append(required(path) if not policy else invalid(path, policy, "must be 'OrderedReady' or 'Parallel'"))
    errors += _stateful_update_strategy(spec.get("updateStrategy") or {}, _SPEC.child("updateStrategy"))
    errors += _retention(
        spec.get("persistentVolumeClaimRetentionPolicy"), _SPEC.child("persistentVolumeClaimRetentionPolicy")
    )
    errors += not_negative(spec.get("replicas", 0), _SPEC.child("replicas"))
    errors += not_negative(spec.get("minReadySeconds", 0), _SPEC.child("minReadySeconds"))
    errors += not_negative((spec.get("ordinals") or {}).get("start"), _SPEC.child("ordinals", "start"))
    service = spec.get("serviceName", "")
    if service:
        errors += [invalid(_SPEC.child("serviceName"), service, each) for each in names.dns_label(service)]
    for i, claim in enumerate(spec.get("volumeClaimTemplates") or []):
        path = _SPEC.child("volumeClaimTemplates").index(i)
        errors += validate_claim_spec(claim.get("spec") or {}, path.child("spec"))
    errors += _selector(spec.get("selector"), "statefulset")
    errors += _stateful_template(spec)
    return errors + not_negative(spec.get("revisionHistoryLimit"), _SPEC.child("revisionHistoryLimit"))


def _stateful_template(spec: Object) -> list[FieldError]:
    """The template as its pods will have it: each claim template is a volume."""
    selector, template = spec.get("selector"), spec.get("template") or {}
    if selector is not None and validate_label_selector(selector, _SPEC):
        # The reference prints nothing behind the value here.
        return [invalid(_SPEC.child("selector"), selector, "")]
    given = [(each.get("metadata") or {}).get("name", "") for each in spec.get("volumeClaimTemplates") or []]
    claims = list(dict.fromkeys(given))
    pod = dict(template.get("spec") or {})
    own = [each for each in pod.get("volumes") or [] if each.get("name") not in claims]
    if claims:
        pod["volumes"] = [
            *({"name": name, "persistentVolumeClaim": {"claimName": name}} for name in claims),
            *own,
        ]
    with_claims = {**template, "spec": pod}
    # The reference looks at labels and annotations twice.
    errors = _matching_labels(selector, template) + validate_template_meta(template, _TEMPLATE)
    errors += validate_pod_template(with_claims, _TEMPLATE)
    return errors + _always_runs(template, "StatefulSet")


def _stateful_update_strategy(strategy: Object, path: Path) -> list[FieldError]:
    kind, rolling = strategy.get("type", ""), strategy.get("rollingUpdate")
    if kind == "":
        return [required(path)]
    if kind == "OnDelete":
        if rolling is None:
            return []
        return [invalid(path.child("rollingUpdate"), rolling, "only allowed for updateStrategy 'RollingUpdate'")]
    if kind != "RollingUpdate":
        shown = None
        if rolling is not None:
            shown = {"Partition": rolling.get("partition", 0), "MaxUnavailable": rolling.get("maxUnavailable")}
        return [invalid(path, {"Type": kind, "RollingUpdate": shown}, "must be 'RollingUpdate' or 'OnDelete'")]
    if rolling is None:
        return []
    errors = not_negative(rolling.get("partition", 0), path.child("rollingUpdate", "partition"))
    unavailable = rolling.get("maxUnavailable")
    if unavailable is not None:
        at = path.child("rollingUpdate", "maxUnavailable")
        errors += int_or_percent(unavailable, at)
        if _amount(unavailable) == 0:
            errors.append(invalid(at, unavailable, "cannot be 0"))
        errors += at_most_all(unavailable, at)
    return errors


def _retention(policy: Object | None, path: Path) -> list[FieldError]:
    errors: list[FieldError] = []
    for key in ("whenDeleted", "whenScaled"):
        value = (policy or {}).get(key, "")
        if policy is not None and value not in ("Retain", "Delete"):
            errors.append(not_supported(path.child(key), value, ("Retain", "Delete")))
    return errors


_STATEFUL_MUTABLE = (
    "replicas",
    "ordinals",
    "template",
    "updateStrategy",
    "revisionHistoryLimit",
    "persistentVolumeClaimRetentionPolicy",
    "minReadySeconds",
)


def validate_stateful_set_update(stateful_set: Object, old: Object) -> list[FieldError]:
    errors = validate_stateful_set(stateful_set)
    now, before = stateful_set.get("spec") or {}, old.get("spec") or {}
    changed = {key for key in now.keys() | before.keys() if now.get(key) != before.get(key)}
    if changed - set(_STATEFUL_MUTABLE):
        listed = ", ".join(f"'{each}'" for each in _STATEFUL_MUTABLE[:-1]) + f" and '{_STATEFUL_MUTABLE[-1]}'"
        errors.append(forbidden(_SPEC, f"updates to statefulset spec for fields other than {listed} are forbidden"))
    return errors


def validate_replication_controller(controller: Object) -> list[FieldError]:
    spec = controller.get("spec") or {}
    selector, template = spec.get("selector") or {}, spec.get("template")
    errors = not_negative(spec.get("minReadySeconds", 0), _SPEC.child("minReadySeconds"))
    if not selector:
        errors.append(required(_SPEC.child("selector")))
    errors += not_negative(spec.get("replicas", 0), _SPEC.child("replicas"))
    if template is None:
        return [*errors, required(_TEMPLATE)]
    if selector:
        errors += _matching_labels({"matchLabels": selector}, template)
    return errors + validate_pod_template(template, _TEMPLATE) + _always_runs(template, "ReplicationController")
