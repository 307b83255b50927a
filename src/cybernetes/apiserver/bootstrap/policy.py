"""Reads policy.yaml: the default roles and bindings as objects."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from typing import Any

import yaml

Object = dict[str, Any]

API_VERSION = "rbac.authorization.k8s.io/v1"
GROUP = "rbac.authorization.k8s.io"
CONTROLLER = "system:controller:"
AUTOUPDATE = "rbac.authorization.kubernetes.io/autoupdate"
_BOOTSTRAPPING = {"kubernetes.io/bootstrapping": "rbac-defaults"}
_AGGREGATE_TO = "rbac.authorization.k8s.io/aggregate-to-"

_READ = ("get", "list", "watch")
_WRITE = ("create", "delete", "deletecollection", "patch", "update")
_VERBS = {
    "RO": _READ,
    "WR": _WRITE,
    "ALL": ("create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"),
}


@cache
def load(name: str = "policy.yaml") -> tuple[Object, ...]:
    """All roles and bindings of a document of this package: cluster roles, roles, then the bindings. To be read only."""
    text = files(__package__).joinpath(name).read_text()
    return tuple(parse(yaml.load(text, getattr(yaml, "CSafeLoader", yaml.SafeLoader))))


def parse(policy: dict[str, Any]) -> Iterator[Object]:
    """Objects of a policy document; sections that are missing are empty."""
    controllers = policy.get("controllers", {})
    for name, row in policy.get("cluster_roles", {}).items():
        yield _role("ClusterRole", name, row)
    for name, rules in controllers.items():
        yield _role("ClusterRole", CONTROLLER + name, {"rules": rules})
    for name, row in policy.get("roles", {}).items():
        yield _role("Role", name, row)
    for name, row in policy.get("cluster_role_bindings", {}).items():
        yield _binding("ClusterRoleBinding", name, row)
    for name in controllers:
        bound = {"role": CONTROLLER + name, "subjects": [f"ServiceAccount kube-system/{name}"]}
        yield _binding("ClusterRoleBinding", CONTROLLER + name, bound)
    for name, row in policy.get("role_bindings", {}).items():
        yield _binding("RoleBinding", name, row)


def _role(kind: str, name: str, row: Object) -> Object:
    role: Object = {"apiVersion": API_VERSION, "kind": kind, "metadata": _metadata(name)}
    if "part_of" in row:
        role["metadata"]["labels"][_AGGREGATE_TO + row["part_of"]] = "true"
    if "made_of" in row:
        role["aggregationRule"] = {"clusterRoleSelectors": [{"matchLabels": {_AGGREGATE_TO + row["made_of"]: "true"}}]}
    role["rules"] = [parse_rule(each) for each in row["rules"]] if "rules" in row else None
    return role


def _binding(kind: str, name: str, row: Object) -> Object:
    binding: Object = {"apiVersion": API_VERSION, "kind": kind, "metadata": _metadata(name)}
    role_kind = "Role" if kind == "RoleBinding" else "ClusterRole"
    binding["roleRef"] = {"apiGroup": GROUP, "kind": role_kind, "name": row["role"]}
    if row["subjects"]:
        binding["subjects"] = [_subject(each) for each in row["subjects"]]
    return binding


def _metadata(name: str) -> Object:
    namespace, slash, own = name.rpartition("/")
    metadata: Object = {"name": own}
    if slash:
        metadata["namespace"] = namespace
    return {**metadata, "labels": dict(_BOOTSTRAPPING), "annotations": {AUTOUPDATE: "true"}}


def parse_rule(text: str) -> Object:
    """`core|apps pods deployments {one}: get list` as a PolicyRule; `url /healthz: get` as one for paths."""
    subject, _, verbs = text.rpartition(": ")
    groups, *words = subject.split()
    rule: Object = {"verbs": [verb for word in verbs.split() for verb in _VERBS.get(word, (word,))]}
    if groups == "url":
        return {**rule, "nonResourceURLs": words}
    start = next((i for i, word in enumerate(words) if word.startswith("{")), len(words))
    rule["apiGroups"] = ["" if each == "core" else each for each in groups.split("|")]
    rule["resources"] = words[:start]
    if start < len(words):
        rule["resourceNames"] = [word.strip("{}") for word in words[start:]]
    return rule


def _subject(text: str) -> Object:
    kind, name = text.split(" ", 1)
    if kind == "ServiceAccount":
        namespace, _, name = name.partition("/")
        return {"kind": kind, "name": name, "namespace": namespace}
    return {"kind": kind, "apiGroup": GROUP, "name": name}
