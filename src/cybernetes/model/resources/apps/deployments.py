from cybernetes.model.printing.workloads import DEPLOYMENTS
from cybernetes.model.resource import GET_PATCH_UPDATE, Object, Resource, Subresource, WriteContext
from cybernetes.model.strategy import (
    empty_status,
    first_generation,
    keep,
    keep_meta,
    standard,
    status_of,
)
from cybernetes.model.validation.workload_statuses import validate_deployment_status
from cybernetes.model.validation.workloads import validate_deployment, validate_deployment_update
from cybernetes.model.warnings.pods import of_template


def _next_generation(obj: Object, old: Object, ctx: WriteContext) -> None:
    """Annotations count too: they were how deployments told their replica sets things."""
    changed = obj["spec"] != old["spec"] or _annotations(obj) != _annotations(old)
    obj["metadata"]["generation"] = old["metadata"].get("generation", 0) + changed


def _annotations(obj: Object) -> dict[str, str]:
    return obj["metadata"].get("annotations") or {}


RESOURCE = Resource(
    group="apps",
    version="v1",
    kind="Deployment",
    plural="deployments",
    singular="deployment",
    namespaced=True,
    short_names=("deploy",),
    categories=("all",),
    subresources=(
        Subresource(name="scale", kind="Scale", group="autoscaling", version="v1", verbs=GET_PATCH_UPDATE),
        Subresource(
            name="status",
            kind="Deployment",
            verbs=GET_PATCH_UPDATE,
            strategy=status_of(
                validate_update=validate_deployment_status,
                prepare_update=(keep_meta("labels"),),
                reset_fields=(("spec",), ("metadata", "labels")),
            ),
        ),
    ),
    storage_version_hash="8aSe+NMegvE=",
    strategy=standard(
        namespaced=True,
        warnings=of_template("spec", "template"),
        validate=validate_deployment,
        validate_update=validate_deployment_update,
        prepare_create=(
            empty_status,
            first_generation,
        ),
        prepare_update=(
            keep("status"),
            _next_generation,
        ),
        reset_fields=(("status",),),
    ),
    columns=DEPLOYMENTS,
    schema="io.k8s.api.apps.v1.Deployment",
)
