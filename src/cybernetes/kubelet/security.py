"""Security contexts as the runtime understands them. Pure.

source  kubernetes.io "Configure a Security Context"
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cybernetes.kubelet import pods
from cybernetes.kubelet.env import ConfigError
from cybernetes.kubelet.pods import Object
from cybernetes.kubelet.runtime.api import Image
from cybernetes.wire.grpc import cri_runtime_pb2 as cri

MASKED_PATHS = (
    "/proc/asound",
    "/proc/acpi",
    "/proc/interrupts",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/sys/firmware",
    "/sys/devices/virtual/powercap",
)
READONLY_PATHS = ("/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger")

SAFE_SYSCTLS = (
    "kernel.shm_rmid_forced",
    "net.ipv4.ip_local_port_range",
    "net.ipv4.tcp_syncookies",
    "net.ipv4.ping_group_range",
    "net.ipv4.ip_unprivileged_port_start",
    "net.ipv4.ip_local_reserved_ports",
    "net.ipv4.tcp_keepalive_time",
    "net.ipv4.tcp_keepalive_intvl",
    "net.ipv4.tcp_keepalive_probes",
    "net.ipv4.tcp_fin_timeout",
    "net.ipv4.tcp_rmem",
    "net.ipv4.tcp_wmem",
)


def context_of(holder: Object) -> Object:
    return holder.get("securityContext") or {}


def effective(pod: Object, container: Object, field: str) -> Any:
    """The container's setting, or the pod's; None when neither has one."""
    own = context_of(container).get(field)
    return own if own is not None else context_of(pod["spec"]).get(field)


def is_privileged(container: Object) -> bool:
    return bool(context_of(container).get("privileged"))


def supplemental_groups(pod: Object) -> list[int]:
    context = context_of(pod["spec"])
    own = [int(context["fsGroup"])] if context.get("fsGroup") is not None else []
    return own + [int(each) for each in context.get("supplementalGroups") or ()]


def sandbox_context(pod: Object) -> cri.LinuxSandboxSecurityContext:
    context = context_of(pod["spec"])
    result = cri.LinuxSandboxSecurityContext(
        namespace_options=namespaces(pod),
        supplemental_groups=supplemental_groups(pod),
        supplemental_groups_policy=_groups_policy(pod),
        privileged=any(is_privileged(each) for _, each in pods.all_containers(pod)),
        # Always the runtime's: a profile of the pod is for its containers, and may be too narrow for a sandbox.
        seccomp=cri.SecurityProfile(profile_type=cri.SecurityProfile.RuntimeDefault),
    )
    if context.get("runAsUser") is not None:
        result.run_as_user.value = int(context["runAsUser"])
    if context.get("runAsGroup") is not None:
        result.run_as_group.value = int(context["runAsGroup"])
    if context.get("seLinuxOptions"):
        result.selinux_options.CopyFrom(_selinux(context["seLinuxOptions"]))
    return result


def container_context(
    pod: Object, container: Object, image: Image, seccomp_root: str, thermal_paths: Sequence[str]
) -> cri.LinuxContainerSecurityContext:
    """What the container may do. Raises ConfigError when the pod forbids root and the image asks for it."""
    own = context_of(container)
    verify_non_root(pod, container, image)
    result = cri.LinuxContainerSecurityContext(
        namespace_options=namespaces(pod),
        privileged=is_privileged(container),
        readonly_rootfs=bool(own.get("readOnlyRootFilesystem")),
        no_new_privs=own.get("allowPrivilegeEscalation") is False,
        supplemental_groups=supplemental_groups(pod),
        supplemental_groups_policy=_groups_policy(pod),
        seccomp=_seccomp(effective(pod, container, "seccompProfile"), seccomp_root),
    )
    if container.get("targetContainerName"):
        result.namespace_options.pid = cri.TARGET
    if own.get("procMount") != "Unmasked":
        result.masked_paths.extend((*MASKED_PATHS, *thermal_paths))
        result.readonly_paths.extend(READONLY_PATHS)
    _set_user(result, pod, container, image)
    capabilities = own.get("capabilities") or {}
    if capabilities:
        result.capabilities.add_capabilities.extend(capabilities.get("add") or ())
        result.capabilities.drop_capabilities.extend(capabilities.get("drop") or ())
    selinux = effective(pod, container, "seLinuxOptions")
    if selinux:
        result.selinux_options.CopyFrom(_selinux(selinux))
    apparmor = effective(pod, container, "appArmorProfile")
    if apparmor:
        result.apparmor.CopyFrom(_profile(apparmor, ""))
    return result


def _set_user(result: cri.LinuxContainerSecurityContext, pod: Object, container: Object, image: Image) -> None:
    user, group = effective(pod, container, "runAsUser"), effective(pod, container, "runAsGroup")
    if user is not None:
        result.run_as_user.value = int(user)
    elif image.username:
        result.run_as_username = image.username
    else:
        result.run_as_user.value = image.uid or 0
    result.run_as_user.SetInParent() if not result.run_as_username else None
    if group is not None:
        result.run_as_group.value = int(group)
        result.run_as_group.SetInParent()


def verify_non_root(pod: Object, container: Object, image: Image) -> None:
    if not effective(pod, container, "runAsNonRoot"):
        return
    subject = f'(pod: "{pods.full_name(pod)}", container: {container["name"]})'
    user = effective(pod, container, "runAsUser")
    if user is not None:
        if int(user) == 0:
            raise ConfigError(f"container's runAsUser breaks non-root policy {subject}")
        return
    if image.username:
        raise ConfigError(
            f"container has runAsNonRoot and image has non-numeric user ({image.username}), "
            f"cannot verify user is non-root {subject}"
        )
    if not image.uid:
        raise ConfigError(f"container has runAsNonRoot and image will run as root {subject}")


def namespaces(pod: Object) -> cri.NamespaceOption:
    spec = pod["spec"]
    if spec.get("hostUsers") is False:
        raise ConfigError("hostUsers: false needs a runtime with user namespaces, which this node does not have")
    pid = cri.NODE if spec.get("hostPID") else cri.POD if spec.get("shareProcessNamespace") else cri.CONTAINER
    return cri.NamespaceOption(
        network=cri.NODE if spec.get("hostNetwork") else cri.POD,
        pid=pid,
        ipc=cri.NODE if spec.get("hostIPC") else cri.POD,
        userns_options=cri.UserNamespace(mode=cri.NODE),
    )


def _groups_policy(pod: Object) -> Any:
    strict = context_of(pod["spec"]).get("supplementalGroupsPolicy") == "Strict"
    return cri.Strict if strict else cri.Merge


def _selinux(options: Object) -> cri.SELinuxOption:
    return cri.SELinuxOption(
        user=options.get("user", ""),
        role=options.get("role", ""),
        type=options.get("type", ""),
        level=options.get("level", ""),
    )


def _seccomp(profile: Object | None, root: str) -> cri.SecurityProfile:
    if not profile:
        return cri.SecurityProfile(profile_type=cri.SecurityProfile.Unconfined)
    return _profile(profile, root)


def _profile(profile: Object, root: str) -> cri.SecurityProfile:
    kind = profile.get("type", "")
    if kind == "RuntimeDefault":
        return cri.SecurityProfile(profile_type=cri.SecurityProfile.RuntimeDefault)
    if kind == "Localhost":
        name = profile.get("localhostProfile") or ""
        if not name:
            # Sent on, an empty name would mean no profile at all (CVE-2023-2431).
            raise ConfigError("localhostProfile must be set for a profile of type Localhost")
        return cri.SecurityProfile(
            profile_type=cri.SecurityProfile.Localhost, localhost_ref=f"{root}/{name}" if root else name
        )
    return cri.SecurityProfile(profile_type=cri.SecurityProfile.Unconfined)


def forbidden_sysctl(pod: Object, allowed: Sequence[str]) -> str:
    """The first sysctl that this node does not let pods set; "" when there is none."""
    for name in sysctls(pod):
        if name not in SAFE_SYSCTLS and not any(_covers(pattern, name) for pattern in allowed):
            return name
    return ""


def sysctls(pod: Object) -> dict[str, str]:
    """Kernel settings of the pod, names with dots. A name whose first separator is a slash has them exchanged.

    source  kubernetes.io "Using sysctls in a Kubernetes Cluster", setting sysctl parameters
    """
    return {_dotted(each["name"]): each["value"] for each in context_of(pod["spec"]).get("sysctls") or ()}


def _dotted(name: str) -> str:
    first = next((c for c in name if c in "./"), ".")
    return name.translate(str.maketrans("./", "/.")) if first == "/" else name


def _covers(pattern: str, name: str) -> bool:
    return name.startswith(pattern[:-1]) if pattern.endswith("*") else name == pattern
