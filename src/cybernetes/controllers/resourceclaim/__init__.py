"""Makes ResourceClaims of pods from templates, and takes back what nobody uses any more.

enters   pods with resource claims, ResourceClaims, ResourceClaimTemplates
leaves   claims, pod.status.resourceClaimStatuses, reservedFor without pods that are gone, allocations that are given back
holds    a claim is made once for each pod and name; a claim that a pod still uses keeps its devices
fails    Event FailedResourceClaimCreation; a write that lost a race is decided again on what is there
start    loop.ResourceClaimController.sync_pod, sync_claim -> plan
"""
