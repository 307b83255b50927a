"""Security contexts of pods and containers.

source  Kubernetes, pkg/apis/core/validation: SecurityContext, PodSecurityContext, SeccompProfile, AppArmor, Sysctls
"""

from __future__ import annotations

import re
from typing import Any

from cybernetes.model.field import FieldError, Path, duplicate, invalid, not_supported, required, too_long
from cybernetes.model.validation import names
from cybernetes.model.validation.paths import validate_local_descending_path

_PROFILE_TYPES = ("Localhost", "RuntimeDefault", "Unconfined")
_SYSCTL_PATTERN = r"^([a-z0-9]([-_a-z0-9]*[a-z0-9])?[\./])*[a-z0-9]([-_a-z0-9]*[a-z0-9])?$"
_sysctl = re.compile(_SYSCTL_PATTERN.replace("$", r"\Z"))
_APPARMOR_PROFILE_MAX = 4095


def validate_container_security(context: dict[str, Any] | None, path: Path, *, host_users: bool) -> list[FieldError]:
    if context is None:
        return []
    errors = _ids(context, ("runAsUser", "runAsGroup"), path)
    proc_mount = context.get("procMount")
    if proc_mount is not None:
        if proc_mount not in ("Default", "Unmasked"):
            errors.append(not_supported(path.child("procMount"), proc_mount, ("Default", "Unmasked")))
        elif proc_mount == "Unmasked" and host_users:
            errors.append(invalid(path.child("procMount"), proc_mount, "`hostUsers` must be false to use `Unmasked`"))
    errors += _seccomp(context.get("seccompProfile"), path.child("seccompProfile"))
    if context.get("allowPrivilegeEscalation") is False:
        text = "cannot set `allowPrivilegeEscalation` to false and "
        if context.get("privileged"):
            errors.append(invalid(path, context, f"{text}`privileged` to true"))
        if "CAP_SYS_ADMIN" in ((context.get("capabilities") or {}).get("add") or []):
            errors.append(invalid(path, context, f"{text}`capabilities.Add` CAP_SYS_ADMIN"))
    return errors + _apparmor(context.get("appArmorProfile"), path.child("appArmorProfile"))


def validate_pod_security(spec: dict[str, Any], path: Path) -> list[FieldError]:
    context = spec.get("securityContext")
    if context is None:
        return []
    errors = _ids(context, ("fsGroup",), path)
    for key in ("runAsUser", "runAsGroup"):
        errors += _ids(context, (key,), path)
    for i, group in enumerate(context.get("supplementalGroups") or []):
        at = path.child("supplementalGroups").index(i)
        errors += [invalid(at, group, each) for each in names.user_or_group_id(group)]
    if spec.get("shareProcessNamespace") and spec.get("hostPID"):
        text = "ShareProcessNamespace and HostPID cannot both be enabled"
        errors.append(invalid(path.child("shareProcessNamespace"), True, text))
    errors += _sysctls(context.get("sysctls") or [], spec, path.child("sysctls"))
    policy = context.get("fsGroupChangePolicy")
    if policy is not None and policy not in ("OnRootMismatch", "Always"):
        errors.append(not_supported(path.child("fsGroupChangePolicy"), policy, ("Always", "OnRootMismatch")))
    errors += _seccomp(context.get("seccompProfile"), path.child("seccompProfile"))
    policy = context.get("supplementalGroupsPolicy")
    if policy is not None and policy not in ("Merge", "Strict"):
        errors.append(not_supported(path.child("supplementalGroupsPolicy"), policy, ("Merge", "Strict")))
    return errors + _apparmor(context.get("appArmorProfile"), path.child("appArmorProfile"))


def _ids(context: dict[str, Any], keys: tuple[str, ...], path: Path) -> list[FieldError]:
    errors: list[FieldError] = []
    for key in keys:
        value = context.get(key)
        if value is not None:
            errors += [invalid(path.child(key), value, each) for each in names.user_or_group_id(value)]
    return errors


def _seccomp(profile: dict[str, Any] | None, path: Path) -> list[FieldError]:
    if profile is None:
        return []
    kind, local = profile.get("type", ""), profile.get("localhostProfile")
    errors: list[FieldError] = []
    if kind == "":
        errors.append(required(path.child("type"), "type is required when seccompProfile is set"))
    elif kind not in _PROFILE_TYPES:
        errors.append(not_supported(path.child("type"), kind, _PROFILE_TYPES))
    if kind == "Localhost":
        if local is None:
            errors.append(required(path.child("localhostProfile"), "must be set when seccomp type is Localhost"))
        else:
            errors += validate_local_descending_path(local, path.child("localhostProfile"))
    elif local is not None:
        errors.append(invalid(path.child("localhostProfile"), local, "can only be set when seccomp type is Localhost"))
    return errors


def _apparmor(profile: dict[str, Any] | None, path: Path) -> list[FieldError]:
    if profile is None:
        return []
    kind, local = profile.get("type", ""), profile.get("localhostProfile")
    at = path.child("localhostProfile")
    errors: list[FieldError] = []
    if kind == "Localhost":
        if local is None:
            errors.append(required(at, "must be set when AppArmor type is Localhost"))
        else:
            if local != local.strip():
                errors.append(invalid(at, local, "must not be padded with whitespace"))
            elif not local:
                errors.append(required(at, "must be set when AppArmor type is Localhost"))
            if len(local) > _APPARMOR_PROFILE_MAX:
                errors.append(too_long(at, _APPARMOR_PROFILE_MAX))
    elif local is not None:
        errors.append(invalid(at, local, "can only be set when AppArmor type is Localhost"))
    if kind == "":
        errors.append(required(path.child("type"), "type is required when appArmorProfile is set"))
    elif kind not in _PROFILE_TYPES:
        errors.append(not_supported(path.child("type"), kind, _PROFILE_TYPES))
    return errors


def _sysctls(sysctls: list[dict[str, Any]], spec: dict[str, Any], path: Path) -> list[FieldError]:
    errors: list[FieldError] = []
    seen: set[str] = set()
    for i, each in enumerate(sysctls):
        at = path.index(i).child("name")
        name = each.get("name", "")
        if not name:
            errors.append(required(at))
        elif len(name) > 253 or not _sysctl.match(name):
            errors.append(invalid(at, name, f"must have at most 253 characters and match regex {_SYSCTL_PATTERN}"))
        elif name in seen:
            errors.append(duplicate(at, name))
        seen.add(name)
        dotted = name.replace("/", ".")
        if spec.get("hostNetwork") and dotted.startswith("net."):
            errors.append(invalid(at, name, "may not be specified when 'hostNetwork' is true"))
        if spec.get("hostIPC") and dotted.startswith(("kernel.shm", "kernel.msg", "kernel.sem", "fs.mqueue.")):
            errors.append(invalid(at, name, "may not be specified when 'hostIPC' is true"))
    return errors
