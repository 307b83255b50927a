from cybernetes.model.printing.cluster import POLICY_BINDINGS
from cybernetes.model.resource import Resource
from cybernetes.model.strategy import first_generation, next_generation, standard
from cybernetes.model.validation.admission_policies import validate_binding

RESOURCE = Resource(
    group="admissionregistration.k8s.io",
    version="v1",
    kind="MutatingAdmissionPolicyBinding",
    plural="mutatingadmissionpolicybindings",
    singular="mutatingadmissionpolicybinding",
    namespaced=False,
    categories=("api-extensions",),
    storage_version_hash="90V5FRZZ3Zg=",
    strategy=standard(
        namespaced=False,
        validate=lambda obj: validate_binding(obj, mutating=True),
        prepare_create=(first_generation,),
        prepare_update=(next_generation("spec"),),
        allow_unconditional_update=False,
    ),
    columns=POLICY_BINDINGS,
    schema="io.k8s.api.admissionregistration.v1.MutatingAdmissionPolicyBinding",
)
