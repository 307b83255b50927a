"""Where a pod's volumes are, and where they could be: VolumeRestrictions, NodeVolumeLimits, VolumeBinding, VolumeZone.

enters   claims, volumes, classes and CSI objects as they change; a pod with claims
leaves   codes for nodes that can't reach or get its volumes; for the chosen node, what to bind or have provisioned
holds    a volume that was chosen for a claim is not chosen again while its binding is written
start    state.Storage -> filters.VolumeFilter; choose.choices -> loop writes them before the pod is bound
source   Kubernetes documentation "Persistent Volumes", "Storage Classes", "Storage Capacity", "Node-specific Volume Limits"
"""
