"""Which processes a configuration means."""

from pathlib import Path

import pytest

from cybernetes.base.errors import Bug, EdgeError, Retry
from cybernetes.run.components import plan, refusal
from cybernetes.run.config import ApiServerConfig, ClusterConfig, StoreConfig, read
from cybernetes.run.layout import Layout
from cybernetes.run.start.apiserver import _share

LAYOUT = Layout(Path("/nowhere"))
SHARED = StoreConfig(kind="etcd", endpoints=("192.0.2.1:2379",))


def test_api_servers_of_one_machine_are_processes_with_numbers() -> None:
    config = ClusterConfig(only=("apiserver", "scheduler"), store=SHARED, api_server=ApiServerConfig(processes=3))
    rows = {each.name: each.after for each in plan(config, LAYOUT)}
    assert list(rows) == ["apiserver", "apiserver-2", "apiserver-3", "scheduler"]
    assert rows["scheduler"] == ("apiserver",)
    assert config.shares_store


def test_seats_are_of_all_processes_together() -> None:
    config = ClusterConfig(api_server=ApiServerConfig(processes=3))
    assert [_share(seats, config) for seats in (400, 2, 0)] == [133, 1, 0]


@pytest.mark.parametrize("count", [0, 17, "two"])
def test_a_count_that_makes_no_sense_is_refused_by_its_place(tmp_path: Path, count: object) -> None:
    (tmp_path / "config.yaml").write_text(f"kind: ClusterConfig\napiServer: {{processes: {count}}}\n")
    with pytest.raises(EdgeError, match=r"apiServer\.processes"):
        read(tmp_path / "config.yaml")


def test_what_somebody_has_to_mend_is_one_line_and_all_else_a_trace() -> None:
    wrong, passing = EdgeError("read", "/x", "not there", retry=Retry.NEVER), EdgeError("dial", "etcd", "refused")
    assert refusal(wrong) == "read /x: not there"
    assert refusal(ExceptionGroup("", [ExceptionGroup("", [wrong]), wrong])) == "read /x: not there; read /x: not there"
    assert refusal(passing) is None
    assert refusal(ExceptionGroup("", [wrong, passing])) is None
    assert refusal(ExceptionGroup("", [Bug("no")])) is None
