"""A node reaches exactly what pods on it refer to, whatever came and went: the graph against a naive twin."""

from __future__ import annotations

from typing import Any

from fake_lister import FakeLister, node_user, obj
from hypothesis import given, settings
from hypothesis import strategies as st

from cybernetes.auth.authz import Attributes
from cybernetes.auth.node import NodeAuthorizer, NodeGraph

NODES, NAMES, SPACES = ("n1", "n2"), ("a", "b"), ("shop", "bank")
KINDS = ("secrets", "configmaps", "persistentvolumeclaims", "serviceaccounts")
Uses = frozenset[tuple[str, str]]

uses = st.frozensets(st.tuples(st.sampled_from(KINDS), st.sampled_from(NAMES)), max_size=3)
changes = st.lists(
    st.tuples(
        st.sampled_from(("p1", "p2", "p3")),
        st.sampled_from(SPACES),
        st.sampled_from((*NODES, "", None)),
        uses,
        st.booleans(),
    ),
    max_size=12,
)


def pod(name: str, namespace: str, node: str, used: Uses, mirror: bool) -> dict[str, Any]:
    volumes: list[dict[str, Any]] = []
    spec: dict[str, Any] = {"nodeName": node, "containers": [], "volumes": volumes}
    for i, (kind, which) in enumerate(sorted(used)):
        match kind:
            case "secrets":
                volumes.append({"name": f"v{i}", "secret": {"secretName": which}})
            case "configmaps":
                spec["containers"].append({"name": f"c{i}", "envFrom": [{"configMapRef": {"name": which}}]})
            case "persistentvolumeclaims":
                volumes.append({"name": f"v{i}", "persistentVolumeClaim": {"claimName": which}})
            case "serviceaccounts":
                spec["serviceAccountName"] = which
    metadata = {"annotations": {"kubernetes.io/config.mirror": "x"}} if mirror else {}
    return obj("Pod", name, namespace, spec=spec, metadata=metadata)


def referred(made: dict[str, Any]) -> set[tuple[str, str]]:
    """Naively, from how `pod` builds it."""
    spec = made["spec"]
    found = {("secrets", v["secret"]["secretName"]) for v in spec["volumes"] if "secret" in v}
    found |= {
        ("persistentvolumeclaims", v["persistentVolumeClaim"]["claimName"])
        for v in spec["volumes"]
        if "persistentVolumeClaim" in v
    }
    found |= {("configmaps", c["envFrom"][0]["configMapRef"]["name"]) for c in spec["containers"]}
    return found | ({("serviceaccounts", spec["serviceAccountName"])} if "serviceAccountName" in spec else set())


def may_reach(pods: dict[tuple[str, str], dict[str, Any]], node: str, kind: str, space: str, name: str) -> bool:
    return any(
        made["spec"]["nodeName"] == node and (kind, name) in referred(made)
        for (where, _), made in pods.items()
        if where == space and "annotations" not in made["metadata"]
    )


@settings(max_examples=200, deadline=None)
@given(changes)
def test_the_graph_is_what_the_pods_say(sequence):
    lister = FakeLister()
    authorizer = NodeAuthorizer(NodeGraph(lister), ())
    pods: dict[tuple[str, str], dict[str, Any]] = {}
    for name, space, node, used, mirror in sequence:
        if node is None:
            if (space, name) in pods:
                lister.remove(pods.pop((space, name)))
            continue
        pods[space, name] = pod(name, space, node, used, mirror)
        lister.put(pods[space, name])
    for node in NODES:
        for kind in KINDS:
            for space in SPACES:
                for name in NAMES:
                    asked = Attributes(node_user(node), "get", resource=kind, namespace=space, name=name)
                    assert authorizer.decide(asked).allowed == may_reach(pods, node, kind, space, name)


WRITES = ("create", "update", "patch", "delete", "deletecollection")


@settings(max_examples=100, deadline=None)
@given(changes, st.sampled_from(WRITES), st.sampled_from(KINDS[:3]), st.sampled_from(NAMES))
def test_no_pod_lets_its_node_write_what_it_refers_to(sequence, verb, kind, name):
    lister = FakeLister(*(pod(n, s, node, u, m) for n, s, node, u, m in {c[:2]: c for c in sequence}.values() if node))
    authorizer = NodeAuthorizer(NodeGraph(lister), ())
    asked = Attributes(node_user("n1"), verb, resource=kind, namespace="shop", name=name)
    assert not authorizer.decide(asked).allowed
