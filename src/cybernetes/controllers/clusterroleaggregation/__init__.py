"""Fills ClusterRoles that are put together from others by label.

enters   ClusterRoles
leaves   rules of those with an aggregationRule, by server-side apply
holds    rules are the union of the selected roles', in order of their names
fails    a refused write is tried again
start    loop.ClusterRoleAggregationController.sync -> loop.union
"""
