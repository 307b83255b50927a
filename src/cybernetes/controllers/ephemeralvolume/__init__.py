"""Makes the claims of pods' ephemeral volumes.

enters   pods with ephemeral volumes, claims
leaves   one claim a volume, named POD-VOLUME, owned by the pod; Event FailedBinding
holds    a claim of that name that is not the pod's is never used
fails    a refused creation is tried again
start    loop.EphemeralVolumeController.sync
"""
