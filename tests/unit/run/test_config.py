"""The configuration file: strict, with defaults, and the same after writing it."""

from pathlib import Path

import pytest

from cybernetes.base.errors import EdgeError
from cybernetes.run.config import ClusterConfig, NetworkConfig, NodeConfig, ServingConfig, dual_stack, read, write


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


def test_ranges_of_two_families_are_told_apart_by_a_comma() -> None:
    network = NetworkConfig(service_range="fd00:96::/112,10.96.0.0/12", pod_range="fd00:244::/56,10.244.0.0/16")
    assert (network.kubernetes_address, network.dns_address) == ("fd00:96::1", "fd00:96::a")
    assert network.service_ranges == ("fd00:96::/112", "10.96.0.0/12")
    assert network.node_parts == (("fd00:244::/56", 64), ("10.244.0.0/16", 24))
    assert network.families == (6, 4)


def test_dual_stack_adds_the_family_that_is_missing() -> None:
    four = dual_stack(NetworkConfig(service_range="172.30.0.0/16"))
    assert four.service_ranges == ("172.30.0.0/16", "fd00:10:96::/112")
    assert four.pod_ranges == ("10.244.0.0/16", "fd00:10:244::/56")
    assert dual_stack(four) == four
    six = dual_stack(NetworkConfig(service_range="fd00:1::/112", pod_range="fd00:2::/56"))
    assert (six.service_ranges[1], six.families) == ("10.96.0.0/12", (6, 4))


@pytest.mark.parametrize(
    ("ranges", "message"),
    [
        ({"serviceRange": "10.96.0.0/12,10.97.0.0/16"}, "serviceRange 10.96.0.0/12,10.97.0.0/16: at most one range of"),
        ({"serviceRange": "10.96.0.1/12"}, "serviceRange: 10.96.0.1/12 has host bits set"),
        ({"serviceRange": "10.96.0.0/12,fd00::/112"}, "podRange 10.244.0.0/16 has no such family"),
        ({"serviceRange": "10.96.0.0/29"}, "must have 16 addresses or more"),
        ({"podRange": "10.244.0.0/25"}, "podRange 10.244.0.0/25: can't be divided into ranges of /24"),
        ({"podRange": "10.244.0.0/16,fd00::/32"}, "podRange fd00::/32: can't be divided into ranges of /64"),
    ],
)
def test_ranges_that_cannot_be_are_refused(tmp_path: Path, ranges: dict[str, str], message: str) -> None:
    lines = "".join(f"  {name}: {text}\n" for name, text in ranges.items())
    (tmp_path / "config.yaml").write_text(f"kind: ClusterConfig\nnetwork:\n{lines}")
    with pytest.raises(EdgeError, match=message):
        read(tmp_path / "config.yaml")


def test_a_node_may_have_an_address_of_each_family() -> None:
    assert NodeConfig(name="a", address="192.0.2.7").addresses == ("192.0.2.7",)
    assert NodeConfig(name="a", address="192.0.2.7", second_address="fd00::7").addresses == ("192.0.2.7", "fd00::7")


def test_health_is_asked_for_where_this_machine_reaches_it() -> None:
    everywhere = ServingConfig(bind_address="0.0.0.0", scheduler_port=0)
    assert everywhere.health() == {"controller-manager": "https://127.0.0.1:10257"}
    assert ServingConfig(bind_address="fd00::1").health()["scheduler"] == "https://[fd00::1]:10259"
