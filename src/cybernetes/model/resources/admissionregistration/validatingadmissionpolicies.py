from cybernetes.model.resource import GET_PATCH_UPDATE, Resource, Subresource

RESOURCE = Resource(
    group="admissionregistration.k8s.io",
    version="v1",
    kind="ValidatingAdmissionPolicy",
    plural="validatingadmissionpolicies",
    singular="validatingadmissionpolicy",
    namespaced=False,
    categories=("api-extensions",),
    subresources=(Subresource(name="status", kind="ValidatingAdmissionPolicy", verbs=GET_PATCH_UPDATE),),
    storage_version_hash="6OxvlMmQ6is=",
    schema="io.k8s.api.admissionregistration.v1.ValidatingAdmissionPolicy",
)
