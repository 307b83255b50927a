from cybernetes.model.printing.cluster import VALIDATING_POLICIES
from cybernetes.model.resource import GET_PATCH_UPDATE, Resource, Subresource
from cybernetes.model.strategy import empty_status, first_generation, keep, next_generation, standard, status_of
from cybernetes.model.validation.admission_policies import validate_policy

RESOURCE = Resource(
    group="admissionregistration.k8s.io",
    version="v1",
    kind="ValidatingAdmissionPolicy",
    plural="validatingadmissionpolicies",
    singular="validatingadmissionpolicy",
    namespaced=False,
    categories=("api-extensions",),
    subresources=(
        Subresource(
            name="status",
            kind="ValidatingAdmissionPolicy",
            verbs=GET_PATCH_UPDATE,
            strategy=status_of(reset_fields=(("spec",),)),
        ),
    ),
    storage_version_hash="6OxvlMmQ6is=",
    strategy=standard(
        namespaced=False,
        validate=lambda obj: validate_policy(obj, mutating=False),
        prepare_create=(
            empty_status,
            first_generation,
        ),
        prepare_update=(
            keep("status"),
            next_generation("spec"),
        ),
        allow_unconditional_update=False,
        reset_fields=(("status",),),
    ),
    columns=VALIDATING_POLICIES,
    schema="io.k8s.api.admissionregistration.v1.ValidatingAdmissionPolicy",
)
