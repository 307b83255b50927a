from cybernetes.model.printing.network import INGRESSES
from cybernetes.model.resource import GET_PATCH_UPDATE, Resource, Subresource
from cybernetes.model.strategy import empty_status, first_generation, keep, next_generation, standard, status_of
from cybernetes.model.validation.load_balancers import validate_ingress_status
from cybernetes.model.validation.networking import validate_ingress_update, validate_new_ingress
from cybernetes.model.warnings.ingresses import of_ingress

RESOURCE = Resource(
    group="networking.k8s.io",
    version="v1",
    kind="Ingress",
    plural="ingresses",
    singular="ingress",
    namespaced=True,
    short_names=("ing",),
    subresources=(
        Subresource(
            name="status",
            kind="Ingress",
            verbs=GET_PATCH_UPDATE,
            strategy=status_of(validate_update=validate_ingress_status, reset_fields=(("spec",),)),
        ),
    ),
    storage_version_hash="39NQlfNR+bo=",
    strategy=standard(
        namespaced=True,
        warnings=of_ingress,
        meta_checks_on_update=2,
        validate=validate_new_ingress,
        validate_update=validate_ingress_update,
        prepare_create=(
            empty_status,
            first_generation,
        ),
        prepare_update=(
            keep("status"),
            next_generation("spec"),
        ),
        reset_fields=(("status",),),
    ),
    columns=INGRESSES,
    schema="io.k8s.api.networking.v1.Ingress",
)
