from cybernetes.model.printing.formats import NAME_AND_AGE
from cybernetes.model.resource import Resource, Subresource
from cybernetes.model.strategy import standard

RESOURCE = Resource(
    group="",
    version="v1",
    kind="ServiceAccount",
    plural="serviceaccounts",
    singular="serviceaccount",
    namespaced=True,
    short_names=("sa",),
    subresources=(
        Subresource(name="token", kind="TokenRequest", group="authentication.k8s.io", version="v1", verbs=("create",)),
    ),
    storage_version_hash="pbx9ZvyFpBE=",
    strategy=standard(namespaced=True, meta_checks_on_update=2, returns_deleted_object=True),
    columns=NAME_AND_AGE,
    schema="io.k8s.api.core.v1.ServiceAccount",
)
