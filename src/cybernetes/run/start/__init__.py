"""Constructs each component on its real edges: one file a component, each an `async def serve(setting)`.

enters   a Setting: configuration, folders, node
leaves   a component that serves until it is cancelled
holds    nothing else in the tree constructs an edge
"""

from __future__ import annotations

import msgspec

from cybernetes.run.config import ClusterConfig, NodeConfig
from cybernetes.run.layout import Layout


class Setting(msgspec.Struct, frozen=True):
    """What a component starts from. node is None for the control plane."""

    config: ClusterConfig
    layout: Layout
    node: NodeConfig | None = None

    @property
    def own_node(self) -> NodeConfig:
        assert self.node is not None, "a node's component was started without its node"
        return self.node
