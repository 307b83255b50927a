from cybernetes.model.resource import GET_PATCH_UPDATE, Resource, Subresource

RESOURCE = Resource(
    group="batch",
    version="v1",
    kind="CronJob",
    plural="cronjobs",
    singular="cronjob",
    namespaced=True,
    short_names=("cj",),
    categories=("all",),
    subresources=(Subresource(name="status", kind="CronJob", verbs=GET_PATCH_UPDATE),),
    storage_version_hash="sd5LIXh4Fjs=",
    schema="io.k8s.api.batch.v1.CronJob",
)
