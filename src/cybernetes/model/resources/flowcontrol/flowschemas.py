from cybernetes.model.printing.cluster import FLOW_SCHEMAS
from cybernetes.model.resource import GET_PATCH_UPDATE, Resource, Subresource
from cybernetes.model.strategy import empty_status, first_generation, keep, next_generation, standard, status_of
from cybernetes.model.validation.flowcontrol import validate_flow_schema

RESOURCE = Resource(
    group="flowcontrol.apiserver.k8s.io",
    version="v1",
    kind="FlowSchema",
    plural="flowschemas",
    singular="flowschema",
    namespaced=False,
    subresources=(
        Subresource(
            name="status", kind="FlowSchema", verbs=GET_PATCH_UPDATE, strategy=status_of(reset_fields=(("spec",),))
        ),
    ),
    storage_version_hash="GJVAJZSZBIw=",
    strategy=standard(
        namespaced=False,
        validate=validate_flow_schema,
        prepare_create=(
            empty_status,
            first_generation,
        ),
        prepare_update=(
            keep("status"),
            next_generation("spec"),
        ),
        reset_fields=(("status",),),
    ),
    columns=FLOW_SCHEMAS,
    schema="io.k8s.api.flowcontrol.v1.FlowSchema",
)
