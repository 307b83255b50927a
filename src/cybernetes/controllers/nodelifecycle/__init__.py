"""Notices nodes that have fallen silent, and marks them so that nothing new lands on them and pods move away.

enters   Nodes, their Leases, pods on them; time
leaves   conditions Unknown, taints by condition, Ready=False on pods of silent nodes; Events on nodes and pods
holds    silence is measured by this process's own clock from the last change that it saw
fails    when all zones are silent at once, the trouble is more likely here: nothing is tainted then
start    loop.NodeLifecycleController.run -> health -> plan -> taints
"""
