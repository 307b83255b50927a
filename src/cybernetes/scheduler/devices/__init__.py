"""Dynamic resource allocation: which devices a pod's claims get, and on which nodes that is possible.

enters   ResourceClaims, ResourceSlices, DeviceClasses; a pod's claims by name
leaves   nodes that can't give what is claimed, an allocation for the chosen one, the writes that make it so
holds    no device is given twice, decisions that are being written included; the same cluster gives the same devices
fails    an expression that fails, or a search that takes too long, rejects the node with the reason
start    filters.DeviceFilter -> allocate.allocate -> write.write_claims
source   Kubernetes documentation "Dynamic Resource Allocation"
"""
