"""Keeps the number of pods of ReplicaSets and ReplicationControllers.

enters   ReplicaSets or ReplicationControllers, and pods
leaves   pods created and deleted; status; Events SuccessfulCreate, FailedCreate, SuccessfulDelete, FailedDelete
holds    no decision on pods before its own earlier creations and deletions were seen
fails    a refused creation ends the batch, is told in the condition ReplicaFailure, and is tried again later
start    loop.ReplicaSetController.sync -> plan.plan
"""
