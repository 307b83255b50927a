"""The configuration file: strict, with defaults, and the same after writing it."""

from pathlib import Path

import pytest

from cybernetes.base.errors import EdgeError
from cybernetes.run.config import ClusterConfig, NetworkConfig, NodeConfig, read, write


def test_what_was_written_is_read_back(tmp_path: Path) -> None:
    config = ClusterConfig(nodes=(NodeConfig(name="a", address="192.0.2.7"),), only=("apiserver",))
    write(tmp_path / "config.yaml", config)
    assert read(tmp_path / "config.yaml") == config


def test_an_unknown_field_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("kind: ClusterConfig\nnetwrok: {}\n")
    with pytest.raises(EdgeError, match="netwrok"):
        read(tmp_path / "config.yaml")


def test_addresses_of_the_service_range_are_those_of_other_installers() -> None:
    network = NetworkConfig(service_range="10.96.0.0/12")
    assert (network.kubernetes_address, network.dns_address) == ("10.96.0.1", "10.96.0.10")
