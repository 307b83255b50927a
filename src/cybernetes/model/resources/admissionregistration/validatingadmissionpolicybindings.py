from cybernetes.model.resource import Resource

RESOURCE = Resource(
    group="admissionregistration.k8s.io",
    version="v1",
    kind="ValidatingAdmissionPolicyBinding",
    plural="validatingadmissionpolicybindings",
    singular="validatingadmissionpolicybinding",
    namespaced=False,
    categories=("api-extensions",),
    storage_version_hash="v9715VZqakg=",
    schema="io.k8s.api.admissionregistration.v1.ValidatingAdmissionPolicyBinding",
)
