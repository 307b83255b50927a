"""Deletes pods that do not tolerate a NoExecute taint of their node, at once or when their patience ends.

enters   Nodes with their taints; pods with their tolerations; time
leaves   condition DisruptionTarget, deletions; Events TaintManagerEviction
holds    a pod that tolerates all taints for ever is never touched; a taint that goes cancels what it caused
fails    a refused deletion is tried again
start    loop.TaintEvictionController.sync -> plan.patience_s
"""
