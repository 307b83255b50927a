"""Binds claims to volumes, and says what becomes of a volume whose claim is gone.

enters   PersistentVolumeClaims, PersistentVolumes, StorageClasses
leaves   spec.claimRef, spec.volumeName, their annotations, phases; Events; folders below /tmp removed that were volumes
holds    a volume is reserved for a claim before the claim names it; two claims never share one volume
fails    a write that lost a race is decided again on what is there; what only a driver can do is left to it
start    loop.VolumeController.sync_claim, sync_volume -> plan
"""
