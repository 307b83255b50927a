from cybernetes.model.printing.core import SECRETS
from cybernetes.model.resource import Resource
from cybernetes.model.selectable import paths
from cybernetes.model.strategy import standard
from cybernetes.model.validation.config import validate_secret, validate_secret_update

RESOURCE = Resource(
    group="",
    version="v1",
    kind="Secret",
    plural="secrets",
    singular="secret",
    namespaced=True,
    storage_version_hash="S6u1pOWzb84=",
    strategy=standard(
        namespaced=True,
        meta_checks_on_update=2,
        validate=validate_secret,
        validate_update=validate_secret_update,
    ),
    fields=paths("type"),
    columns=SECRETS,
    schema="io.k8s.api.core.v1.Secret",
)
