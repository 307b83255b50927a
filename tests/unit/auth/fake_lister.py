"""A Lister over a dict, and the clock and randomness that tests hand in."""

from __future__ import annotations

import copy
from typing import Any

from cybernetes.auth.lister import Change
from cybernetes.auth.user import User

Object = dict[str, Any]

_PLURALS = {
    "NetworkPolicy": "networkpolicies",
    "Ingress": "ingresses",
    "IngressClass": "ingressclasses",
    "MutatingAdmissionPolicy": "mutatingadmissionpolicies",
    "ValidatingAdmissionPolicy": "validatingadmissionpolicies",
}


def plural_of(kind: str) -> str:
    if kind in _PLURALS:
        return _PLURALS[kind]
    return f"{kind.lower()}es" if kind.endswith("Class") else f"{kind.lower()}s"


class FakeLister:
    """`put` and `remove` tell subscribers at once, as the server's caches do."""

    def __init__(self, *objects: Object) -> None:
        self._objects: dict[tuple[str, str], dict[tuple[str, str], Object]] = {}
        self._subscribers: dict[tuple[str, str], list[Change]] = {}
        for each in objects:
            self.put(each)

    def get(self, group: str, plural: str, namespace: str, name: str) -> Object | None:
        return copy.deepcopy(self._objects.get((group, plural), {}).get((namespace, name)))

    def labels(self, group: str, plural: str, namespace: str, name: str) -> dict[str, str]:
        found = self.get(group, plural, namespace, name)
        return (found["metadata"].get("labels") or {}) if found else {}

    def list(self, group: str, plural: str, namespace: str | None = None) -> list[Object]:
        found = sorted(self._objects.get((group, plural), {}).items())
        return [copy.deepcopy(obj) for (where, _), obj in found if namespace is None or where == namespace]

    def labelled(self, group: str, plural: str, namespace: str, label: str, value: str) -> list[Object]:
        found = self.list(group, plural, namespace)
        return [each for each in found if (each["metadata"].get("labels") or {}).get(label) == value]

    def subscribe(self, group: str, plural: str, callback: Change) -> None:
        self._subscribers.setdefault((group, plural), []).append(callback)
        for obj in self.list(group, plural):
            callback(None, obj)

    def subscribe_specs(self, group: str, plural: str, callback: Change, holding: str = "") -> None:
        self.subscribe(group, plural, callback)

    def put(self, obj: Object) -> None:
        kind, place = _of(obj)
        old = self._objects.setdefault(kind, {}).get(place)
        self._objects[kind][place] = copy.deepcopy(obj)
        for each in self._subscribers.get(kind, ()):
            each(copy.deepcopy(old), copy.deepcopy(obj))

    def remove(self, obj: Object) -> None:
        kind, place = _of(obj)
        old = self._objects[kind].pop(place)
        for each in self._subscribers.get(kind, ()):
            each(old, None)


def _of(obj: Object) -> tuple[tuple[str, str], tuple[str, str]]:
    group = obj["apiVersion"].rpartition("/")[0]
    metadata = obj["metadata"]
    return (group, plural_of(obj["kind"])), (metadata.get("namespace", ""), metadata["name"])


class FakeClock:
    def __init__(self, now: float = 1_700_000_000.0) -> None:
        self.at = now

    def now(self) -> float:
        return self.at

    def monotonic(self) -> float:
        return self.at

    async def sleep(self, seconds: float) -> None:
        self.at += seconds


def obj(kind: str, name: str, namespace: str = "", api_version: str = "v1", **rest: Any) -> Object:
    """An object; `metadata` parts of `rest` are merged into its metadata."""
    metadata = {"name": name, "uid": f"uid-{name}", **rest.pop("metadata", {})}
    if namespace:
        metadata["namespace"] = namespace
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata, **rest}


RBAC = "rbac.authorization.k8s.io/v1"


def role(name: str, *rules: Object, namespace: str = "", **rest: Any) -> Object:
    return obj("Role" if namespace else "ClusterRole", name, namespace, RBAC, rules=list(rules), **rest)


def rule(verbs: str, resources: str, groups: str = "", names: str = "") -> Object:
    found: Object = {"verbs": verbs.split(), "apiGroups": groups.split(","), "resources": resources.split()}
    return {**found, "resourceNames": names.split()} if names else found


def binding(
    name: str, role_name: str, *subjects: Object, namespace: str = "", role_kind: str = "ClusterRole"
) -> Object:
    kind = "RoleBinding" if namespace else "ClusterRoleBinding"
    reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": role_kind, "name": role_name}
    return obj(kind, name, namespace, RBAC, roleRef=reference, subjects=list(subjects))


def user_subject(name: str) -> Object:
    return {"kind": "User", "apiGroup": "rbac.authorization.k8s.io", "name": name}


def account_subject(name: str, namespace: str = "") -> Object:
    return {"kind": "ServiceAccount", "name": name, **({"namespace": namespace} if namespace else {})}


def node_user(name: str) -> User:
    return User(f"system:node:{name}", groups=("system:nodes", "system:authenticated"))


ALICE = User("alice", groups=("dev", "system:authenticated"))
