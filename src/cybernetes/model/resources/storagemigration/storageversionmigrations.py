from cybernetes.model.resource import GET_PATCH_UPDATE, Resource, Subresource

RESOURCE = Resource(
    group="storagemigration.k8s.io",
    version="v1",
    kind="StorageVersionMigration",
    plural="storageversionmigrations",
    singular="storageversionmigration",
    namespaced=False,
    subresources=(Subresource(name="status", kind="StorageVersionMigration", verbs=GET_PATCH_UPDATE),),
    storage_version_hash="fG8W2W0mBLo=",
    schema="io.k8s.api.storagemigration.v1.StorageVersionMigration",
)
