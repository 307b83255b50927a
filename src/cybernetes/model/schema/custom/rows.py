"""From a CustomResourceDefinition to the rows by which its versions are served.

source  Kubernetes documentation "Versions in CustomResourceDefinitions"; subresources of custom resources
"""

from __future__ import annotations

import base64
import hashlib
from typing import Any

import msgspec
import orjson

from cybernetes.base.errors import forbidden
from cybernetes.model import selectable
from cybernetes.model.field import FieldError
from cybernetes.model.printing.formats import NAME, since
from cybernetes.model.resource import GET_PATCH_UPDATE, Column, Object, Resource, Strategy, Subresource, WriteContext
from cybernetes.model.schema.custom import jsonpath, rules
from cybernetes.model.schema.custom.scale import validate_scale
from cybernetes.model.schema.custom.structural import CustomNode, custom_node
from cybernetes.model.schema.custom.validate import blocked, validate
from cybernetes.model.strategy import first_generation, keep_meta
from cybernetes.model.validation.meta import validate_meta, validate_meta_update
from cybernetes.model.validation.names import dns_subdomain
from cybernetes.model.versions import version_rank
from cybernetes.model.warnings.finalizers import of_finalizers

# The order in which discovery lists what custom resources can do.
VERBS = ("delete", "deletecollection", "get", "list", "patch", "create", "update", "watch")
TERMINATING = "create not allowed while custom resource definition is terminating"
_HEAD = ("kind", "apiVersion", "metadata")


class CustomVersion(msgspec.Struct, frozen=True):
    """One served version. scale: paths of replicas wanted, replicas seen, selector (each "" or `.spec.replicas`)."""

    resource: Resource
    node: CustomNode
    schema: dict[str, Any] | None
    scale: tuple[str, str, str] | None
    is_stored: bool


def versions(definition: Object) -> list[CustomVersion]:
    """What an established definition serves, under the names that it got; the stored version among it or not."""
    spec = definition["spec"]
    return [_version(definition, each) for each in spec["versions"] if each["served"] or each["storage"]]


def shapes(definition: Object) -> dict[str, CustomNode]:
    """The schema of every version by apiVersion: objects may lie in versions that are not served any more."""
    spec = definition["spec"]
    return {
        f"{spec['group']}/{each['name']}": custom_node(
            (each.get("schema") or {}).get("openAPIV3Schema"),
            group=spec["group"],
            version=each["name"],
            kind=definition["status"]["acceptedNames"]["kind"],
        )
        for each in spec["versions"]
    }


def storage_hash(group: str, version: str, kind: str) -> str:
    digest = hashlib.sha256(f"{group}/{version}/{kind}".encode()).digest()
    return base64.b64encode(digest[:8]).decode()


def _version(definition: Object, version: dict[str, Any]) -> CustomVersion:
    spec, names = definition["spec"], definition["status"]["acceptedNames"]
    group, kind = spec["group"], names["kind"]
    schema = (version.get("schema") or {}).get("openAPIV3Schema")
    node = custom_node(schema, group=group, version=version["name"], kind=kind)
    subresources = version.get("subresources") or {}
    scale = subresources.get("scale")
    paths = None
    if scale is not None:
        paths = (scale["specReplicasPath"], scale["statusReplicasPath"], scale.get("labelSelectorPath") or "")
    shape = _Shape(
        node,
        namespaced=spec["scope"] == "Namespaced",
        plural=names["plural"],
        has_status=subresources.get("status") is not None,
        scale=paths,
        terminating=bool(definition["metadata"].get("deletionTimestamp")),
    )
    stored = next(each["name"] for each in spec["versions"] if each["storage"])
    resource = Resource(
        group=group,
        version=version["name"],
        kind=kind,
        plural=names["plural"],
        singular=names.get("singular") or kind.lower(),
        namespaced=shape.namespaced,
        short_names=tuple(names.get("shortNames") or ()),
        categories=tuple(names.get("categories") or ()),
        verbs=VERBS,
        subresources=shape.subresources(),
        storage_version_hash=storage_hash(group, stored, kind),
        schema=".".join((*reversed(group.split(".")), version["name"], kind)),
        strategy=shape.strategy(),
        columns=columns(version.get("additionalPrinterColumns")),
        fields=_fields(version),
        deprecation=_deprecation(spec, version),
    )
    return CustomVersion(resource, node, schema, paths, version["storage"])


def _deprecation(spec: dict[str, Any], version: dict[str, Any]) -> str:
    """What the definition says, or that there is a newer version."""
    if not version.get("deprecated"):
        return ""
    told: str | None = version.get("deprecationWarning")
    if told is not None:
        return told
    group, kind, rank = spec["group"], spec["names"]["kind"], version_rank(version["name"])
    current = [each["name"] for each in spec["versions"] if each["served"] and not each.get("deprecated")]
    newer = [name for name in sorted(current, key=version_rank) if version_rank(name) < rank]
    instead = f"; use {group}/{newer[0]} {kind}" if newer else ""
    return f"{group}/{version['name']} {kind} is deprecated{instead}"


def _fields(version: dict[str, Any]) -> dict[str, Any]:
    labels = [each["jsonPath"].lstrip(".") for each in version.get("selectableFields") or ()]
    return selectable.paths(*labels)


class _Shape:
    """What the strategies of one version need to know."""

    def __init__(
        self,
        node: CustomNode,
        *,
        namespaced: bool,
        plural: str,
        has_status: bool,
        scale: tuple[str, str, str] | None,
        terminating: bool,
    ) -> None:
        self.node = node
        self.namespaced = namespaced
        self.plural = plural
        self.has_status = has_status
        self.scale = scale
        self.terminating = terminating

    def subresources(self) -> tuple[Subresource, ...]:
        # In the order in which discovery lists them.
        found = []
        if self.has_status:
            status = Subresource(
                name="status", kind=self.node.kind, verbs=GET_PATCH_UPDATE, strategy=self.status_strategy()
            )
            found.append(status)
        if self.scale is not None:
            found.append(Subresource(name="scale", kind="Scale", group="autoscaling", version="v1"))
        return tuple(found)

    def strategy(self) -> Strategy:
        return Strategy(
            prepare_create=self._prepare_create,
            prepare_update=self._prepare_update,
            validate_create=lambda obj, ctx: self._rules(obj, None, self._meta(obj), ctx),
            validate_update=lambda obj, old, ctx: self._rules(obj, old, validate_meta_update(obj, old), ctx),
            warnings=of_finalizers,
            allow_unconditional_update=False,
            reset_fields=(("status",),) if self.has_status else (),
        )

    def status_strategy(self) -> Strategy:
        return Strategy(
            prepare_update=self._prepare_status,
            validate_update=lambda obj, old, ctx: self._rules(obj, old, validate_meta_update(obj, old), ctx),
            allow_unconditional_update=False,
            reset_fields=(("metadata",), ("spec",)),
        )

    def _prepare_create(self, obj: Object, ctx: WriteContext) -> None:
        if self.terminating:
            raise forbidden(self.node.group, self.plural, obj["metadata"].get("name", ""), TERMINATING)
        if self.has_status:
            obj.pop("status", None)
        first_generation(obj, ctx)

    def _prepare_update(self, obj: Object, old: Object, ctx: WriteContext) -> None:
        if self.has_status:
            _put_back(obj, old, "status")
        apart = (*_HEAD, "status") if self.has_status else _HEAD
        changed = {k: v for k, v in obj.items() if k not in apart} != {k: v for k, v in old.items() if k not in apart}
        obj["metadata"]["generation"] = old["metadata"].get("generation", 0) + (1 if changed else 0)

    def _prepare_status(self, obj: Object, old: Object, ctx: WriteContext) -> None:
        for name in {*obj, *old} - {"status", *_HEAD}:
            _put_back(obj, old, name)
        own = ("managedFields", "resourceVersion", "uid")
        keep_meta(*({*obj["metadata"], *old["metadata"]} - {*own}))(obj, old, ctx)

    def _meta(self, obj: Object) -> list[FieldError]:
        return validate_meta(obj, namespaced=self.namespaced, name_rule=dns_subdomain)

    def _rules(self, obj: Object, old: Object | None, meta: list[FieldError], ctx: WriteContext) -> list[FieldError]:
        errors = validate(self.node.schema, obj)
        if self.scale is not None:
            errors += validate_scale(obj, self.scale[0]) + validate_scale(obj, self.scale[1])
        if old is not None and errors:
            errors = _ratcheted(errors, obj, old)
        errors = meta + errors
        if not self.node.schema.has_rules:
            return errors
        stopped = blocked(errors)
        if stopped is not None:
            return [*errors, stopped]
        return errors + rules.check(self.node.schema, obj, old, ctx.warnings)


def _put_back(obj: Object, old: Object, name: str) -> None:
    if name in old:
        obj[name] = old[name]
    else:
        obj.pop(name, None)


def _ratcheted(errors: list[FieldError], obj: Object, old: Object) -> list[FieldError]:
    """Errors of values that an update left as they were are not held against it."""
    return [each for each in errors if not _unchanged(each.field.lstrip("."), obj, old)]


def _unchanged(field: str, obj: Object, old: Object) -> bool:
    if field == "<nil>":
        return False
    path = "." + field
    try:
        now, before = jsonpath.find(path, obj), jsonpath.find(path, old)
    except jsonpath.JsonPathError:
        return False
    return bool(now) and now == before


def columns(described: list[dict[str, Any]] | None) -> tuple[Column, ...]:
    """The name, and what the definition describes; the age where it describes nothing."""
    listed = described or [{"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"}]
    return (NAME, *(_column(each) for each in listed))


def _column(each: dict[str, Any]) -> Column:
    path, kind = each["jsonPath"], each["type"]

    def cell(obj: Object, now: float) -> Any:
        try:
            found = jsonpath.find(path, obj)
        except jsonpath.JsonPathError:
            return None
        return _cell(found, kind, now) if found else None

    return Column(
        name=each["name"],
        type=kind,
        format=each.get("format", ""),
        description=each.get("description") or f"Custom resource definition column (in JSONPath format): {path}",
        priority=each.get("priority", 0),
        cell=cell,
    )


def _cell(found: list[Any], kind: str, now: float) -> Any:
    value = found[0]
    if kind == "integer":
        return value if isinstance(value, int) and not isinstance(value, bool) else _whole(value)
    if kind == "number":
        return value if isinstance(value, int | float) and not isinstance(value, bool) else None
    if kind == "boolean":
        return value if isinstance(value, bool) else None
    if kind == "date":
        return since(value, now) if isinstance(value, str) else "<unknown>"
    return " ".join(_text(each) for each in found)


def _whole(value: Any) -> int | None:
    return int(value) if isinstance(value, float) and value.is_integer() else None


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    return orjson.dumps(value).decode()
