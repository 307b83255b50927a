from cybernetes.model.resource import GET_PATCH_UPDATE, Resource, Subresource
from cybernetes.model.strategy import empty_status, keep, standard, status_of
from cybernetes.model.validation.names import dns_label

RESOURCE = Resource(
    group="",
    version="v1",
    kind="Service",
    plural="services",
    singular="service",
    namespaced=True,
    short_names=("svc",),
    categories=("all",),
    subresources=(
        Subresource(name="proxy", kind="ServiceProxyOptions", verbs=("create", "delete", "get", "patch", "update")),
        Subresource(
            name="status", kind="Service", verbs=GET_PATCH_UPDATE, strategy=status_of(reset_fields=(("spec",),))
        ),
    ),
    storage_version_hash="0/CO1lhkEBI=",
    strategy=standard(
        namespaced=True,
        name_rule=dns_label,
        prepare_create=(empty_status,),
        prepare_update=(keep("status"),),
        allow_create_on_update=True,
        returns_deleted_object=True,
        reset_fields=(("status",),),
    ),
    schema="io.k8s.api.core.v1.Service",
)
