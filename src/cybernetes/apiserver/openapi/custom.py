"""Definitions of custom resources for OpenAPI documents."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import orjson

from cybernetes.apiserver.openapi.operations import META

SELECTABLE = "x-kubernetes-selectable-fields"
_REF = "#/components/schemas/"
_MORE = "More info: https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md"
_HEAD = {
    "apiVersion": {
        "type": "string",
        "description": "APIVersion defines the versioned schema of this representation of an object. Servers should "
        "convert recognized schemas to the latest internal value, and may reject unrecognized values. "
        f"{_MORE}#resources",
    },
    "kind": {
        "type": "string",
        "description": "Kind is a string value representing the REST resource this object represents. Servers may "
        "infer this from the endpoint the client submits requests to. Cannot be updated. In CamelCase. "
        f"{_MORE}#types-kinds",
    },
}
_METADATA = {
    "description": f"Standard object's metadata. {_MORE}#metadata",
    "allOf": [{"$ref": f"{_REF}{META}ObjectMeta"}],
}
_LIST_METADATA = {
    "description": f"Standard list metadata. {_MORE}#types-kinds",
    "allOf": [{"$ref": f"{_REF}{META}ListMeta"}],
}


def definition_name(group: str, version: str, kind: str) -> str:
    """`io.example.stable.v1.CronTab`: the group's labels backwards."""
    return ".".join((*reversed(group.split(".")), version, kind))


def definitions(
    group: str,
    version: str,
    kind: str,
    list_kind: str,
    plural: str,
    schema: dict[str, Any] | None,
    selectable: Iterable[str] = (),
) -> dict[str, bytes]:
    """The definitions of a kind and of its lists, by name.

    schema      its openAPIV3Schema; None where everything is kept
    selectable  paths of the fields that lists can be selected by: `spec.color`
    """
    name = definition_name(group, version, kind)
    known = {"group": group, "version": version, "kind": kind}
    whole: dict[str, Any] = dict(schema) if schema is not None else {"x-kubernetes-preserve-unknown-fields": True}
    whole["type"] = "object"
    head = {**_HEAD, "metadata": _METADATA}
    whole["properties"] = {
        **head,
        **{k: _embedding(v) for k, v in (whole.get("properties") or {}).items() if k not in head},
    }
    whole["x-kubernetes-group-version-kind"] = [known]
    fields = [{"fieldPath": path} for path in selectable]
    if fields:
        whole[SELECTABLE] = fields
    listed = {
        "description": f"{list_kind} is a list of {kind}",
        "type": "object",
        "required": ["items"],
        "properties": {
            **_HEAD,
            "items": {
                "description": f"List of {plural}. {_MORE}",
                "type": "array",
                "items": {"allOf": [{"$ref": _REF + name}]},
            },
            "metadata": _LIST_METADATA,
        },
        "x-kubernetes-group-version-kind": [{**known, "kind": list_kind}],
    }
    # Lists are looked up as the kind's name and "List", whatever the list kind is called.
    return {name: orjson.dumps(whole), name + "List": orjson.dumps(listed)}


def _embedding(schema: dict[str, Any]) -> dict[str, Any]:
    """Whole objects within a custom one have what every object has."""
    out = dict(schema)
    if "properties" in out:
        out["properties"] = {name: _embedding(each) for name, each in out["properties"].items()}
    for key in ("items", "additionalProperties"):
        if isinstance(out.get(key), dict):
            out[key] = _embedding(out[key])
    if out.get("x-kubernetes-embedded-resource"):
        out["properties"] = {**out.get("properties", {}), **_HEAD, "metadata": _METADATA}
        out["required"] = list(dict.fromkeys((*(out.get("required") or ()), "kind", "apiVersion")))
    return out
