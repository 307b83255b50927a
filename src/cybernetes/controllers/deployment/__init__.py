"""Moves Deployments from one ReplicaSet to the next.

enters   Deployments, ReplicaSets; pods, for the Recreate strategy only
leaves   ReplicaSets created, scaled, annotated and deleted; status; Events ScalingReplicaSet
holds    one step a sync, decided from what is there; the next follows when its effect has been seen
fails    a name that is taken by another template raises status.collisionCount, which changes the name
start    loop.DeploymentController.sync -> plan.plan
"""
