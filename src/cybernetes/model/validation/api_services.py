"""Rules of APIServices.

source  k8s.io/kube-aggregator, validation of APIServices
"""

from __future__ import annotations

from typing import Any

from cybernetes.model.field import FieldError, Path, invalid, required
from cybernetes.model.validation import names

Object = dict[str, Any]
GROUP_PRIORITY_MAX, VERSION_PRIORITY_MAX = 20000, 1000


def name_errors(service: Object, name: str) -> list[str]:
    """The rule of metadata.name."""
    problems = names.path_segment(name)
    if problems:
        return problems
    wanted = f"{service['spec'].get('version', '')}.{service['spec'].get('group', '')}"
    return [] if name == wanted else [f'must be `spec.version+"."+spec.group`: "{wanted}"']


def validate_api_service(service: Object) -> list[FieldError]:
    spec, path = service["spec"], Path("spec")
    group, version = spec.get("group", ""), spec.get("version", "")
    errors = []
    if not group:
        if version != "v1":
            detail = "only v1 may have an empty group and it better be legacy kube"
            errors.append(required(path.child("group"), detail))
    else:
        errors += [invalid(path.child("group"), group, each) for each in names.dns_subdomain(group)]
    errors += [invalid(path.child("version"), version, each) for each in names.dns_1035_label(version)]
    for name, limit in (("groupPriorityMinimum", GROUP_PRIORITY_MAX), ("versionPriority", VERSION_PRIORITY_MAX)):
        if not 0 < spec[name] <= limit:
            errors.append(invalid(path.child(name), spec[name], f"must be positive and less than {limit}"))
    insecure, bundle = spec.get("insecureSkipTLSVerify", False), spec.get("caBundle")
    if spec.get("service") is None:
        if bundle:
            detail = "local APIServices may not have a caBundle"
            errors.append(invalid(path.child("caBundle"), f"{len(bundle)} bytes", detail))
        if insecure:
            detail = "local APIServices may not have insecureSkipTLSVerify"
            errors.append(invalid(path.child("insecureSkipTLSVerify"), insecure, detail))
        return errors
    errors += _target(spec["service"], path.child("service"))
    if insecure and bundle:
        detail = "may not be true if caBundle is present"
        errors.append(invalid(path.child("insecureSkipTLSVerify"), insecure, detail))
    return errors


def _target(target: Object, path: Path) -> list[FieldError]:
    errors = [required(path.child(name)) for name in ("namespace", "name") if not target.get(name)]
    port = target.get("port")
    problems = names.port_number(port) if port is not None else []
    if problems:
        errors.append(invalid(path.child("port"), port, "port is not valid: " + ", ".join(problems)))
    return errors
