from cybernetes.model.printing.core import RESOURCE_QUOTAS
from cybernetes.model.resource import GET_PATCH_UPDATE, Resource, Subresource
from cybernetes.model.strategy import empty_status, keep, standard, status_of
from cybernetes.model.validation.limits import validate_resource_quota, validate_resource_quota_update
from cybernetes.model.validation.workload_statuses import validate_quota_status

RESOURCE = Resource(
    group="",
    version="v1",
    kind="ResourceQuota",
    plural="resourcequotas",
    singular="resourcequota",
    namespaced=True,
    short_names=("quota",),
    subresources=(
        Subresource(
            name="status",
            kind="ResourceQuota",
            verbs=GET_PATCH_UPDATE,
            strategy=status_of(validate_update=validate_quota_status, reset_fields=(("spec",),)),
        ),
    ),
    storage_version_hash="8uhSgffRX6w=",
    strategy=standard(
        namespaced=True,
        validate=validate_resource_quota,
        validate_update=validate_resource_quota_update,
        prepare_create=(empty_status,),
        prepare_update=(keep("status"),),
        returns_deleted_object=True,
        reset_fields=(("status",),),
    ),
    columns=RESOURCE_QUOTAS,
    schema="io.k8s.api.core.v1.ResourceQuota",
)
