from cybernetes.model.resource import GET_PATCH_UPDATE, Object, Resource, Subresource, WriteContext
from cybernetes.model.strategy import empty_status, first_generation, keep, next_generation, standard, status_of


def _storage_version(obj: Object) -> list[str]:
    return [each["name"] for each in obj["spec"]["versions"] or () if each["storage"]][:1]


def _first_stored(obj: Object, ctx: WriteContext) -> None:
    obj["status"]["storedVersions"] = _storage_version(obj)


def _also_stored(obj: Object, old: Object, ctx: WriteContext) -> None:
    """Objects may lie in the store in every version that ever was the storage version."""
    known = obj["status"].get("storedVersions") or []
    new = [each for each in _storage_version(obj) if each not in known]
    if new:
        obj["status"] = {**obj["status"], "storedVersions": [*known, *new]}


RESOURCE = Resource(
    group="apiextensions.k8s.io",
    version="v1",
    kind="CustomResourceDefinition",
    plural="customresourcedefinitions",
    singular="customresourcedefinition",
    namespaced=False,
    short_names=("crd", "crds"),
    categories=("api-extensions",),
    subresources=(
        Subresource(
            name="status",
            kind="CustomResourceDefinition",
            verbs=GET_PATCH_UPDATE,
            strategy=status_of(reset_fields=(("spec",),)),
        ),
    ),
    storage_version_hash="jfWCUB31mvA=",
    strategy=standard(
        namespaced=False,
        prepare_create=(
            empty_status,
            _first_stored,
            first_generation,
        ),
        prepare_update=(
            keep("status"),
            _also_stored,
            next_generation("spec"),
        ),
        allow_unconditional_update=False,
        reset_fields=(("status",),),
    ),
    schema="io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.CustomResourceDefinition",
)
