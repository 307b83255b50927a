"""Containers of a pod: names, images, ports, environment, mounts, devices.

source  Kubernetes, pkg/apis/core/validation: containers
"""

from __future__ import annotations

from typing import Any

from cybernetes.model.field import (
    FieldError,
    Path,
    duplicate,
    forbidden,
    invalid,
    not_found,
    not_supported,
    required,
    too_many,
)
from cybernetes.model.validation import names
from cybernetes.model.validation.env import validate_env, validate_env_from
from cybernetes.model.validation.paths import validate_local_descending_path
from cybernetes.model.validation.pod_view import PodView
from cybernetes.model.validation.probes import validate_hooks, validate_probes
from cybernetes.model.validation.resources import validate_requirements
from cybernetes.model.validation.security import validate_container_security

Container = dict[str, Any]
_PROTOCOLS = ("SCTP", "TCP", "UDP")
_PULL_POLICIES = ("Always", "IfNotPresent", "Never")
_RESTART_POLICIES = ("Always", "Never", "OnFailure")
_ONLY_SIDECARS = "may not be set for init containers without restartPolicy=Always"


def validate_containers(containers: list[Container], pod: PodView, path: Path) -> list[FieldError]:
    if not containers:
        return [required(path)]
    errors: list[FieldError] = []
    seen: set[str] = set()
    for i, container in enumerate(containers):
        at = path.index(i)
        errors += _validate_common(container, pod, at)
        name = container.get("name", "")
        if name:
            if name in seen:
                errors.append(duplicate(at.child("name"), name))
            seen.add(name)
        errors += validate_hooks(container.get("lifecycle"), pod, at.child("lifecycle"))
        errors += validate_probes(container, pod, at)
        if container.get("restartPolicy") is not None or container.get("restartPolicyRules"):
            errors += _validate_restart_policy(container, at)
    return errors + _host_port_conflicts(containers, path)


def validate_init_containers(
    containers: list[Container], regular: list[Container], pod: PodView, path: Path
) -> list[FieldError]:
    errors: list[FieldError] = []
    seen = {each.get("name", "") for each in regular}
    for i, container in enumerate(containers):
        at = path.index(i)
        errors += _validate_common(container, pod, at)
        policy = container.get("restartPolicy")
        if policy is not None or container.get("restartPolicyRules"):
            errors += _validate_restart_policy(container, at)
        name = container.get("name", "")
        if name:
            if name in seen:
                errors.append(duplicate(at.child("name"), name))
            seen.add(name)
        if policy == "Always":
            errors += validate_hooks(container.get("lifecycle"), pod, at.child("lifecycle"))
            errors += validate_probes(container, pod, at)
        else:
            for key in ("lifecycle", "livenessProbe", "readinessProbe", "startupProbe"):
                if container.get(key) is not None:
                    errors.append(forbidden(at.child(key), _ONLY_SIDECARS))
        errors += _host_port_conflicts([container], path)
    return errors


_EPHEMERAL_FORBIDDEN = (
    "ports",
    "livenessProbe",
    "readinessProbe",
    "startupProbe",
    "lifecycle",
    "resources",
    "resizePolicy",
    "restartPolicy",
)


def validate_ephemeral_containers(
    ephemeral: list[Container], others: list[Container], pod: PodView, path: Path
) -> list[FieldError]:
    errors: list[FieldError] = []
    other_names = {each.get("name", "") for each in others}
    seen = set(other_names)
    for i, container in enumerate(ephemeral):
        at = path.index(i)
        errors += _validate_common(container, pod, at)
        name = container.get("name", "")
        if name in seen:
            errors.append(duplicate(at.child("name"), name))
        seen.add(name)
        target = container.get("targetContainerName", "")
        if target and target not in other_names:
            errors.append(not_found(at.child("targetContainerName"), target))
        for key in _EPHEMERAL_FORBIDDEN:
            if container.get(key):
                errors.append(forbidden(at.child(key), "cannot be set for an Ephemeral Container"))
        for j, mount in enumerate(container.get("volumeMounts") or []):
            for key in ("subPath", "subPathExpr"):
                if mount.get(key):
                    where = at.child("volumeMounts").index(j).child(key)
                    errors.append(forbidden(where, "cannot be set for an Ephemeral Container"))
    return errors


def _validate_common(container: Container, pod: PodView, path: Path) -> list[FieldError]:
    errors: list[FieldError] = []
    name = container.get("name", "")
    if not name:
        errors.append(required(path.child("name")))
    else:
        errors += [invalid(path.child("name"), name, each) for each in names.dns_label(name)]
    image = container.get("image", "")
    if not image:
        errors.append(required(path.child("image")))
    policy = container.get("terminationMessagePolicy", "")
    if policy == "":
        errors.append(required(path.child("terminationMessagePolicy")))
    elif policy not in ("File", "FallbackToLogsOnError"):
        errors.append(not_supported(path.child("terminationMessagePolicy"), policy, ("File", "FallbackToLogsOnError")))
    errors += validate_ports(container.get("ports") or [], path.child("ports"))
    errors += validate_env(container.get("env") or [], path.child("env"))
    errors += validate_env_from(container.get("envFrom") or [], path.child("envFrom"))
    errors += _validate_mounts(container, pod, path.child("volumeMounts"))
    errors += _validate_devices(container, pod, path.child("volumeDevices"))
    errors += _validate_pull_policy(container.get("imagePullPolicy", ""), path.child("imagePullPolicy"))
    errors += validate_requirements(container.get("resources"), pod.claims, path.child("resources"))
    errors += _validate_resize_policy(container.get("resizePolicy") or [], pod, path.child("resizePolicy"))
    return errors + validate_container_security(
        container.get("securityContext"), path.child("securityContext"), host_users=pod.host_users
    )


def _validate_pull_policy(policy: str, path: Path) -> list[FieldError]:
    if policy == "":
        return [required(path)]
    return [] if policy in _PULL_POLICIES else [not_supported(path, policy, _PULL_POLICIES)]


def _validate_resize_policy(policies: list[dict[str, Any]], pod: PodView, path: Path) -> list[FieldError]:
    errors: list[FieldError] = []
    seen: set[str] = set()
    for i, each in enumerate(policies):
        name, policy = each.get("resourceName", ""), each.get("restartPolicy", "")
        if name in seen:
            errors.append(duplicate(path.index(i), name))
        seen.add(name)
        if name == "":
            errors.append(required(path.child("resourceName")))
        elif name not in ("cpu", "memory"):
            errors.append(not_supported(path.child("resourceName"), name, ("cpu", "memory")))
        if policy == "":
            errors.append(required(path.child("restartPolicy")))
        elif policy not in ("NotRequired", "RestartContainer"):
            errors.append(not_supported(path.child("restartPolicy"), policy, ("NotRequired", "RestartContainer")))
        if pod.restart_policy == "Never" and policy != "NotRequired":
            errors.append(invalid(path, policy, "must be 'NotRequired' when pod `restartPolicy` is 'Never'"))
    return errors


def _validate_restart_policy(container: Container, path: Path) -> list[FieldError]:
    policy, rules = container.get("restartPolicy"), container.get("restartPolicyRules") or []
    errors: list[FieldError] = []
    if rules and policy is None:
        text = "must specify restartPolicy when restart rules are used"
        errors.append(required(path.child("restartPolicy"), text))
    elif policy is not None and policy not in _RESTART_POLICIES:
        errors.append(not_supported(path.child("restartPolicy"), policy, _RESTART_POLICIES))
    at = path.child("restartPolicyRules")
    if len(rules) > 20:
        errors.append(too_many(at, len(rules), 20))
    for i, rule in enumerate(rules):
        action, codes = rule.get("action", ""), rule.get("exitCodes")
        if action not in ("Restart", "RestartAllContainers"):
            errors.append(not_supported(at.index(i).child("action"), action, ("Restart", "RestartAllContainers")))
        if codes is None:
            errors.append(required(at.index(i).child("exitCodes"), "must be specified"))
            continue
        operator, values = codes.get("operator", ""), codes.get("values") or []
        if operator not in ("In", "NotIn"):
            errors.append(not_supported(at.index(i).child("exitCodes", "operator"), operator, ("In", "NotIn")))
        if len(values) > 255:
            errors.append(too_many(at.index(i).child("exitCodes", "values"), len(values), 255))
    return errors


def validate_ports(ports: list[dict[str, Any]], path: Path) -> list[FieldError]:
    errors: list[FieldError] = []
    seen: set[str] = set()
    for i, port in enumerate(ports):
        at = path.index(i)
        name = port.get("name", "")
        if name:
            wrong = names.port_name(name)
            errors += [invalid(at.child("name"), name, each) for each in wrong]
            if not wrong and name in seen:
                errors.append(duplicate(at.child("name"), name))
            if not wrong:
                seen.add(name)
        number = port.get("containerPort", 0)
        if number == 0:
            errors.append(required(at.child("containerPort")))
        else:
            errors += [invalid(at.child("containerPort"), number, each) for each in names.port_number(number)]
        host_port = port.get("hostPort", 0)
        if host_port:
            errors += [invalid(at.child("hostPort"), host_port, each) for each in names.port_number(host_port)]
        protocol = port.get("protocol", "")
        if not protocol:
            errors.append(required(at.child("protocol")))
        elif protocol not in _PROTOCOLS:
            errors.append(not_supported(at.child("protocol"), protocol, _PROTOCOLS))
    return errors


def _host_port_conflicts(containers: list[Container], path: Path) -> list[FieldError]:
    errors: list[FieldError] = []
    seen: set[str] = set()
    for i, container in enumerate(containers):
        for j, port in enumerate(container.get("ports") or []):
            if not port.get("hostPort"):
                continue
            text = f"{port.get('protocol', '')}/{port.get('hostIP', '')}/{port['hostPort']}"
            if text in seen:
                errors.append(duplicate(path.index(i).child("ports").index(j).child("hostPort"), text))
            seen.add(text)
    return errors


def _validate_mounts(container: Container, pod: PodView, path: Path) -> list[FieldError]:
    errors: list[FieldError] = []
    devices = {each.get("name", ""): each.get("devicePath", "") for each in container.get("volumeDevices") or []}
    seen: set[str] = set()
    for i, mount in enumerate(container.get("volumeMounts") or []):
        at = path.index(i)
        name, where = mount.get("name", ""), mount.get("mountPath", "")
        if not name:
            errors.append(required(at.child("name")))
        if name not in pod.volumes:
            errors.append(not_found(at.child("name"), name))
        if not where:
            errors.append(required(at.child("mountPath")))
        if where in seen:
            errors.append(invalid(at.child("mountPath"), where, "must be unique"))
        seen.add(where)
        if name in devices:
            errors.append(invalid(at.child("name"), name, "must not already exist in volumeDevices"))
        if where in devices.values():
            errors.append(invalid(at.child("mountPath"), where, "must not already exist as a path in volumeDevices"))
        if mount.get("subPath"):
            errors += validate_local_descending_path(mount["subPath"], path.child("subPath"))
        if mount.get("subPathExpr"):
            if mount.get("subPath"):
                text = "subPathExpr and subPath are mutually exclusive"
                errors.append(invalid(path.child("subPathExpr"), mount["subPathExpr"], text))
            errors += validate_local_descending_path(mount["subPathExpr"], path.child("subPathExpr"))
        errors += _validate_propagation(mount, container, path.child("mountPropagation"))
        errors += _validate_recursive_read_only(mount, path.child("recursiveReadOnly"))
    return errors


def _validate_propagation(mount: dict[str, Any], container: Container, path: Path) -> list[FieldError]:
    propagation = mount.get("mountPropagation")
    if propagation is None:
        return []
    supported = ("Bidirectional", "HostToContainer", "None")
    if propagation not in supported:
        return [not_supported(path, propagation, supported)]
    privileged = (container.get("securityContext") or {}).get("privileged", False)
    if propagation == "Bidirectional" and not privileged:
        return [forbidden(path, "Bidirectional mount propagation is available only to privileged containers")]
    return []


def _validate_recursive_read_only(mount: dict[str, Any], path: Path) -> list[FieldError]:
    wanted = mount.get("recursiveReadOnly")
    if wanted in (None, "Disabled"):
        return []
    if wanted not in ("Enabled", "IfPossible"):
        return [not_supported(path, wanted, ("Disabled", "Enabled", "IfPossible"))]
    errors = []
    if not mount.get("readOnly"):
        errors.append(forbidden(path, "may only be specified when readOnly is true"))
    if mount.get("mountPropagation") not in (None, "None"):
        errors.append(forbidden(path, "may only be specified when mountPropagation is None or not specified"))
    return errors


def _validate_devices(container: Container, pod: PodView, path: Path) -> list[FieldError]:
    errors: list[FieldError] = []
    mounts = {each.get("name", ""): each.get("mountPath", "") for each in container.get("volumeMounts") or []}
    seen_names: set[str] = set()
    seen_paths: set[str] = set()
    for i, device in enumerate(container.get("volumeDevices") or []):
        at = path.index(i)
        name, where = device.get("name", ""), device.get("devicePath", "")
        if not name:
            errors.append(required(at.child("name")))
        if name in seen_names:
            errors.append(invalid(at.child("name"), name, "must be unique"))
        volume = pod.volumes.get(name)
        if volume is None:
            errors.append(not_found(at.child("name"), name))
        elif "persistentVolumeClaim" not in volume and "ephemeral" not in volume:
            text = "can only use volume source type of PersistentVolumeClaim or Ephemeral for block mode"
            errors.append(invalid(at.child("name"), name, text))
        if not where:
            errors.append(required(at.child("devicePath")))
        if where in seen_paths:
            errors.append(invalid(at.child("devicePath"), where, "must be unique"))
        if ".." in where.split("/"):
            errors.append(invalid(at.child("devicePath"), where, "can not contain backsteps ('..')"))
        seen_paths.add(where)
        if name in mounts:
            errors.append(invalid(at.child("name"), name, "must not already exist in volumeMounts"))
        if where in mounts.values():
            errors.append(invalid(at.child("devicePath"), where, "must not already exist as a path in volumeMounts"))
        if name:
            seen_names.add(name)
    return errors
