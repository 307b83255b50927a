from cybernetes.model.resource import Resource

RESOURCE = Resource(
    group="admissionregistration.k8s.io",
    version="v1",
    kind="MutatingWebhookConfiguration",
    plural="mutatingwebhookconfigurations",
    singular="mutatingwebhookconfiguration",
    namespaced=False,
    categories=("api-extensions",),
    storage_version_hash="Sqi0GUgDaX0=",
    schema="io.k8s.api.admissionregistration.v1.MutatingWebhookConfiguration",
)
