from cybernetes.base.clock import rfc3339
from cybernetes.model.printing.core import PERSISTENT_VOLUMES
from cybernetes.model.resource import GET_PATCH_UPDATE, Object, Resource, Subresource, WriteContext
from cybernetes.model.strategy import keep, standard, status_of
from cybernetes.model.validation.persistent_volumes import validate_persistent_volume, validate_persistent_volume_update


def _pending(obj: Object, ctx: WriteContext) -> None:
    obj["status"] = {"phase": "Pending", "lastPhaseTransitionTime": rfc3339(ctx.now)}


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
        meta_checks_on_update=2,
        validate=validate_persistent_volume,
        validate_update=validate_persistent_volume_update,
        prepare_create=(_pending,),
        prepare_update=(keep("status"),),
        returns_deleted_object=True,
        reset_fields=(("status",),),
    ),
    columns=PERSISTENT_VOLUMES,
    schema="io.k8s.api.core.v1.PersistentVolume",
)
