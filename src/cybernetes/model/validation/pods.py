"""Pod specs, in pods and in templates.

source  Kubernetes, pkg/apis/core/validation: PodSpec and what it is made of
"""

from __future__ import annotations

import re
from typing import Any

from cybernetes.model.field import FieldError, Path, duplicate, forbidden, invalid, not_supported, required
from cybernetes.model.memo import Memo
from cybernetes.model.validation import names
from cybernetes.model.validation.containers import (
    validate_containers,
    validate_ephemeral_containers,
    validate_init_containers,
)
from cybernetes.model.validation.env import validate_file_volumes
from cybernetes.model.validation.meta import validate_annotations, validate_labels
from cybernetes.model.validation.pod_view import PodView
from cybernetes.model.validation.resources import validate_requirements
from cybernetes.model.validation.scheduling import (
    validate_affinity,
    validate_scheduling_gates,
    validate_spread_constraints,
    validate_tolerations,
)
from cybernetes.model.validation.security import validate_pod_security
from cybernetes.model.validation.volumes import validate_volumes

Spec = dict[str, Any]
_INT32_MAX = 2**31 - 1
_RESTART_POLICIES = ("Always", "OnFailure", "Never")
_DNS_POLICIES = ("ClusterFirstWithHostNet", "ClusterFirst", "Default", "None")
_NAMESERVERS_MAX = 3
_SEARCHES_MAX = 32
_SEARCH_CHARACTERS_MAX = 2048
_SEARCH_PATTERN = r"_?[a-z0-9]([-_a-z0-9]*[a-z0-9])?(\._?[a-z0-9]([-_a-z0-9]*[a-z0-9])?)*"
_search = re.compile(rf"(?:{_SEARCH_PATTERN})\Z")
_SEARCH_MESSAGE = names.regex_message(
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '_', '-' or '.', "
    "and must start and end with an alphanumeric character",
    _SEARCH_PATTERN,
    "example.com",
)


def validate_template_meta(template: dict[str, Any], path: Path) -> list[FieldError]:
    meta = template.get("metadata") or {}
    errors = validate_labels(meta.get("labels"), path.child("labels"))
    errors += validate_annotations(meta.get("annotations"), path.child("annotations"))
    return errors + validate_pod_annotations(
        meta.get("annotations") or {}, template.get("spec") or {}, path.child("annotations")
    )


def validate_pod_template(template: dict[str, Any], path: Path) -> list[FieldError]:
    errors = validate_template_meta(template, path)
    errors += validate_pod_spec(template.get("spec") or {}, None, path.child("spec"))
    if (template.get("spec") or {}).get("ephemeralContainers"):
        errors.append(
            forbidden(path.child("spec", "ephemeralContainers"), "ephemeral containers not allowed in pod template")
        )
    return errors


def validate_pod_annotations(annotations: dict[str, str], spec: Spec, path: Path) -> list[FieldError]:
    errors: list[FieldError] = []
    mirror = annotations.get("kubernetes.io/config.mirror")
    if mirror is not None and not spec.get("nodeName"):
        text = "must set spec.nodeName if mirror pod annotation is set"
        errors.append(invalid(path.key("kubernetes.io/config.mirror"), mirror, text))
    cost = annotations.get("controller.kubernetes.io/pod-deletion-cost")
    if cost is not None and not _is_int32(cost):
        at = path.key("controller.kubernetes.io/pod-deletion-cost")
        errors.append(invalid(at, cost, "must be a 32bit integer"))
    return errors


def _is_int32(text: str) -> bool:
    return bool(re.fullmatch(r"-?(0|[1-9][0-9]*)", text)) and -(2**31) <= int(text) <= _INT32_MAX


def validate_pod_spec(spec: Spec, pod_meta: dict[str, Any] | None, path: Path) -> list[FieldError]:
    """pod_meta is None in templates."""
    # Of the pod's metadata only claims for ephemeral volumes need something, its name.
    names_claims = any("ephemeral" in each for each in spec.get("volumes") or ())
    name = (pod_meta or {}).get("name", "") if names_claims else ""
    return list(_judged(spec, name, path.text))


def _judge(spec: Spec, pod_name: str, at: str) -> tuple[FieldError, ...]:
    path = Path(at)
    volumes, errors = validate_volumes(spec.get("volumes") or [], pod_name, path.child("volumes"))
    claims = {each.get("name", "") for each in spec.get("resourceClaims") or []}
    errors += _resource_claims(spec.get("resourceClaims") or [], path.child("resourceClaims"))
    pod = PodView(
        volumes=volumes,
        claims=claims,
        grace_s=_grace(spec.get("terminationGracePeriodSeconds")),
        restart_policy=spec.get("restartPolicy", ""),
        os=(spec.get("os") or {}).get("name", ""),
        host_users=spec.get("hostUsers") is not False,
    )
    regular, init = spec.get("containers") or [], spec.get("initContainers") or []
    errors += validate_containers(regular, pod, path.child("containers"))
    errors += validate_init_containers(init, regular, pod, path.child("initContainers"))
    ephemeral = spec.get("ephemeralContainers") or []
    errors += validate_ephemeral_containers(ephemeral, [*regular, *init], pod, path.child("ephemeralContainers"))
    errors += validate_file_volumes(spec, path)
    if spec.get("resources"):
        errors += validate_requirements(spec["resources"], set(), path.child("resources"))
    errors += _host_network(spec, path)
    errors += _one_of(spec.get("restartPolicy", ""), _RESTART_POLICIES, path.child("restartPolicy"))
    errors += _one_of(spec.get("dnsPolicy", ""), _DNS_POLICIES, path.child("dnsPolicy"))
    errors += validate_labels(spec.get("nodeSelector"), path.child("nodeSelector"))
    errors += validate_pod_security(spec, path.child("securityContext"))
    errors += validate_affinity(spec.get("affinity"), path.child("affinity"))
    errors += _dns_config(spec.get("dnsConfig"), spec.get("dnsPolicy", ""), path.child("dnsConfig"))
    errors += _readiness_gates(spec.get("readinessGates") or [], path.child("readinessGates"))
    errors += validate_scheduling_gates(spec.get("schedulingGates") or [], path.child("schedulingGates"))
    errors += validate_spread_constraints(
        spec.get("topologySpreadConstraints") or [], path.child("topologySpreadConstraints")
    )
    errors += _host_users(spec, path)
    return tuple(errors + _scalars(spec, path))


_judged = Memo(_judge)


def _grace(seconds: int | None) -> int | None:
    """A negative period is accepted for the sake of old objects, and means one second."""
    return 1 if seconds is not None and seconds < 0 else seconds


def _one_of(value: str, allowed: tuple[str, ...], path: Path) -> list[FieldError]:
    if value == "":
        return [required(path)]
    return [] if value in allowed else [not_supported(path, value, allowed)]


def _scalars(spec: Spec, path: Path) -> list[FieldError]:
    errors: list[FieldError] = []
    for key, rule in (("serviceAccountName", names.dns_subdomain), ("nodeName", names.dns_subdomain)):
        value = spec.get(key, "")
        if value:
            errors += [invalid(path.child(key), value, each) for each in rule(value)]
    deadline = spec.get("activeDeadlineSeconds")
    if deadline is not None and not 1 <= deadline <= _INT32_MAX:
        errors.append(invalid(path.child("activeDeadlineSeconds"), deadline, names.between(1, _INT32_MAX)))
    for key in ("hostname", "subdomain"):
        value = spec.get(key, "")
        if value:
            errors += [invalid(path.child(key), value, each) for each in names.dns_label(value)]
    errors += validate_tolerations(spec.get("tolerations") or [], path.child("tolerations"))
    errors += _host_aliases(spec.get("hostAliases") or [], path.child("hostAliases"))
    for key in ("priorityClassName", "runtimeClassName"):
        value = spec.get(key, "")
        if value:
            errors += [invalid(path.child(key), value, each) for each in names.dns_subdomain(value)]
    policy = spec.get("preemptionPolicy")
    if policy is not None:
        errors += _one_of(policy, ("PreemptLowerPriority", "Never"), path.child("preemptionPolicy"))
    if spec.get("overhead"):
        errors += validate_requirements({"limits": spec["overhead"]}, set(), path.child("overhead"))
    os = spec.get("os")
    if os is not None and os.get("name", "") not in ("linux", "windows"):
        if not os.get("name"):
            errors.append(required(path.child("os", "name")))
        else:
            errors.append(not_supported(path.child("os"), os["name"], ("linux", "windows")))
    return errors


def _resource_claims(claims: list[dict[str, Any]], path: Path) -> list[FieldError]:
    errors: list[FieldError] = []
    seen: set[str] = set()
    for i, claim in enumerate(claims):
        at, name = path.index(i), claim.get("name", "")
        if not name:
            errors.append(required(at.child("name")))
        elif name in seen:
            errors.append(duplicate(at.child("name"), name))
        else:
            errors += [invalid(at.child("name"), name, each) for each in names.dns_label(name)]
            seen.add(name)
        direct, template = claim.get("resourceClaimName"), claim.get("resourceClaimTemplateName")
        if direct is not None and template is not None:
            text = "at most one of `resourceClaimName` or `resourceClaimTemplateName` may be specified"
            errors.append(invalid(at, claim, text))
        if direct is None and template is None:
            text = "must specify one of: `resourceClaimName`, `resourceClaimTemplateName`"
            errors.append(invalid(at, claim, text))
        for key, value in (("resourceClaimName", direct), ("resourceClaimTemplateName", template)):
            if value is not None:
                errors += [invalid(at.child(key), value, each) for each in names.dns_subdomain(value)]
    return errors


def _host_network(spec: Spec, path: Path) -> list[FieldError]:
    if not spec.get("hostNetwork"):
        return []
    errors: list[FieldError] = []
    for i, container in enumerate(spec.get("containers") or []):
        for j, port in enumerate(container.get("ports") or []):
            if port.get("hostPort", 0) != port.get("containerPort", 0):
                at = path.child("containers").index(i).child("ports").index(j).child("hostPort")
                text = "must match `containerPort` when `hostNetwork` is true"
                errors.append(invalid(at, port.get("hostPort", 0), text))
    return errors


def _host_users(spec: Spec, path: Path) -> list[FieldError]:
    if spec.get("hostUsers") is not False:
        return []
    errors: list[FieldError] = []
    for key, name in (("hostNetwork", "hostNetwork"), ("hostPID", "HostPID"), ("hostIPC", "HostIPC")):
        if spec.get(key):
            errors.append(forbidden(path.child(name), "when `hostUsers` is false"))
    return errors


def _dns_config(config: dict[str, Any] | None, policy: str, path: Path) -> list[FieldError]:
    if policy == "None" and config is None:
        return [required(path, "must provide `dnsConfig` when `dnsPolicy` is None")]
    if config is None:
        return []
    errors: list[FieldError] = []
    servers, searches = config.get("nameservers") or [], config.get("searches") or []
    if policy == "None" and not servers:
        text = "must provide at least one DNS nameserver when `dnsPolicy` is None"
        return [required(path.child("nameservers"), text)]
    if len(servers) > _NAMESERVERS_MAX:
        errors.append(
            invalid(path.child("nameservers"), servers, f"must not have more than {_NAMESERVERS_MAX} nameservers")
        )
    for i, server in enumerate(servers):
        errors += [
            invalid(path.child("nameservers").index(i), server, each) for each in names.legacy_ip_address(server)
        ]
    if len(searches) > _SEARCHES_MAX:
        errors.append(
            invalid(path.child("searches"), searches, f"must not have more than {_SEARCHES_MAX} search paths")
        )
    if len(" ".join(searches)) > _SEARCH_CHARACTERS_MAX:
        text = f"must not have more than {_SEARCH_CHARACTERS_MAX} characters (including spaces) in the search list"
        errors.append(invalid(path.child("searches"), searches, text))
    for i, search in enumerate(searches):
        errors += _search_path(search, path.child("searches").index(i))
    for i, option in enumerate(config.get("options") or []):
        if not option.get("name"):
            errors.append(required(path.child("options").index(i), "must not be empty"))
    return errors


def _search_path(search: str, path: Path) -> list[FieldError]:
    if search == ".":
        return []
    name = search.removesuffix(".")
    errors = [invalid(path, search, names.at_most_characters(253))] if len(name) > 253 else []
    return errors if _search.match(name) else [*errors, invalid(path, search, _SEARCH_MESSAGE)]


def _readiness_gates(gates: list[dict[str, Any]], path: Path) -> list[FieldError]:
    errors: list[FieldError] = []
    for i, gate in enumerate(gates):
        kind = gate.get("conditionType", "")
        errors += [invalid(path.index(i).child("conditionType"), kind, each) for each in names.qualified_name(kind)]
    return errors


def _host_aliases(aliases: list[dict[str, Any]], path: Path) -> list[FieldError]:
    errors: list[FieldError] = []
    for i, alias in enumerate(aliases):
        address = alias.get("ip", "")
        errors += [invalid(path.index(i).child("ip"), address, each) for each in names.legacy_ip_address(address)]
        for j, host in enumerate(alias.get("hostnames") or []):
            at = path.index(i).child("hostnames").index(j)
            errors += [invalid(at, host, each) for each in names.dns_subdomain(host)]
    return errors
