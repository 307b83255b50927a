"""Roles and bindings.

source  Kubernetes, pkg/apis/rbac/validation
"""

from __future__ import annotations

from typing import Any

from cybernetes.model.field import FieldError, Path, forbidden, invalid, not_supported, required
from cybernetes.model.validation import names
from cybernetes.model.validation.selectors import validate_label_selector

Object = dict[str, Any]
GROUP = "rbac.authorization.k8s.io"


def validate_role(role: Object) -> list[FieldError]:
    return _rules(role, namespaced=True)


def validate_cluster_role(role: Object) -> list[FieldError]:
    errors = _rules(role, namespaced=False)
    aggregation, path = role.get("aggregationRule"), Path("aggregationRule").child("clusterRoleSelectors")
    if aggregation is not None:
        selectors = aggregation.get("clusterRoleSelectors") or []
        if not selectors:
            errors.append(required(path, "at least one clusterRoleSelector required if aggregationRule is non-nil"))
        for i, selector in enumerate(selectors):
            wrong = validate_label_selector(selector, path.index(i))
            errors += wrong
            if wrong:
                errors.append(invalid(path.index(i), None, "invalid label selector."))
    return errors


def _rules(role: Object, *, namespaced: bool) -> list[FieldError]:
    errors: list[FieldError] = []
    for i, rule in enumerate(role.get("rules") or []):
        errors += _rule(rule, Path("rules").index(i), namespaced=namespaced)
    return errors


def _rule(rule: Object, path: Path, *, namespaced: bool) -> list[FieldError]:
    errors: list[FieldError] = []
    if not rule.get("verbs"):
        errors.append(required(path.child("verbs"), "verbs must contain at least one value"))
    urls, resources = rule.get("nonResourceURLs") or [], rule.get("resources") or []
    if urls:
        at = path.child("nonResourceURLs")
        if namespaced:
            errors.append(invalid(at, urls, "namespaced rules cannot apply to non-resource URLs"))
        if rule.get("apiGroups") or resources or rule.get("resourceNames"):
            text = "rules cannot apply to both regular resources and non-resource URLs"
            errors.append(invalid(at, urls, text))
        return errors
    if not rule.get("apiGroups"):
        errors.append(required(path.child("apiGroups"), "resource rules must supply at least one api group"))
    if not resources:
        errors.append(required(path.child("resources"), "resource rules must supply at least one resource"))
    return errors


def validate_role_binding(binding: Object) -> list[FieldError]:
    return _binding(binding, ("Role", "ClusterRole"), namespaced=True)


def validate_cluster_role_binding(binding: Object) -> list[FieldError]:
    return _binding(binding, ("ClusterRole",), namespaced=False)


def _binding(binding: Object, kinds: tuple[str, ...], *, namespaced: bool) -> list[FieldError]:
    ref, path = binding.get("roleRef") or {}, Path("roleRef")
    errors: list[FieldError] = []
    if ref.get("apiGroup", "") != GROUP:
        errors.append(not_supported(path.child("apiGroup"), ref.get("apiGroup", ""), (GROUP,)))
    if ref.get("kind", "") not in kinds:
        errors.append(not_supported(path.child("kind"), ref.get("kind", ""), kinds))
    name = ref.get("name", "")
    if not name:
        errors.append(required(path.child("name")))
    else:
        errors += [invalid(path.child("name"), name, each) for each in names.path_segment(name)]
    for i, subject in enumerate(binding.get("subjects") or []):
        errors += _subject(subject, Path("subjects").index(i), namespaced=namespaced)
    return errors


def _subject(subject: Object, path: Path, *, namespaced: bool) -> list[FieldError]:
    errors: list[FieldError] = []
    name, kind, group = subject.get("name", ""), subject.get("kind", ""), subject.get("apiGroup", "")
    namespace = subject.get("namespace", "")
    if not name:
        errors.append(required(path.child("name")))
    if kind == "ServiceAccount":
        if name:
            errors += [invalid(path.child("name"), name, each) for each in names.dns_subdomain(name)]
        if group:
            errors.append(not_supported(path.child("apiGroup"), group, ("",)))
        if not namespaced and not namespace:
            errors.append(required(path.child("namespace")))
    elif kind in ("User", "Group"):
        if group != GROUP:
            errors.append(not_supported(path.child("apiGroup"), group, (GROUP,)))
        if namespace:
            errors.append(forbidden(path.child("namespace"), f"{kind}s are not namespaced"))
    else:
        errors.append(not_supported(path.child("kind"), kind, ("ServiceAccount", "User", "Group")))
    return errors


def _same_role(binding: Object, old: Object) -> list[FieldError]:
    if binding.get("roleRef") == old.get("roleRef"):
        return []
    return [invalid(Path("roleRef"), binding.get("roleRef"), "cannot change roleRef")]


def validate_role_binding_update(binding: Object, old: Object) -> list[FieldError]:
    return validate_role_binding(binding) + _same_role(binding, old)


def validate_cluster_role_binding_update(binding: Object, old: Object) -> list[FieldError]:
    return validate_cluster_role_binding(binding) + _same_role(binding, old)
