"""Single rules of filters and scores, each on a cluster small enough to see why."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from memory_api import node, pod

from cybernetes.base.random import SeededRandom
from cybernetes.scheduler.columns import Columns
from cybernetes.scheduler.cycle import Cycle
from cybernetes.scheduler.nominations import Nominations
from cybernetes.scheduler.objects import NodeObject, PodObject
from cybernetes.scheduler.outcome import Placement
from cybernetes.scheduler.pods import Interner, PodEntry
from cybernetes.scheduler.preempt import reasons_of
from cybernetes.scheduler.profile import Profile

INTERNER = Interner()
AFFINITY = "node(s) didn't match Pod's node affinity/selector"
LEFT_OUT = "node(s) didn't satisfy plugin(s) [NodeAffinity]"
PORTS = "node(s) didn't have free ports for the requested pod ports"
NEAR = "node(s) didn't match pod affinity rules"
SPREAD = "node(s) didn't match pod topology spread constraints"


def machine(name: str, labels: dict[str, str] | None = None, **fields: Any) -> NodeObject:
    manifest = node(name, **fields)
    manifest["metadata"]["labels"].update(labels or {})
    return msgspec.json.decode(json.dumps(manifest).encode(), type=NodeObject)


def entry(name: str = "p", labels: dict[str, str] | None = None, namespace: str = "shop", **spec: Any) -> PodEntry:
    manifest = pod(name, **spec)
    manifest["metadata"].update(namespace=namespace, labels={"app": "web"} if labels is None else labels)
    return INTERNER.entry(msgspec.json.decode(json.dumps(manifest).encode(), type=PodObject))


def cluster(*nodes: NodeObject, **pods: PodEntry) -> Cycle:
    """`pods`: by node name."""
    columns = Columns()
    for each in nodes:
        columns.put_node(each)
    for where, each in pods.items():
        columns.add_pod(each, where)
    return Cycle(columns, Profile(), Nominations())


def reasons(cycle: Cycle, asked: PodEntry) -> dict[str, list[str]]:
    filtered = cycle.filter(asked)
    return {name: reasons_of(filtered, row) for name, row in cycle.columns.rows.items()}


def required(*terms: dict[str, Any]) -> dict[str, Any]:
    return {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": list(terms)}}}


def expression(operator: str, *values: str, key: str = "size") -> dict[str, Any]:
    return {"matchExpressions": [{"key": key, "operator": operator, "values": list(values)}]}


@pytest.mark.parametrize(
    ("term", "matching"),
    [
        (expression("In", "5"), ["five"]),
        (expression("NotIn", "5"), ["none", "ten", "word"]),
        (expression("Exists"), ["five", "ten", "word"]),
        (expression("DoesNotExist"), ["none"]),
        (expression("Gt", "5"), ["ten"]),
        (expression("Lt", "10"), ["five"]),
        ({}, []),
        ({"matchFields": [{"key": "metadata.name", "operator": "NotIn", "values": ["five"]}]}, ["none", "ten", "word"]),
    ],
)
def test_node_affinity(term: dict[str, Any], matching: list[str]) -> None:
    nodes = [machine(name, {"size": size}) for name, size in (("five", "5"), ("ten", "10"), ("word", "big"))]
    found = reasons(cluster(machine("none"), *nodes), entry(affinity=required(term)))
    assert sorted(name for name, why in found.items() if not why) == matching
    assert {why for each in found.values() for why in each} <= {AFFINITY}


def test_any_term_suffices_and_the_selector_must_match_too() -> None:
    cycle = cluster(machine("a", {"size": "1", "disk": "ssd"}), machine("b", {"size": "2"}), machine("c"))
    asked = entry(affinity=required(expression("In", "1"), expression("In", "2")), nodeSelector={"disk": "ssd"})
    assert [name for name, why in reasons(cycle, asked).items() if not why] == ["a"]


def test_a_pod_for_one_node_leaves_all_others_out() -> None:
    cycle = cluster(machine("a", unschedulable=True), machine("b"))
    asked = entry(affinity=required({"matchFields": [{"key": "metadata.name", "operator": "In", "values": ["a"]}]}))
    assert reasons(cycle, asked) == {"a": ["node(s) were unschedulable"], "b": [LEFT_OUT]}


def test_terms_that_exclude_each_other_end_the_attempt() -> None:
    fields = [{"key": "metadata.name", "operator": "In", "values": [name]} for name in ("a", "b")]
    decision = cluster(machine("a"), machine("b")).decide(
        entry(affinity=required({"matchFields": fields})), SeededRandom(1)
    )
    assert not isinstance(decision, Placement)
    assert decision.message == "0/2 nodes are available: pod affinity terms conflict."


def port(number: int, address: str = "", protocol: str = "TCP") -> list[dict[str, Any]]:
    return [{"name": "c", "image": "i", "ports": [{"hostPort": number, "hostIP": address, "protocol": protocol}]}]


@pytest.mark.parametrize(
    ("taken", "wanted", "free"),
    [
        (port(80), port(80), False),
        (port(80), port(81), True),
        (port(80), port(80, protocol="UDP"), True),
        (port(80, "10.0.0.1"), port(80, "10.0.0.2"), True),
        (port(80, "10.0.0.1"), port(80), False),
        (port(80, "0.0.0.0"), port(80, "10.0.0.2"), False),
    ],
)
def test_host_ports(taken: list[Any], wanted: list[Any], free: bool) -> None:
    cycle = cluster(machine("a"), a=entry("other", containers=taken))
    assert reasons(cycle, entry(containers=wanted)) == {"a": [] if free else [PORTS]}


def near(term: dict[str, Any]) -> dict[str, Any]:
    whole = {"labelSelector": {"matchLabels": {"app": "db"}}, "topologyKey": "kubernetes.io/hostname", **term}
    return {"podAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [whole]}}


@pytest.mark.parametrize(
    ("term", "accepted"),
    [
        ({}, False),
        ({"namespaces": ["data"]}, True),
        ({"namespaceSelector": {}}, True),
        ({"namespaceSelector": {"matchLabels": {"team": "x"}}}, True),
        ({"namespaceSelector": {"matchLabels": {"team": "y"}}}, False),
        ({"namespaces": ["data"], "labelSelector": None}, False),
        ({"namespaces": ["data"], "matchLabelKeys": ["version"]}, False),
        ({"namespaces": ["data"], "mismatchLabelKeys": ["version"]}, True),
    ],
)
def test_which_pods_an_affinity_term_means(term: dict[str, Any], accepted: bool) -> None:
    cycle = cluster(machine("a"), a=entry("db", {"app": "db", "version": "1"}, "data"))
    cycle.columns.tallies.put_namespace("data", {"team": "x"})
    asked = entry(labels={"app": "web", "version": "2"}, affinity=near(term))
    assert reasons(cycle, asked) == {"a": [] if accepted else [NEAR]}


def test_a_namespace_that_changes_its_labels_changes_what_is_selected() -> None:
    cycle = cluster(machine("a"), a=entry("db", {"app": "db"}, "data"))
    asked = entry(affinity=near({"namespaceSelector": {"matchLabels": {"team": "x"}}}))
    assert reasons(cycle, asked) == {"a": [NEAR]}
    cycle.columns.tallies.put_namespace("data", {"team": "x"})
    assert reasons(cycle, asked) == {"a": []}
    cycle.columns.tallies.put_namespace("data", None)
    assert reasons(cycle, asked) == {"a": [NEAR]}


def test_the_first_pod_of_a_series_may_be_near_itself() -> None:
    term = {"labelSelector": {"matchLabels": {"app": "web"}}}
    cycle = cluster(machine("a"), machine("b"))
    first = entry("one", affinity=near(term))
    assert reasons(cycle, first) == {"a": [], "b": []}
    cycle.columns.add_pod(first, "a")
    assert reasons(cycle, entry("two", affinity=near(term))) == {"a": [], "b": [NEAR]}


def spread(**fields: Any) -> list[dict[str, Any]]:
    whole = {"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule"}
    return [{**whole, "labelSelector": {"matchLabels": {"app": "web"}}, **fields}]


def test_spreading_counts_only_live_pods_of_the_namespace() -> None:
    cycle = cluster(machine("a", {"zone": "a"}), machine("b", {"zone": "b"}))
    cycle.columns.add_pod(entry("foreign", namespace="other"), "a")
    asked = entry(topologySpreadConstraints=spread())
    assert reasons(cycle, asked) == {"a": [], "b": []}
    cycle.columns.add_pod(entry("own"), "a")
    assert reasons(cycle, asked) == {"a": [SPREAD], "b": []}


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({}, []),
        ({"minDomains": 3}, [SPREAD]),
        ({"maxSkew": 2, "minDomains": 3}, []),
        ({"topologyKey": "missing"}, [f"{SPREAD} (missing required label)"]),
        ({"matchLabelKeys": ["version"], "minDomains": 3}, []),
    ],
)
def test_spreading(fields: dict[str, Any], why: list[str]) -> None:
    """Two zones with one pod of another version each."""
    cycle = cluster(machine("a", {"zone": "a"}), machine("b", {"zone": "b"}))
    for where in ("a", "b"):
        cycle.columns.add_pod(entry(f"old-{where}", {"app": "web", "version": "1"}), where)
    asked = entry(labels={"app": "web", "version": "2"}, topologySpreadConstraints=spread(**fields))
    assert reasons(cycle, asked) == {"a": why, "b": why}


@pytest.mark.parametrize(("policy", "why"), [("Ignore", [SPREAD]), ("Honor", [])])
def test_tainted_zones_count_unless_taints_are_honoured(policy: str, why: list[str]) -> None:
    taint = [{"key": "k", "value": "v", "effect": "NoSchedule"}]
    cycle = cluster(machine("a", {"zone": "a"}), machine("b", {"zone": "b"}, taints=taint), a=entry("own"))
    asked = entry(topologySpreadConstraints=spread(nodeTaintsPolicy=policy))
    assert reasons(cycle, asked) == {"a": why, "b": ["node(s) had untolerated taint(s)"]}


@pytest.mark.parametrize(
    ("toleration", "tolerated"),
    [
        ({"operator": "Exists"}, True),
        ({"key": "k", "operator": "Exists"}, True),
        ({"key": "k", "value": "v"}, True),
        ({"key": "k", "value": "other"}, False),
        ({"key": "k", "operator": "Exists", "effect": "NoExecute"}, False),
        ({"key": "k", "operator": "Exists", "effect": "NoSchedule"}, True),
    ],
)
def test_tolerations(toleration: dict[str, str], tolerated: bool) -> None:
    cycle = cluster(machine("a", taints=[{"key": "k", "value": "v", "effect": "NoSchedule"}]))
    found = reasons(cycle, entry(tolerations=[toleration]))
    assert found == {"a": [] if tolerated else ["node(s) had untolerated taint(s)"]}


def test_a_nominated_pod_of_equal_priority_has_the_place() -> None:
    columns, nominations = Columns(), Nominations()
    columns.put_node(machine("a", cpu="1"))
    cycle = Cycle(columns, Profile(), nominations)
    nominations.put(entry("first", cpu="800m", priority=5), "a")
    assert reasons(cycle, entry("less", cpu="800m", priority=1)) == {"a": ["Insufficient cpu"]}
    assert reasons(cycle, entry("equal", cpu="800m", priority=5)) == {"a": ["Insufficient cpu"]}
    assert reasons(cycle, entry("more", cpu="800m", priority=9)) == {"a": []}
    assert columns.used[:4].tolist() == [0, 0, 0, 0]


def test_worked_example_of_an_empty_cluster() -> None:
    cycle = cluster(*(machine(name, cpu="4", memory="8Gi") for name in ("a", "b", "c")))
    asked = entry(cpu="1", memory="2Gi")
    code = cycle.filter(asked).code
    scores = {name: cycle.score(name, asked, code) for name in cycle.profile.scores}
    assert scores["NodeResourcesFit"] is not None
    assert scores["NodeResourcesFit"][0] == 75
    assert scores["NodeResourcesBalancedAllocation"] is not None
    assert scores["NodeResourcesBalancedAllocation"][0] == 75
    assert scores["TaintToleration"] is None
    assert scores["PodTopologySpread"] is None
