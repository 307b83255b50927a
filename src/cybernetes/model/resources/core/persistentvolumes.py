from cybernetes.model.printing.core import PERSISTENT_VOLUMES
from cybernetes.model.resource import GET_PATCH_UPDATE, Resource, Subresource
from cybernetes.model.strategy import empty_status, keep, standard, status_of
from cybernetes.model.validation.storage import validate_persistent_volume, validate_persistent_volume_update

RESOURCE = Resource(
    group="",
    version="v1",
    kind="PersistentVolume",
    plural="persistentvolumes",
    singular="persistentvolume",
    namespaced=False,
    short_names=("pv",),
    subresources=(
        Subresource(
            name="status",
            kind="PersistentVolume",
            verbs=GET_PATCH_UPDATE,
            strategy=status_of(reset_fields=(("spec",),)),
        ),
    ),
    storage_version_hash="HN/zwEC+JgM=",
    strategy=standard(
        namespaced=False,
        validate=validate_persistent_volume,
        validate_update=validate_persistent_volume_update,
        prepare_create=(empty_status,),
        prepare_update=(keep("status"),),
        returns_deleted_object=True,
        reset_fields=(("status",),),
    ),
    columns=PERSISTENT_VOLUMES,
    schema="io.k8s.api.core.v1.PersistentVolume",
)
