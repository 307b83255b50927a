"""Gives each node its range of pod addresses.

enters   Nodes; the cluster's pod ranges, one per address family, and how big a node's part is
leaves   spec.podCIDR and spec.podCIDRs, once; Event CIDRNotAvailable
holds    no two nodes have the same range; a range is free again when its node is gone
fails    when all ranges are taken the node waits, and says so
start    loop.NodeIpamController.sync -> plan.Ranges.take
"""
