from cybernetes.model.resource import Resource

RESOURCE = Resource(
    group="admissionregistration.k8s.io",
    version="v1",
    kind="MutatingAdmissionPolicyBinding",
    plural="mutatingadmissionpolicybindings",
    singular="mutatingadmissionpolicybinding",
    namespaced=False,
    categories=("api-extensions",),
    storage_version_hash="90V5FRZZ3Zg=",
    schema="io.k8s.api.admissionregistration.v1.MutatingAdmissionPolicyBinding",
)
