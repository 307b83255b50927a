import msgspec

from cybernetes.model.field import FieldError
from cybernetes.model.resource import GET_PATCH_UPDATE, Object, Resource, Subresource, WriteContext
from cybernetes.model.schema.custom.definition import name_errors, validate_definition, validate_definition_update
from cybernetes.model.strategy import empty_status, first_generation, keep, next_generation, standard, status_of
from cybernetes.model.validation.meta import validate_meta, validate_meta_update
from cybernetes.model.warnings.definitions import of_definition


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


def _validate_create(obj: Object, ctx: WriteContext) -> list[FieldError]:
    meta = validate_meta(obj, namespaced=False, name_rule=lambda name: name_errors(obj, name))
    return meta + validate_definition(obj)


def _validate_update(obj: Object, old: Object, ctx: WriteContext) -> list[FieldError]:
    return validate_meta_update(obj, old) + validate_definition_update(obj, old)


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
    strategy=msgspec.structs.replace(
        standard(
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
            warnings=of_definition,
            allow_unconditional_update=False,
            reset_fields=(("status",),),
        ),
        validate_create=_validate_create,
        validate_update=_validate_update,
    ),
    schema="io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.CustomResourceDefinition",
)
