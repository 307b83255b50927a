"""Namespaces: they end in two steps, marked first and gone when nothing is in them."""

from __future__ import annotations

from cybernetes.model.field import FieldError, Path, invalid
from cybernetes.model.printing.core import NAMESPACES
from cybernetes.model.resource import GET_PATCH_UPDATE, Object, Resource, Strategy, Subresource, WriteContext
from cybernetes.model.strategy import keep, standard, status_of
from cybernetes.model.validation.meta import validate_finalizer_name, validate_meta_update
from cybernetes.model.validation.names import dns_label

_NAME_LABEL = "kubernetes.io/metadata.name"


def _begin(obj: Object, ctx: WriteContext) -> None:
    obj["status"] = {"phase": "Active"}
    finalizers = obj.setdefault("spec", {}).setdefault("finalizers", [])
    if "kubernetes" not in finalizers:
        finalizers.append("kubernetes")
    _label(obj)


def _label(obj: Object) -> None:
    """The name as a label, so that selectors can pick one namespace; it can't be changed."""
    name = obj["metadata"].get("name")
    if name:
        obj["metadata"].setdefault("labels", {})[_NAME_LABEL] = name


def _label_on_update(obj: Object, old: Object, ctx: WriteContext) -> None:
    _label(obj)


def _validate(obj: Object) -> list[FieldError]:
    path = Path("spec").child("finalizers")
    finalizers = (obj.get("spec") or {}).get("finalizers") or []
    return [error for each in finalizers for error in validate_finalizer_name(each, path)]


def _validate_status(obj: Object, old: Object) -> list[FieldError]:
    phase = (obj.get("status") or {}).get("phase", "")
    deleting = bool(obj["metadata"].get("deletionTimestamp"))
    path = Path("status").child("Phase")
    if not deleting and phase != "Active":
        return [invalid(path, phase, "may only be 'Active' if `deletionTimestamp` is empty")]
    if deleting and phase != "Terminating":
        return [invalid(path, phase, "may only be 'Terminating' if `deletionTimestamp` is not empty")]
    return []


def _finalize(obj: Object, old: Object, ctx: WriteContext) -> None:
    keep("status")(obj, old, ctx)


def _validate_finalize(obj: Object, old: Object, ctx: WriteContext) -> list[FieldError]:
    return validate_meta_update(obj, old) + _validate(obj)


RESOURCE = Resource(
    group="",
    version="v1",
    kind="Namespace",
    plural="namespaces",
    singular="namespace",
    namespaced=False,
    short_names=("ns",),
    verbs=("create", "delete", "get", "list", "patch", "update", "watch"),
    subresources=(
        Subresource(
            name="finalize",
            kind="Namespace",
            verbs=("update",),
            strategy=Strategy(
                prepare_update=_finalize, validate_update=_validate_finalize, reset_fields=(("status",),)
            ),
        ),
        Subresource(
            name="status",
            kind="Namespace",
            verbs=GET_PATCH_UPDATE,
            strategy=status_of(validate_update=_validate_status, reset_fields=(("spec",),)),
        ),
    ),
    storage_version_hash="Q3oi5N2YM8M=",
    strategy=standard(
        namespaced=False,
        name_rule=dns_label,
        validate=_validate,
        validate_update=lambda obj, old: [],
        prepare_create=(_begin,),
        prepare_update=(keep("status", "spec"), _label_on_update),
        returns_deleted_object=True,
        reset_fields=(("status",),),
    ),
    fields={
        "status.phase": lambda obj: str((obj.get("status") or {}).get("phase") or ""),
        "name": lambda obj: str(obj["metadata"].get("name") or ""),
    },
    columns=NAMESPACES,
    schema="io.k8s.api.core.v1.Namespace",
)
