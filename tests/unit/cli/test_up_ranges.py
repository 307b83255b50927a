"""Ranges of addresses that `up` is told: what a new cluster may have, and what an existing one may become."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from cybernetes.cli.main import cybernetes
from cybernetes.cli.up import _on_network
from cybernetes.run import config as cluster_config
from cybernetes.run.config import ClusterConfig, NetworkConfig, NodeConfig, dual_stack
from cybernetes.run.layout import Layout


def up(folder: Path, *words: str) -> Result:
    return CliRunner().invoke(cybernetes, ["up", "--only", "apiserver", "--data-dir", str(folder), *words])


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--service-cluster-ip-range", "10.96.0.0/12,10.97.0.0/16"), "at most one range of each address family"),
        (
            ("--cluster-cidr", "10.244.0.0/99"),
            "podRange: '10.244.0.0/99' does not appear to be an IPv4 or IPv6 network",
        ),
        (("--service-cluster-ip-range", "fd00::/112"), "podRange 10.244.0.0/16 has no such family"),
    ],
)
def test_ranges_that_cannot_be_are_refused_before_anything_is_made(
    tmp_path: Path, words: tuple[str, ...], message: str
) -> None:
    result = up(tmp_path, *words)
    assert result.exit_code == 2
    assert message in result.output
    assert list(tmp_path.iterdir()) == []


def test_the_first_ranges_of_a_cluster_stay(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    cluster_config.write(layout.config, ClusterConfig(only=("apiserver",)))
    result = up(tmp_path, "--service-cluster-ip-range", "172.30.0.0/16")
    assert result.exit_code == 1
    assert "only a second family can be added" in result.output
    assert cluster_config.read(layout.config).network == NetworkConfig()


def test_nodes_get_an_address_of_the_family_that_is_added() -> None:
    nodes = (
        NodeConfig(name="node-1", address="10.89.0.11", network="cyb-node-1"),
        NodeConfig(name="node-2", address="10.89.0.12", second_address="fd00::2", network="cyb-node-2"),
    )
    config = _on_network(ClusterConfig(nodes=nodes), dual_stack(NetworkConfig()))
    assert [each.second_address for each in config.nodes] == ["fd00:10:89::b", "fd00::2"]
    assert config.network.families == (4, 6)
