from cybernetes.model.resource import GET_PATCH_UPDATE, Resource, Subresource

RESOURCE = Resource(
    group="policy",
    version="v1",
    kind="PodDisruptionBudget",
    plural="poddisruptionbudgets",
    singular="poddisruptionbudget",
    namespaced=True,
    short_names=("pdb",),
    subresources=(Subresource(name="status", kind="PodDisruptionBudget", verbs=GET_PATCH_UPDATE),),
    storage_version_hash="EVWiDmWqyJw=",
    schema="io.k8s.api.policy.v1.PodDisruptionBudget",
)
