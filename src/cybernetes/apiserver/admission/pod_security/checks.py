"""The controls of the Pod Security Standards. A check says what is wrong with a pod, or None. Pure.

source  Kubernetes documentation "Pod Security Standards"
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import msgspec

Object = dict[str, Any]


class Violation(msgspec.Struct, frozen=True):
    reason: str
    detail: str = ""

    def __str__(self) -> str:
        return f"{self.reason} ({self.detail})" if self.detail else self.reason


class Pod(msgspec.Struct, frozen=True):
    """metadata, spec  of a pod or of a template; version: the minor version whose standard holds"""

    metadata: Object
    spec: Object
    version: int

    @property
    def security(self) -> Object:
        return self.spec.get("securityContext") or {}

    @property
    def is_windows(self) -> bool:
        return bool((self.spec.get("os") or {}).get("name") == "windows")

    @property
    def has_own_users(self) -> bool:
        """Root in the pod is nobody outside of it."""
        return self.spec.get("hostUsers") is False and self.version >= 35

    def containers(self) -> Iterator[tuple[str, Object, Object]]:
        """(name, container, its security context), init containers first."""
        for kind in ("initContainers", "containers", "ephemeralContainers"):
            for each in self.spec.get(kind) or ():
                yield each["name"], each, each.get("securityContext") or {}


Check = Callable[[Pod], Violation | None]

_CAPABILITIES = frozenset(
    (
        "AUDIT_WRITE",
        "CHOWN",
        "DAC_OVERRIDE",
        "FOWNER",
        "FSETID",
        "KILL",
        "MKNOD",
        "NET_BIND_SERVICE",
        "SETFCAP",
        "SETGID",
        "SETPCAP",
        "SETUID",
        "SYS_CHROOT",
    )
)
_SELINUX_TYPES = ("", "container_t", "container_init_t", "container_kvm_t")
_SECCOMP = ("RuntimeDefault", "Localhost")
_VOLUMES = frozenset(
    (
        "configMap",
        "csi",
        "downwardAPI",
        "emptyDir",
        "ephemeral",
        "image",
        "persistentVolumeClaim",
        "projected",
        "secret",
    )
)
# sysctl -> the minor version since which it is thought safe
_SYSCTLS = {
    "kernel.shm_rmid_forced": 0,
    "net.ipv4.ip_local_port_range": 0,
    "net.ipv4.tcp_syncookies": 0,
    "net.ipv4.ping_group_range": 0,
    "net.ipv4.ip_unprivileged_port_start": 0,
    "net.ipv4.ip_local_reserved_ports": 27,
    "net.ipv4.tcp_keepalive_time": 29,
    "net.ipv4.tcp_fin_timeout": 29,
    "net.ipv4.tcp_keepalive_intvl": 29,
    "net.ipv4.tcp_keepalive_probes": 29,
    "net.ipv4.tcp_rmem": 32,
    "net.ipv4.tcp_wmem": 32,
}
_APPARMOR = "container.apparmor.security.beta.kubernetes.io/"
_HANDLERS = ("livenessProbe", "readinessProbe", "startupProbe")


def _quoted(names: Iterable[str]) -> str:
    return ", ".join(f'"{each}"' for each in names)


def _plural(word: str, many: Iterable[Any]) -> str:
    return word if len(list(many)) == 1 else f"{word}s"


def _containers(names: list[str]) -> str:
    return f"{_plural('container', names)} {_quoted(names)}"


def _setters(pod_sets: bool, names: list[str]) -> str:
    return " and ".join((["pod"] if pod_sets else []) + ([_containers(names)] if names else []))


def host_namespaces(pod: Pod) -> Violation | None:
    shared = [f"{name}=true" for name in ("hostNetwork", "hostPID", "hostIPC") if pod.spec.get(name)]
    return Violation("host namespaces", ", ".join(shared)) if shared else None


def host_path_volumes(pod: Pod) -> Violation | None:
    bad = [each["name"] for each in pod.spec.get("volumes") or () if each.get("hostPath") is not None]
    return Violation("hostPath volumes", f"{_plural('volume', bad)} {_quoted(bad)}") if bad else None


def host_ports(pod: Pod) -> Violation | None:
    used = {name: [p["hostPort"] for p in c.get("ports") or () if p.get("hostPort")] for name, c, _ in pod.containers()}
    bad = [name for name, ports in used.items() if ports]
    if not bad:
        return None
    ports = sorted({str(port) for name in bad for port in used[name]})
    uses = "uses" if len(bad) == 1 else "use"
    return Violation("hostPort", f"{_containers(bad)} {uses} {_plural('hostPort', ports)} {', '.join(ports)}")


def host_probes(pod: Pod) -> Violation | None:
    if pod.version < 34:
        return None
    used = {name: sorted(set(_probed_hosts(container))) for name, container, _ in pod.containers()}
    bad = [name for name, hosts in used.items() if hosts]
    if not bad:
        return None
    hosts = sorted({host for name in bad for host in used[name]})
    uses = "uses" if len(bad) == 1 else "use"
    detail = f"{_containers(bad)} {uses} probe or lifecycle {_plural('host', hosts)} {_quoted(hosts)}"
    return Violation("probe or lifecycle host", detail)


def _probed_hosts(container: Object) -> Iterator[str]:
    handlers = [container.get(name) for name in _HANDLERS]
    handlers += [(container.get("lifecycle") or {}).get(name) for name in ("postStart", "preStop")]
    for handler in handlers:
        for kind in ("httpGet", "tcpSocket"):
            host = ((handler or {}).get(kind) or {}).get("host")
            if host:
                yield host


def privileged(pod: Pod) -> Violation | None:
    bad = [name for name, _, security in pod.containers() if security.get("privileged")]
    return Violation("privileged", f"{_containers(bad)} must not set securityContext.privileged=true") if bad else None


def proc_mount(pod: Pod) -> Violation | None:
    if pod.has_own_users:
        return None
    return _proc_mount(pod)


def _proc_mount(pod: Pod) -> Violation | None:
    used = {n: security["procMount"] for n, _, security in pod.containers() if security.get("procMount")}
    bad = [name for name, value in used.items() if value != "Default"]
    if not bad:
        return None
    values = sorted({used[name] for name in bad})
    return Violation("procMount", f"{_containers(bad)} must not set securityContext.procMount to {_quoted(values)}")


def capabilities(pod: Pod) -> Violation | None:
    detail = _adds(pod, _CAPABILITIES)
    return Violation("non-default capabilities", detail) if detail else None


def _adds(pod: Pod, allowed: Iterable[str]) -> str:
    used = {n: (security.get("capabilities") or {}).get("add") or [] for n, _, security in pod.containers()}
    bad = [name for name, added in used.items() if set(added) - set(allowed)]
    if not bad:
        return ""
    added = sorted({each for name in bad for each in used[name]} - set(allowed))
    return f"{_containers(bad)} must not include {_quoted(added)} in securityContext.capabilities.add"


def capabilities_restricted(pod: Pod) -> Violation | None:
    if pod.version < 22 or (pod.is_windows and pod.version >= 25):
        return None
    keeping = [
        name
        for name, _, security in pod.containers()
        if "ALL" not in ((security.get("capabilities") or {}).get("drop") or ())
    ]
    details = [f'{_containers(keeping)} must set securityContext.capabilities.drop=["ALL"]'] if keeping else []
    added = _adds(pod, ("NET_BIND_SERVICE",))
    details += [added] if added else []
    return Violation("unrestricted capabilities", "; ".join(details)) if details else None


def app_armor(pod: Pod) -> Violation | None:
    setters: list[str] = []
    if (pod.security.get("appArmorProfile") or {}).get("type") == "Unconfined":
        setters.append('pod must not set AppArmor profile type to "Unconfined"')
    bad = [n for n, _, s in pod.containers() if (s.get("appArmorProfile") or {}).get("type") == "Unconfined"]
    if bad:
        setters.append(f'{_containers(bad)} must not set AppArmor profile type to "Unconfined"')
    annotations = pod.metadata.get("annotations") or {}
    named = sorted(
        f'{key}="{value}"'
        for key, value in annotations.items()
        if key.startswith(_APPARMOR) and value not in ("", "runtime/default") and not value.startswith("localhost/")
    )
    setters += [f"{_plural('annotation', named)} {', '.join(named)}"] if named else []
    return Violation(_plural("forbidden AppArmor profile", setters), ", ".join(setters)) if setters else None


def se_linux(pod: Pod) -> Violation | None:
    types = (*_SELINUX_TYPES, *(("container_engine_t",) if pod.version >= 31 else ()))
    pod_options = pod.security.get("seLinuxOptions") or {}
    options = {name: security.get("seLinuxOptions") or {} for name, _, security in pod.containers()}

    def is_bad(each: Object) -> bool:
        return each.get("type", "") not in types or bool(each.get("user")) or bool(each.get("role"))

    bad = [name for name, each in options.items() if is_bad(each)]
    setters = _setters(is_bad(pod_options), bad)
    if not setters:
        return None
    wrong = [each for each in (pod_options, *options.values()) if is_bad(each)]
    bad_types = sorted({each["type"] for each in wrong if each.get("type", "") not in types})
    what = [f"{_plural('type', bad_types)} {_quoted(bad_types)}"] if bad_types else []
    what += ["user may not be set"] if any(each.get("user") for each in wrong) else []
    what += ["role may not be set"] if any(each.get("role") for each in wrong) else []
    return Violation("seLinuxOptions", f"{setters} set forbidden securityContext.seLinuxOptions: {'; '.join(what)}")


def _seccomp(security: Object) -> str | None:
    found: str | None = (security.get("seccompProfile") or {}).get("type")
    return found


def seccomp(pod: Pod) -> Violation | None:
    if pod.version < 19:
        return None
    return _forbidden_seccomp(pod)


def _forbidden_seccomp(pod: Pod) -> Violation | None:
    own = _seccomp(pod.security)
    used = {name: _seccomp(security) for name, _, security in pod.containers()}
    bad = [name for name, kind in used.items() if kind is not None and kind not in _SECCOMP]
    pod_is_bad = own is not None and own not in _SECCOMP
    setters = _setters(pod_is_bad, bad)
    if not setters:
        return None
    values = sorted({str(used[name]) for name in bad} | ({str(own)} if pod_is_bad else set()))
    return Violation(
        "seccompProfile", f"{setters} must not set securityContext.seccompProfile.type to {_quoted(values)}"
    )


def seccomp_restricted(pod: Pod) -> Violation | None:
    if pod.version < 19 or (pod.is_windows and pod.version >= 25):
        return None
    forbidden = _forbidden_seccomp(pod)
    if forbidden is not None:
        return forbidden
    if _seccomp(pod.security) in _SECCOMP:
        return None
    bad = [name for name, _, security in pod.containers() if _seccomp(security) is None]
    if not bad:
        return None
    wanted = 'must set securityContext.seccompProfile.type to "RuntimeDefault" or "Localhost"'
    return Violation("seccompProfile", f"pod or {_containers(bad)} {wanted}")


def sysctls(pod: Pod) -> Violation | None:
    names = [each["name"] for each in pod.security.get("sysctls") or ()]
    bad = [name for name in names if name not in _SYSCTLS or _SYSCTLS[name] > pod.version]
    return Violation("forbidden sysctls", ", ".join(bad)) if bad else None


def windows_host_process(pod: Pod) -> Violation | None:
    def is_host(security: Object) -> bool:
        return bool((security.get("windowsOptions") or {}).get("hostProcess"))

    setters = _setters(is_host(pod.security), [name for name, _, s in pod.containers() if is_host(s)])
    if not setters:
        return None
    return Violation("hostProcess", f"{setters} must not set securityContext.windowsOptions.hostProcess=true")


def privilege_escalation(pod: Pod) -> Violation | None:
    if pod.version < 8 or (pod.is_windows and pod.version >= 25):
        return None
    bad = [name for name, _, security in pod.containers() if security.get("allowPrivilegeEscalation") is not False]
    if not bad:
        return None
    detail = f"{_containers(bad)} must set securityContext.allowPrivilegeEscalation=false"
    return Violation("allowPrivilegeEscalation != false", detail)


def restricted_volumes(pod: Pod) -> Violation | None:
    used = {each["name"]: [key for key in each if key not in ("name", *_VOLUMES)] for each in _volumes(pod)}
    bad = [name for name, kinds in used.items() if kinds]
    if not bad:
        return None
    kinds = sorted({kind for name in bad for kind in used[name]})
    uses = "uses" if len(bad) == 1 else "use"
    detail = (
        f"{_plural('volume', bad)} {_quoted(bad)} {uses} restricted volume {_plural('type', kinds)} {_quoted(kinds)}"
    )
    return Violation("restricted volume types", detail)


def _volumes(pod: Pod) -> Iterable[Object]:
    return pod.spec.get("volumes") or ()


def run_as_non_root(pod: Pod) -> Violation | None:
    if pod.has_own_users:
        return None
    own = pod.security.get("runAsNonRoot")
    used = {name: security.get("runAsNonRoot") for name, _, security in pod.containers()}
    setters = _setters(own is False, [name for name, value in used.items() if value is False])
    if setters:
        return Violation("runAsNonRoot != true", f"{setters} must not set securityContext.runAsNonRoot=false")
    bad = [name for name, value in used.items() if value is None]
    if own or not bad:
        return None
    return Violation("runAsNonRoot != true", f"pod or {_containers(bad)} must set securityContext.runAsNonRoot=true")


def run_as_user(pod: Pod) -> Violation | None:
    if pod.version < 23 or pod.has_own_users:
        return None
    setters = _setters(
        pod.security.get("runAsUser") == 0, [name for name, _, s in pod.containers() if s.get("runAsUser") == 0]
    )
    return Violation("runAsUser=0", f"{setters} must not set runAsUser=0") if setters else None


# In the order in which violations are listed: those of baseline first, each group by name.
_BASELINE: tuple[Check, ...] = (
    app_armor,
    capabilities,
    host_namespaces,
    host_path_volumes,
    host_ports,
    host_probes,
    privileged,
    proc_mount,
    se_linux,
    seccomp,
    sysctls,
    windows_host_process,
)
_RESTRICTED: tuple[Check, ...] = (
    privilege_escalation,
    capabilities_restricted,
    _proc_mount,
    restricted_volumes,
    run_as_non_root,
    run_as_user,
    seccomp_restricted,
)
# What a stricter check of the same thing makes superfluous, as of the version since which that one holds.
_REPLACED: dict[Check, int] = {capabilities: 22, host_path_volumes: 0, proc_mount: 0, seccomp: 19}


def violations(level: str, pod: Pod) -> list[Violation]:
    """What a pod does that the level forbids."""
    if level == "privileged":
        return []
    checks: Iterable[Check] = _BASELINE
    if level == "restricted":
        kept = [each for each in _BASELINE if pod.version < _REPLACED.get(each, pod.version + 1)]
        checks = (*kept, *_RESTRICTED)
    return [found for check in checks if (found := check(pod)) is not None]


def described(found: Iterable[Violation]) -> str:
    return ", ".join(str(each) for each in found)
