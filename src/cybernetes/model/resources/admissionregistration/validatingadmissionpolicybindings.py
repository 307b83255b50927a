from cybernetes.model.printing.cluster import POLICY_BINDINGS
from cybernetes.model.resource import Resource
from cybernetes.model.strategy import first_generation, next_generation, standard
from cybernetes.model.validation.admission_policies import validate_binding

RESOURCE = Resource(
    group="admissionregistration.k8s.io",
    version="v1",
    kind="ValidatingAdmissionPolicyBinding",
    plural="validatingadmissionpolicybindings",
    singular="validatingadmissionpolicybinding",
    namespaced=False,
    categories=("api-extensions",),
    storage_version_hash="v9715VZqakg=",
    strategy=standard(
        namespaced=False,
        validate=lambda obj: validate_binding(obj, mutating=False),
        prepare_create=(first_generation,),
        prepare_update=(next_generation("spec"),),
        allow_unconditional_update=False,
    ),
    columns=POLICY_BINDINGS,
    schema="io.k8s.api.admissionregistration.v1.ValidatingAdmissionPolicyBinding",
)
