"""What a node says to pods that were bound to it, and what it lets them set."""

from __future__ import annotations

from typing import Any

import pytest
from tests.unit.kubelet.making import pod

from cybernetes.kubelet import admit, security

Object = dict[str, Any]


def _node(*taints: Object, **labels: str) -> Object:
    return {"metadata": {"name": "n", "labels": labels}, "spec": {"taints": list(taints)}}


def _affinity(*expressions: Object) -> Object:
    terms = [{"matchExpressions": list(expressions)}]
    required = {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": terms}}
    return {"affinity": {"nodeAffinity": required}}


TAINT = {"key": "k", "value": "v", "effect": "NoExecute"}


@pytest.mark.parametrize(
    ("spec", "node", "reason"),
    [
        ({}, _node(), None),
        ({}, None, None),
        ({"nodeSelector": {"disk": "ssd"}}, _node(disk="ssd"), None),
        ({"nodeSelector": {"disk": "ssd"}}, _node(disk="hdd"), "NodeAffinity"),
        (_affinity({"key": "disk", "operator": "Exists"}), _node(disk="hdd"), None),
        (_affinity({"key": "disk", "operator": "In", "values": ["ssd"]}), _node(), "NodeAffinity"),
        (_affinity({"key": "cores", "operator": "Gt", "values": ["4"]}), _node(cores="8"), None),
        ({}, _node(TAINT), "TaintToleration"),
        ({}, _node({**TAINT, "effect": "NoSchedule"}), None),
        ({"tolerations": [{"key": "k", "operator": "Exists"}]}, _node(TAINT), None),
        ({"tolerations": [{"key": "k", "value": "w"}]}, _node(TAINT), "TaintToleration"),
        ({"tolerations": [{"operator": "Exists", "tolerationSeconds": 3}]}, _node(TAINT), None),
    ],
)
def test_a_node_refuses_pods_that_do_not_want_or_bear_it(spec: Object, node: Object | None, reason: str | None) -> None:
    rejection = admit.unwanted(pod(**spec), node)
    assert (rejection.reason if rejection else None) == reason


def test_static_pods_run_wherever_their_manifests_are() -> None:
    static = pod(nodeSelector={"disk": "ssd"})
    static["metadata"]["annotations"] = {"kubernetes.io/config.source": "file"}
    assert admit.unwanted(static, _node(TAINT)) is None


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ("kernel.shm_rmid_forced", "kernel.shm_rmid_forced"),
        ("net/ipv4/tcp_fin_timeout", "net.ipv4.tcp_fin_timeout"),
        ("net/ipv4/conf/eth0.1/x", "net.ipv4.conf.eth0/1.x"),
        ("net.ipv4.conf.eth0/1.x", "net.ipv4.conf.eth0/1.x"),
    ],
)
def test_kernel_settings_have_dots(given: str, name: str) -> None:
    holder = pod(securityContext={"sysctls": [{"name": given, "value": "1"}]})
    assert security.sysctls(holder) == {name: "1"}
    assert bool(security.forbidden_sysctl(holder, ())) is name.startswith("net.ipv4.conf")
