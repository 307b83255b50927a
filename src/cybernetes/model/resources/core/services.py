"""Services: stable addresses in front of pods."""

from __future__ import annotations

from cybernetes.model.printing.core import SERVICES
from cybernetes.model.resource import GET_PATCH_UPDATE, Object, Resource, Subresource, WriteContext
from cybernetes.model.selectable import paths
from cybernetes.model.strategy import empty_status, keep, standard, status_of
from cybernetes.model.validation.load_balancers import validate_service_status
from cybernetes.model.validation.names import dns_label
from cybernetes.model.validation.services import validate_service, validate_service_update
from cybernetes.model.warnings.services import of_service


def _first_of_cluster_ips(obj: Object, ctx: WriteContext) -> None:
    """clusterIP is the first of clusterIPs; who sets only the older field means both."""
    spec = obj.get("spec") or {}
    if spec.get("clusterIP") and not spec.get("clusterIPs"):
        spec["clusterIPs"] = [spec["clusterIP"]]


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
            name="status",
            kind="Service",
            verbs=GET_PATCH_UPDATE,
            strategy=status_of(validate_update=validate_service_status, reset_fields=(("spec",),)),
        ),
    ),
    storage_version_hash="0/CO1lhkEBI=",
    strategy=standard(
        namespaced=True,
        warnings=of_service,
        name_rule=dns_label,
        validate=validate_service,
        validate_update=validate_service_update,
        prepare_create=(empty_status, _first_of_cluster_ips),
        prepare_update=(keep("status"),),
        allow_create_on_update=True,
        returns_deleted_object=True,
        reset_fields=(("status",),),
    ),
    fields=paths("spec.clusterIP", "spec.type"),
    columns=SERVICES,
    schema="io.k8s.api.core.v1.Service",
)
