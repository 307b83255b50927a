"""Keeps claims, volumes and classes of volume attributes that are in use from going.

enters   PersistentVolumeClaims, PersistentVolumes, VolumeAttributesClasses, pods
leaves   the finalizers pvc-protection, pv-protection and vac-protection, put on and taken off
holds    a claim goes only when no running pod uses it; a volume only when it is not bound;
         a class only when no claim and no volume names it
fails    a refused write is tried again
start    loop.ClaimProtection.sync, loop.VolumeProtection.sync, attributes.AttributesClassProtection.sync
"""
