"""Keeps numbered pods with storage of their own.

enters   StatefulSets, pods, ControllerRevisions, claims
leaves   pods and claims created, pods deleted, claims owned as the retention policy asks; revisions; status; Events
holds    OrderedReady: one step at a time, up from the lowest, down from the highest; a claim is never deleted here
fails    a pod that never gets ready stops an ordered rollout until someone repairs or deletes it
start    loop.StatefulSetController.sync -> plan.plan
"""
