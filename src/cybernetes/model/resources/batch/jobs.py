from cybernetes.model.resource import GET_PATCH_UPDATE, Resource, Subresource

RESOURCE = Resource(
    group="batch",
    version="v1",
    kind="Job",
    plural="jobs",
    singular="job",
    namespaced=True,
    categories=("all",),
    subresources=(Subresource(name="status", kind="Job", verbs=GET_PATCH_UPDATE),),
    storage_version_hash="mudhfqk/qZY=",
    schema="io.k8s.api.batch.v1.Job",
)
