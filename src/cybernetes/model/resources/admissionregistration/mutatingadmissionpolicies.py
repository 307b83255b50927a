from cybernetes.model.resource import Resource

RESOURCE = Resource(
    group="admissionregistration.k8s.io",
    version="v1",
    kind="MutatingAdmissionPolicy",
    plural="mutatingadmissionpolicies",
    singular="mutatingadmissionpolicy",
    namespaced=False,
    categories=("api-extensions",),
    storage_version_hash="LYmCf+UMVdg=",
    schema="io.k8s.api.admissionregistration.v1.MutatingAdmissionPolicy",
)
