from cybernetes.model.printing.cluster import VOLUME_ATTACHMENTS
from cybernetes.model.resource import GET_PATCH_UPDATE, Resource, Subresource
from cybernetes.model.strategy import empty_status, keep, standard, status_of
from cybernetes.model.validation.storage import validate_volume_attachment, validate_volume_attachment_update

RESOURCE = Resource(
    group="storage.k8s.io",
    version="v1",
    kind="VolumeAttachment",
    plural="volumeattachments",
    singular="volumeattachment",
    namespaced=False,
    subresources=(
        Subresource(
            name="status",
            kind="VolumeAttachment",
            verbs=GET_PATCH_UPDATE,
            strategy=status_of(reset_fields=(("spec",),)),
        ),
    ),
    storage_version_hash="tJx/ezt6UDU=",
    strategy=standard(
        namespaced=False,
        validate=validate_volume_attachment,
        validate_update=validate_volume_attachment_update,
        prepare_create=(empty_status,),
        prepare_update=(keep("status"),),
        allow_unconditional_update=False,
        returns_deleted_object=True,
        reset_fields=(("status",),),
    ),
    columns=VOLUME_ATTACHMENTS,
    schema="io.k8s.api.storage.v1.VolumeAttachment",
)
