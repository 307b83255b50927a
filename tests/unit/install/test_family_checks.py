"""What is looked at on a machine before it gets addresses of IPv6."""

from __future__ import annotations

from pathlib import Path

from cybernetes.install.checks import _families
from cybernetes.run.config import ClusterConfig, NetworkConfig, NodeConfig, dual_stack
from cybernetes.run.layout import Layout

NODE = NodeConfig(name="n1", address="192.0.2.1")


def found(tmp_path: Path, network: NetworkConfig, node: NodeConfig = NODE) -> list[tuple[str, str]]:
    config = ClusterConfig(network=network, nodes=(node,))
    return [(each.level, each.subject) for each in _families(config, Layout(tmp_path)) if each.subject != "IPv6"]


def test_a_node_without_an_address_of_the_second_family_is_named(tmp_path: Path) -> None:
    both = dual_stack(NetworkConfig())
    assert found(tmp_path, NetworkConfig()) == []
    assert found(tmp_path, both) == [("warning", "addresses")]
    assert found(tmp_path, both, NodeConfig(name="n1", address="192.0.2.1", second_address="fd00::1")) == []
