"""Runs one pod of a DaemonSet on every node that fits.

enters   DaemonSets, Nodes, pods, ControllerRevisions
leaves   pods created, each bound to its node by affinity, and deleted; revisions; status; Events
holds    the scheduler still places the pods; a rollout keeps to maxUnavailable or maxSurge
fails    a pod that keeps failing on a node is replaced there later and later
start    loop.DaemonSetController.sync -> eligible -> plan
"""
