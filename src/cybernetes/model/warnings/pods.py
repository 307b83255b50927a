"""Pods and their templates: what is old, repeated, or selects nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from cybernetes.model import quantity
from cybernetes.model.field import Path, quoted
from cybernetes.model.memo import Memo
from cybernetes.model.resource import WriteContext
from cybernetes.model.validation import names
from cybernetes.model.warnings.addresses import of_address
from cybernetes.model.warnings.volumes import of_volumes

Object = dict[str, Any]
Warn = Callable[[Object, Object | None, WriteContext], list[str]]
_REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
_PREFERRED = "preferredDuringSchedulingIgnoredDuringExecution"
_NO_SELECTOR = "a null labelSelector results in matching no pod"
_OLD_LABELS = {
    "beta.kubernetes.io/arch": 'deprecated since v1.14; use "kubernetes.io/arch" instead',
    "beta.kubernetes.io/os": 'deprecated since v1.14; use "kubernetes.io/os" instead',
    "failure-domain.beta.kubernetes.io/region": 'deprecated since v1.17; use "topology.kubernetes.io/region" instead',
    "failure-domain.beta.kubernetes.io/zone": 'deprecated since v1.17; use "topology.kubernetes.io/zone" instead',
    "beta.kubernetes.io/instance-type": 'deprecated since v1.17; use "node.kubernetes.io/instance-type" instead',
}
_SECCOMP = 'non-functional in v1.27+; use the "seccompProfile" field instead'
_SYSCTLS = 'non-functional in v1.11+; use the "sysctls" field instead'
_OLD_ANNOTATIONS = {
    "scheduler.alpha.kubernetes.io/critical-pod": (
        'non-functional in v1.16+; use the "priorityClassName" field instead'
    ),
    "seccomp.security.alpha.kubernetes.io/pod": _SECCOMP,
    "security.alpha.kubernetes.io/sysctls": _SYSCTLS,
    "security.alpha.kubernetes.io/unsafe-sysctls": _SYSCTLS,
}
_OLD_PREFIXES = {
    "container.seccomp.security.alpha.kubernetes.io/": _SECCOMP,
    "container.apparmor.security.beta.kubernetes.io/": (
        'deprecated since v1.30; use the "appArmorProfile" field instead'
    ),
}


def of_pod(pod: Object, old: Object | None, ctx: WriteContext) -> list[str]:
    return _of_pod(pod, old, Path())


def of_template(*way: str) -> Warn:
    """The warnings of a kind whose pod template stands at `way`; on updates only when its spec changed."""

    def warn(obj: Object, old: Object | None, ctx: WriteContext) -> list[str]:
        if old is not None and obj["metadata"].get("generation") == old["metadata"].get("generation"):
            return []
        return _of_pod(_at(obj, way), None if old is None else _at(old, way), Path(".".join(way)))

    return warn


def _at(obj: Object, way: tuple[str, ...]) -> Object:
    for key in way:
        obj = obj.get(key) or {}
    return obj


def _of_pod(pod: Object, old: Object | None, path: Path) -> list[str]:
    before, after = _of_spec(pod.get("spec") or {}, path.child("spec").text)
    return [*before, *_annotations(pod, old or {}, path.child("metadata", "annotations")), *after]


def _judge_spec(spec: Object, path: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Warnings about a spec: those that come before what is said of annotations, and those that come after."""
    at = Path(path)
    before = [f"{at.child('nodeSelector').key(key)}: {_OLD_LABELS[key]}" for key in _old(spec.get("nodeSelector"))]
    before += _node_affinity((spec.get("affinity") or {}).get("nodeAffinity") or {}, at.child("affinity.nodeAffinity"))
    before += _spread(spec, at.child("topologySpreadConstraints"))
    found = of_volumes(spec.get("volumes") or [], at.child("volumes"))
    found += _repeated(spec.get("hostAliases") or [], "ip", at.child("hostAliases"))
    secrets, where = spec.get("imagePullSecrets") or [], at.child("imagePullSecrets")
    found += _repeated(secrets, "name", where)
    found += [f'{where.index(i)}.name: invalid empty name ""' for i, each in enumerate(secrets) if not each.get("name")]
    found += _fractions(spec.get("overhead") or {}, at.child("overhead"))
    for container, place in _containers(spec, at):
        found += _of_container(container, place)
    found += _ports(spec, at)
    if (spec.get("terminationGracePeriodSeconds") or 0) < 0:
        where = at.child("terminationGracePeriodSeconds")
        found.append(f"{where}: must be >= 0; negative values are invalid and will be treated as 1")
    found += _pod_affinity(spec.get("affinity") or {}, at.child("affinity"))
    for i, address in enumerate((spec.get("dnsConfig") or {}).get("nameservers") or []):
        found += of_address(address, at.child("dnsConfig", "nameservers").index(i))
    for i, alias in enumerate(spec.get("hostAliases") or []):
        found += of_address(alias.get("ip", ""), at.child("hostAliases").index(i).child("ip"))
    return tuple(before), tuple(found)


_of_spec = Memo(_judge_spec)


def _old(labels: dict[str, str] | None) -> list[str]:
    return sorted(key for key in labels or {} if key in _OLD_LABELS)


def _node_affinity(affinity: Object, path: Path) -> list[str]:
    found: list[str] = []
    terms = (affinity.get(_REQUIRED) or {}).get("nodeSelectorTerms") or []
    for i, term in enumerate(terms):
        found += _node_term(term, path.child(_REQUIRED, "nodeSelectorTerms").index(i), values=False)
    for i, weighted in enumerate(affinity.get(_PREFERRED) or []):
        found += _node_term(weighted.get("preference") or {}, path.child(_PREFERRED).index(i).child("preference"))
    return found


def _node_term(term: Object, path: Path, *, values: bool = True) -> list[str]:
    """values: whether to look at them; where a term is required, validation has."""
    found: list[str] = []
    for i, requirement in enumerate(term.get("matchExpressions") or []):
        at, key = path.child("matchExpressions").index(i), requirement.get("key", "")
        if key in _OLD_LABELS:
            found.append(f"{at.child('key')}: {key} is {_OLD_LABELS[key]}")
        for j, value in enumerate((requirement.get("values") or []) if values else []):
            found += [f"{at.child('values').index(j)}: {value} is invalid, {each}" for each in names.label_value(value)]
    return found


def _spread(spec: Object, path: Path) -> list[str]:
    found: list[str] = []
    for i, constraint in enumerate(spec.get("topologySpreadConstraints") or []):
        key = constraint.get("topologyKey", "")
        if key in _OLD_LABELS:
            found.append(f"{path.index(i).child('topologyKey')}: {key} is {_OLD_LABELS[key]}")
        if constraint.get("labelSelector") is None:
            found.append(f"{path.index(i).child('labelSelector')}: {_NO_SELECTOR}")
    return found


def _annotations(pod: Object, old: Object, path: Path) -> list[str]:
    now, before = ((each.get("metadata") or {}).get("annotations") or {} for each in (pod, old))
    found: list[str] = []
    for key in sorted(now.keys() - before.keys()):
        text = _OLD_ANNOTATIONS.get(key) or next((t for p, t in _OLD_PREFIXES.items() if key.startswith(p)), "")
        if text:
            found.append(f"{path.key(key)}: {text}")
    return found


def _repeated(items: list[Object], key: str, path: Path) -> list[str]:
    values = [each.get(key, "") for each in items]
    return [
        f"{path.index(i).child(key)}: duplicate {key} {quoted(value)}"
        for i, value in enumerate(values)
        if value in values[:i]
    ]


def _fractions(resources: dict[str, str], path: Path) -> list[str]:
    return [
        f"{path.key(name)}: fractional byte value {quoted(resources[name])} is invalid, must be an integer"
        for name in ("memory", "ephemeral-storage")
        if name in resources and quantity.nano(resources[name]) % 1_000_000_000
    ]


def _containers(spec: Object, path: Path) -> Iterator[tuple[Object, Path]]:
    for key in ("initContainers", "containers", "ephemeralContainers"):
        for i, container in enumerate(spec.get(key) or []):
            yield container, path.child(key).index(i)


def _of_container(container: Object, path: Path) -> list[str]:
    found: list[str] = []
    for key in ("limits", "requests"):
        found += _fractions((container.get("resources") or {}).get(key) or {}, path.child("resources", key))
    seen: set[str] = set()
    for i, variable in enumerate(container.get("env") or []):
        name, value = variable.get("name", ""), variable.get("value", "")
        if name in seen and _hides(variable, value, f"$({name})"):
            text = f"hides previous definition of {quoted(name)}, which may be dropped when using apply"
            found.append(f"{path.child('env').index(i)}: {text}")
        seen.add(name)
    return found


def _hides(variable: Object, value: str, reference: str) -> bool:
    """A variable may be defined again to add to what it was."""
    return variable.get("valueFrom") is not None or value == reference or reference not in value


def _ports(spec: Object, path: Path) -> list[str]:
    found: list[str] = []
    known: dict[tuple[int, str], list[tuple[Object, Path]]] = {}
    for container, place in _containers(spec, path):
        for i, port in enumerate(container.get("ports") or []):
            at = place.child("ports").index(i)
            others = known.setdefault((port.get("containerPort", 0), port.get("protocol", "")), [])
            found += [
                f"{at}: {relation} with {where}" for other, where in others if (relation := _relation(port, other))
            ]
            others.append((port, at))
    return found


def _relation(port: Object, other: Object) -> str:
    host, host_ip = port.get("hostPort", 0), port.get("hostIP", "")
    other_host, other_ip = other.get("hostPort", 0), other.get("hostIP", "")
    if host == other_host and host_ip == other_ip:
        return "duplicate port definition"
    if not host or not other_host:
        return "overlapping port definition"
    if host == other_host and bool(host_ip) != bool(other_ip):
        return "dangerously ambiguous port definition"
    return ""


def _pod_affinity(affinity: Object, path: Path) -> list[str]:
    found: list[str] = []
    for kind in ("podAffinity", "podAntiAffinity"):
        given, at = affinity.get(kind) or {}, path.child(kind)
        for i, term in enumerate(given.get(_REQUIRED) or []):
            if term.get("labelSelector") is None:
                found.append(f"{at.child(_REQUIRED).index(i).child('labelSelector')}: {_NO_SELECTOR}")
        for i, weighted in enumerate(given.get(_PREFERRED) or []):
            if (weighted.get("podAffinityTerm") or {}).get("labelSelector") is None:
                where = at.child(_PREFERRED).index(i).child("podAffinityTerm", "labelSelector")
                found.append(f"{where}: {_NO_SELECTOR}")
    return found
