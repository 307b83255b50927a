from cybernetes.model.printing.cluster import STORAGE_VERSION_MIGRATIONS
from cybernetes.model.resource import GET_PATCH_UPDATE, Resource, Subresource
from cybernetes.model.strategy import empty_status, keep, standard, status_of
from cybernetes.model.validation.storage_migrations import validate_migration, validate_migration_update

RESOURCE = Resource(
    group="storagemigration.k8s.io",
    version="v1",
    kind="StorageVersionMigration",
    plural="storageversionmigrations",
    singular="storageversionmigration",
    namespaced=False,
    subresources=(
        Subresource(
            name="status",
            kind="StorageVersionMigration",
            verbs=GET_PATCH_UPDATE,
            strategy=status_of(reset_fields=(("spec",),)),
        ),
    ),
    storage_version_hash="fG8W2W0mBLo=",
    strategy=standard(
        namespaced=False,
        validate=validate_migration,
        validate_update=validate_migration_update,
        prepare_create=(empty_status,),
        prepare_update=(keep("status"),),
        allow_unconditional_update=False,
        reset_fields=(("status",),),
    ),
    columns=STORAGE_VERSION_MIGRATIONS,
    schema="io.k8s.api.storagemigration.v1.StorageVersionMigration",
)
