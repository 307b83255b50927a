"""Removes pods that nobody will ever remove: of nodes that are gone, never placed, ended long ago.

enters   pods, Nodes; every 20 seconds
leaves   phase Failed and condition DisruptionTarget on pods that were running; forced deletions
holds    a node counts as gone only after 40 seconds and a question to the API server itself
cost     a round looks at pods that may be garbage, and at the names of nodes; not at all pods
fails    a refused deletion is tried again in the next round
start    loop.PodGc.run -> plan.suspicions, plan.orphans, plan.ended
"""
