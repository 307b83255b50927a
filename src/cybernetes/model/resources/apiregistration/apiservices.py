from cybernetes.model.printing.cluster import API_SERVICES
from cybernetes.model.resource import GET_PATCH_UPDATE, Resource, Subresource
from cybernetes.model.strategy import empty_status, keep, standard, status_of
from cybernetes.model.validation.names import path_segment

RESOURCE = Resource(
    group="apiregistration.k8s.io",
    version="v1",
    kind="APIService",
    plural="apiservices",
    singular="apiservice",
    namespaced=False,
    categories=("api-extensions",),
    subresources=(
        Subresource(
            name="status", kind="APIService", verbs=GET_PATCH_UPDATE, strategy=status_of(reset_fields=(("spec",),))
        ),
    ),
    storage_version_hash="InPBPD7+PqM=",
    strategy=standard(
        namespaced=False,
        name_rule=path_segment,
        prepare_create=(empty_status,),
        prepare_update=(keep("status"),),
        allow_unconditional_update=False,
        reset_fields=(("status",),),
    ),
    columns=API_SERVICES,
    schema="io.k8s.kube-aggregator.pkg.apis.apiregistration.v1.APIService",
)
