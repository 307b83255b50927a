"""The default priority levels and flow schemas.

source  Kubernetes documentation "API Priority and Fairness", mandatory and suggested objects
"""

from __future__ import annotations

from typing import Any

import msgspec

Object = dict[str, Any]

API_VERSION = "flowcontrol.apiserver.k8s.io/v1"
AUTOUPDATE = "apf.kubernetes.io/autoupdate-spec"
PRODUCER = "api-priority-and-fairness-config-producer-v1"
CONSUMER = "api-priority-and-fairness-config-consumer-v1"
EXEMPT = "exempt"
MANDATORY = (EXEMPT, "catch-all")

# name: shares, lendable percent, (queues, hand size, queue length), None where requests are rejected at once
_LEVELS: dict[str, tuple[int, int, tuple[int, int, int] | None]] = {
    "catch-all": (5, 0, None),
    "system": (30, 33, (64, 6, 50)),
    "node-high": (40, 25, (64, 6, 50)),
    "leader-election": (10, 0, (16, 4, 50)),
    "workload-high": (40, 50, (128, 6, 50)),
    "workload-low": (100, 90, (128, 6, 50)),
    "global-default": (20, 50, (128, 6, 50)),
}

_EVERYTHING: Object = {
    "resourceRules": [
        {"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"], "clusterScope": True, "namespaces": ["*"]}
    ],
    "nonResourceRules": [{"verbs": ["*"], "nonResourceURLs": ["*"]}],
}
_PROBES: Object = {"nonResourceRules": [{"verbs": ["get"], "nonResourceURLs": ["/healthz", "/readyz", "/livez"]}]}


def _leases(verbs: list[str]) -> Object:
    return {"verbs": verbs, "apiGroups": ["coordination.k8s.io"], "resources": ["leases"], "namespaces": ["*"]}


_ELECTIONS: Object = {"resourceRules": [_leases(["get", "create", "update"])]}
_OWN_NODE: Object = {
    "resourceRules": [
        {
            "verbs": ["*"],
            "apiGroups": [""],
            "resources": ["nodes", "nodes/status"],
            "clusterScope": True,
            "namespaces": ["*"],
        },
        _leases(["*"]),
    ]
}


class _Schema(msgspec.Struct, frozen=True):
    """by  what keeps requests of one level apart: "User", "Namespace", or "" for nothing"""

    name: str
    level: str
    precedence: int
    by: str
    subjects: tuple[tuple[str, str], ...]
    rules: Object


_CONTROLLERS = ("User", "system:kube-controller-manager")
_SCHEDULER = ("User", "system:kube-scheduler")
_SYSTEM_ACCOUNTS = ("ServiceAccount", "kube-system/*")
_NODES = ("Group", "system:nodes")
_EVERYBODY = (("Group", "system:unauthenticated"), ("Group", "system:authenticated"))

_SCHEMAS = (
    _Schema("exempt", "exempt", 1, "", (("Group", "system:masters"),), _EVERYTHING),
    _Schema("probes", "exempt", 2, "", _EVERYBODY, _PROBES),
    _Schema(
        "system-leader-election",
        "leader-election",
        100,
        "User",
        (_CONTROLLERS, _SCHEDULER, _SYSTEM_ACCOUNTS),
        _ELECTIONS,
    ),
    _Schema("system-node-high", "node-high", 400, "User", (_NODES,), _OWN_NODE),
    _Schema("system-nodes", "system", 500, "User", (_NODES,), _EVERYTHING),
    _Schema("kube-controller-manager", "workload-high", 800, "Namespace", (_CONTROLLERS,), _EVERYTHING),
    _Schema("kube-scheduler", "workload-high", 800, "Namespace", (_SCHEDULER,), _EVERYTHING),
    _Schema("kube-system-service-accounts", "workload-high", 900, "Namespace", (_SYSTEM_ACCOUNTS,), _EVERYTHING),
    _Schema("service-accounts", "workload-low", 9000, "User", (("Group", "system:serviceaccounts"),), _EVERYTHING),
    _Schema("global-default", "global-default", 9900, "User", _EVERYBODY, _EVERYTHING),
    _Schema("catch-all", "catch-all", 10000, "User", _EVERYBODY, _EVERYTHING),
)


def levels() -> list[Object]:
    exempt = {"type": "Exempt", "exempt": {"nominalConcurrencyShares": 0, "lendablePercent": 0}}
    specs = {"exempt": exempt, **{name: _limited(*row) for name, row in _LEVELS.items()}}
    return [_object("PriorityLevelConfiguration", name, spec) for name, spec in specs.items()]


def schemas() -> list[Object]:
    return [_object("FlowSchema", each.name, _schema_spec(each)) for each in _SCHEMAS]


def _object(kind: str, name: str, spec: Object) -> Object:
    metadata = {"name": name, "annotations": {AUTOUPDATE: "true"}}
    return {"apiVersion": API_VERSION, "kind": kind, "metadata": metadata, "spec": spec}


def _limited(shares: int, lendable: int, queuing: tuple[int, int, int] | None) -> Object:
    response: Object = {"type": "Reject"}
    if queuing:
        queues, hand_size, length = queuing
        settings = {"queues": queues, "handSize": hand_size, "queueLengthLimit": length}
        response = {"type": "Queue", "queuing": settings}
    limits = {"nominalConcurrencyShares": shares, "limitResponse": response, "lendablePercent": lendable}
    return {"type": "Limited", "limited": limits}


def _schema_spec(schema: _Schema) -> Object:
    spec: Object = {
        "priorityLevelConfiguration": {"name": schema.level},
        "matchingPrecedence": schema.precedence,
        "rules": [{"subjects": [_subject(*each) for each in schema.subjects], **schema.rules}],
    }
    if schema.by:
        spec["distinguisherMethod"] = {"type": f"By{schema.by}"}
    return spec


def _subject(kind: str, name: str) -> Object:
    if kind == "ServiceAccount":
        namespace, _, name = name.partition("/")
        return {"kind": kind, "serviceAccount": {"namespace": namespace, "name": name}}
    return {"kind": kind, kind.lower(): {"name": name}}


MANDATORY_LEVELS = {
    each["metadata"]["name"]: each["spec"] for each in levels() if each["metadata"]["name"] in MANDATORY
}
MANDATORY_SCHEMAS = {
    each["metadata"]["name"]: each["spec"] for each in schemas() if each["metadata"]["name"] in MANDATORY
}
