from cybernetes.model.printing.cluster import DEVICE_TAINT_RULES
from cybernetes.model.resource import GET_PATCH_UPDATE, Resource, Subresource
from cybernetes.model.strategy import empty_status, first_generation, keep, next_generation, standard, status_of
from cybernetes.model.validation.device_slices import validate_taint_rule

RESOURCE = Resource(
    group="resource.k8s.io",
    version="v1",
    kind="DeviceTaintRule",
    plural="devicetaintrules",
    singular="devicetaintrule",
    namespaced=False,
    subresources=(
        Subresource(
            name="status", kind="DeviceTaintRule", verbs=GET_PATCH_UPDATE, strategy=status_of(reset_fields=(("spec",),))
        ),
    ),
    storage_version_hash="qvhYPLi0ox4=",
    strategy=standard(
        namespaced=False,
        validate=validate_taint_rule,
        prepare_create=(
            empty_status,
            first_generation,
        ),
        prepare_update=(
            keep("status"),
            next_generation("spec"),
        ),
        returns_deleted_object=True,
        reset_fields=(("status",),),
    ),
    columns=DEVICE_TAINT_RULES,
    schema="io.k8s.api.resource.v1.DeviceTaintRule",
)
