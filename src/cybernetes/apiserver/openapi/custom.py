"""Definitions of custom resources for OpenAPI documents."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import orjson

from cybernetes.apiserver.openapi.operations import META

SELECTABLE = "x-kubernetes-selectable-fields"
_REF = "#/components/schemas/"
_TEXTS = {
    "apiVersion": "APIVersion defines the versioned schema of this representation of an object.",
    "kind": "Kind is a string value representing the REST resource this object represents.",
    "metadata": "Standard object's metadata.",
    "items": "List of objects.",
}


def definition_name(group: str, version: str, kind: str) -> str:
    """`io.example.stable.v1.CronTab`: the group's labels backwards."""
    return ".".join((*reversed(group.split(".")), version, kind))


def definitions(
    group: str, version: str, kind: str, list_kind: str, schema: dict[str, Any] | None, selectable: Iterable[str] = ()
) -> dict[str, bytes]:
    """The definitions of a kind and of its lists, by name.

    schema      its openAPIV3Schema; None where everything is kept
    selectable  paths of the fields that lists can be selected by: `spec.color`
    """
    name = definition_name(group, version, kind)
    known = {"group": group, "version": version, "kind": kind}
    whole: dict[str, Any] = dict(schema) if schema is not None else {"x-kubernetes-preserve-unknown-fields": True}
    whole["type"] = "object"
    head = {
        "apiVersion": {"type": "string", "description": _TEXTS["apiVersion"]},
        "kind": {"type": "string", "description": _TEXTS["kind"]},
        "metadata": {"description": _TEXTS["metadata"], "allOf": [{"$ref": f"{_REF}{META}ObjectMeta"}]},
    }
    whole["properties"] = {**head, **{k: v for k, v in (whole.get("properties") or {}).items() if k not in head}}
    whole["x-kubernetes-group-version-kind"] = [known]
    fields = [{"fieldPath": path} for path in selectable]
    if fields:
        whole[SELECTABLE] = fields
    listed = {
        "description": f"{list_kind} is a list of {kind}",
        "type": "object",
        "required": ["items"],
        "properties": {
            **head,
            "items": {
                "description": _TEXTS["items"],
                "type": "array",
                "items": {"allOf": [{"$ref": _REF + name}]},
            },
            "metadata": {"description": _TEXTS["metadata"], "allOf": [{"$ref": f"{_REF}{META}ListMeta"}]},
        },
        "x-kubernetes-group-version-kind": [{**known, "kind": list_kind}],
    }
    # Lists are looked up as the kind's name and "List", whatever the list kind is called.
    return {name: orjson.dumps(whole), name + "List": orjson.dumps(listed)}
