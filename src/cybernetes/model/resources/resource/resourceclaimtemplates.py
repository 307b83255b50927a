from cybernetes.model.printing.formats import NAME_AND_AGE
from cybernetes.model.resource import Resource
from cybernetes.model.strategy import standard
from cybernetes.model.validation.devices import immutable_spec, validate_claim_template

RESOURCE = Resource(
    group="resource.k8s.io",
    version="v1",
    kind="ResourceClaimTemplate",
    plural="resourceclaimtemplates",
    singular="resourceclaimtemplate",
    namespaced=True,
    storage_version_hash="TuzjC49aUfM=",
    strategy=standard(
        namespaced=True,
        meta_checks_on_update=2,
        validate=validate_claim_template,
        validate_update=immutable_spec,
        returns_deleted_object=True,
    ),
    columns=NAME_AND_AGE,
    schema="io.k8s.api.resource.v1.ResourceClaimTemplate",
)
