from cybernetes.model.printing.cluster import WEBHOOK_CONFIGURATIONS
from cybernetes.model.resource import Resource
from cybernetes.model.strategy import first_generation, next_generation, standard
from cybernetes.model.validation.admissionregistration import validate_webhooks

RESOURCE = Resource(
    group="admissionregistration.k8s.io",
    version="v1",
    kind="MutatingWebhookConfiguration",
    plural="mutatingwebhookconfigurations",
    singular="mutatingwebhookconfiguration",
    namespaced=False,
    categories=("api-extensions",),
    storage_version_hash="Sqi0GUgDaX0=",
    strategy=standard(
        namespaced=False,
        validate=lambda obj: validate_webhooks(obj, mutating=True),
        prepare_create=(first_generation,),
        prepare_update=(next_generation("webhooks"),),
        allow_unconditional_update=False,
    ),
    columns=WEBHOOK_CONFIGURATIONS,
    schema="io.k8s.api.admissionregistration.v1.MutatingWebhookConfiguration",
)
