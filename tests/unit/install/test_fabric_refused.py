"""A network that is another cluster's is named, with what shows whose it is."""

from __future__ import annotations

import pytest
from pyroute2.netlink.exceptions import NetlinkError

from cybernetes.base.errors import EdgeError
from cybernetes.install import fabric
from cybernetes.run.config import ClusterConfig, NodeConfig


class _Taken:
    def __enter__(self) -> _Taken:
        raise NetlinkError(17, "File exists")

    def __exit__(self, *_: object) -> None:
        return None


def test_what_the_kernel_refuses_is_an_error_that_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fabric, "IPRoute", _Taken)
    config = ClusterConfig(nodes=(NodeConfig(name="node-1", address="10.0.0.1", network="cyb-node-1"),))
    with pytest.raises(EdgeError, match=r"join the networks of node-1: .*File exists.*ip netns"):
        fabric.ensure(config)
