"""What a running cluster is told that it is not."""

from __future__ import annotations

from cybernetes.run.changes import differences
from cybernetes.run.config import ApiServerConfig, ClusterConfig, NodeConfig, StoreConfig

NODE = NodeConfig(name="a", address="192.0.2.1")


def test_each_field_is_named_with_both_values() -> None:
    there = ClusterConfig(nodes=(NODE,))
    wanted = ClusterConfig(api_server=ApiServerConfig(port=7443), store=StoreConfig(kind="etcd"))
    assert differences(there, wanted) == [
        "apiServer.port is 6443, not 7443",
        "nodes are others",
        "store.kind is sqlite, not etcd",
    ]


def test_equal_ones_and_other_choices_of_components_do_not_differ() -> None:
    there = ClusterConfig(nodes=(NODE,))
    assert differences(there, there) == []
    assert differences(there, ClusterConfig(nodes=(NODE,), only=("apiserver",))) == []
