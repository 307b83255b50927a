from cybernetes.model.resource import Resource

RESOURCE = Resource(
    group="admissionregistration.k8s.io",
    version="v1",
    kind="ValidatingWebhookConfiguration",
    plural="validatingwebhookconfigurations",
    singular="validatingwebhookconfiguration",
    namespaced=False,
    categories=("api-extensions",),
    storage_version_hash="B0wHjQmsGNk=",
    schema="io.k8s.api.admissionregistration.v1.ValidatingWebhookConfiguration",
)
