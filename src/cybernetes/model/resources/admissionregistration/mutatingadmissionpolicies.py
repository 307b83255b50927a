from cybernetes.model.printing.cluster import MUTATING_POLICIES
from cybernetes.model.resource import Resource
from cybernetes.model.strategy import first_generation, next_generation, standard
from cybernetes.model.validation.admission_policies import validate_policy

RESOURCE = Resource(
    group="admissionregistration.k8s.io",
    version="v1",
    kind="MutatingAdmissionPolicy",
    plural="mutatingadmissionpolicies",
    singular="mutatingadmissionpolicy",
    namespaced=False,
    categories=("api-extensions",),
    storage_version_hash="LYmCf+UMVdg=",
    strategy=standard(
        namespaced=False,
        validate=lambda obj: validate_policy(obj, mutating=True),
        prepare_create=(first_generation,),
        prepare_update=(next_generation("spec"),),
        allow_unconditional_update=False,
    ),
    columns=MUTATING_POLICIES,
    schema="io.k8s.api.admissionregistration.v1.MutatingAdmissionPolicy",
)
