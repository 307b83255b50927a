from cybernetes.model.printing.core import PERSISTENT_VOLUME_CLAIMS
from cybernetes.model.resource import GET_PATCH_UPDATE, Object, Resource, Subresource, WriteContext
from cybernetes.model.strategy import keep, standard, status_of
from cybernetes.model.validation.claims import validate_claim_status
from cybernetes.model.validation.persistent_volumes import validate_claim, validate_claim_update


def _pending(obj: Object, ctx: WriteContext) -> None:
    obj["status"] = {"phase": "Pending"}


RESOURCE = Resource(
    group="",
    version="v1",
    kind="PersistentVolumeClaim",
    plural="persistentvolumeclaims",
    singular="persistentvolumeclaim",
    namespaced=True,
    short_names=("pvc",),
    subresources=(
        Subresource(
            name="status",
            kind="PersistentVolumeClaim",
            verbs=GET_PATCH_UPDATE,
            strategy=status_of(validate_update=validate_claim_status, reset_fields=(("spec",),)),
        ),
    ),
    storage_version_hash="QWTyNDq0dC4=",
    strategy=standard(
        namespaced=True,
        meta_checks_on_update=2,
        validate=validate_claim,
        validate_update=validate_claim_update,
        prepare_create=(_pending,),
        prepare_update=(keep("status"),),
        returns_deleted_object=True,
        reset_fields=(("status",),),
    ),
    columns=PERSISTENT_VOLUME_CLAIMS,
    schema="io.k8s.api.core.v1.PersistentVolumeClaim",
)
