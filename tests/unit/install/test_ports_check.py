"""Whether the ports of a configuration are free on this machine."""

from __future__ import annotations

import socket
from pathlib import Path

from cybernetes.install import checks
from cybernetes.run.config import ApiServerConfig, ClusterConfig
from cybernetes.run.layout import Layout


def _level(address: str, port: int, folder: Path) -> str:
    config = ClusterConfig(only=("apiserver",), api_server=ApiServerConfig(bind_address=address, port=port))
    [finding] = checks.ports(config, Layout(folder))
    return finding.level


def test_a_port_is_taken_where_somebody_listens_and_free_at_other_addresses(tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.2", 0))
        other.listen()
        port = other.getsockname()[1]
        assert _level("127.0.0.2", port, tmp_path) == "error"
        assert _level("0.0.0.0", port, tmp_path) == "error"
        assert _level("127.0.0.3", port, tmp_path) == "ok"
