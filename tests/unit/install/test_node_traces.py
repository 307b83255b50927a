"""What stays of containers whose runtime was killed: only that of the node's own goes."""

from __future__ import annotations

from pathlib import Path

from cybernetes.install.removal import forget


def test_what_the_machine_remembers_of_a_node_s_containers_goes(tmp_path: Path) -> None:
    states, results = tmp_path / "runc", tmp_path / "results"
    results.mkdir()
    for container in ("aa11", "bb22"):
        (states / container).mkdir(parents=True)
        (states / container / "status").write_text("{}")
        for network, interface in (("cni-loopback", "lo"), ("cybernetes", "eth0")):
            (results / f"{network}-{container}-{interface}").write_text("{}")
    forget(["aa11", "cc33"], states, results)
    assert [each.name for each in states.iterdir()] == ["bb22"]
    assert sorted(each.name for each in results.iterdir()) == ["cni-loopback-bb22-lo", "cybernetes-bb22-eth0"]


def test_nothing_is_missed_that_is_not_there(tmp_path: Path) -> None:
    forget(["aa11"], tmp_path / "none", tmp_path / "nor here")
    assert list(tmp_path.iterdir()) == []
