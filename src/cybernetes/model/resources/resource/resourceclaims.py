from cybernetes.model.printing.cluster import RESOURCE_CLAIMS
from cybernetes.model.resource import GET_PATCH_UPDATE, Resource, Subresource
from cybernetes.model.strategy import empty_status, keep, standard, status_of
from cybernetes.model.validation.devices import immutable_spec, validate_claim

RESOURCE = Resource(
    group="resource.k8s.io",
    version="v1",
    kind="ResourceClaim",
    plural="resourceclaims",
    singular="resourceclaim",
    namespaced=True,
    subresources=(
        Subresource(
            name="status", kind="ResourceClaim", verbs=GET_PATCH_UPDATE, strategy=status_of(reset_fields=(("spec",),))
        ),
    ),
    storage_version_hash="wgAZaHcZxUg=",
    strategy=standard(
        namespaced=True,
        meta_checks_on_update=2,
        validate=validate_claim,
        validate_update=immutable_spec,
        prepare_create=(empty_status,),
        prepare_update=(keep("status"),),
        returns_deleted_object=True,
        reset_fields=(("status",),),
    ),
    columns=RESOURCE_CLAIMS,
    schema="io.k8s.api.resource.v1.ResourceClaim",
)
