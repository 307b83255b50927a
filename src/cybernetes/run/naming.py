"""Names that several parts of one machine must agree on."""

from __future__ import annotations

from cybernetes.run.config import NodeConfig


def cgroup_root(node: NodeConfig) -> str:
    """Parent of the node's pods: below a folder of our own, so that nothing else is ever in it."""
    return f"/cybernetes-{node.name}"
