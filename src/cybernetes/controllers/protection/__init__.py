"""Keeps claims and volumes that are in use from going.

enters   PersistentVolumeClaims, PersistentVolumes, pods
leaves   the finalizers pvc-protection and pv-protection, put on and taken off
holds    a claim goes only when no running pod uses it; a volume only when it is not bound
fails    a refused write is tried again
start    loop.ClaimProtection.sync, loop.VolumeProtection.sync
"""
