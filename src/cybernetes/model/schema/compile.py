"""From the generated definitions to nodes."""

from __future__ import annotations

from copy import copy
from functools import cache
from importlib import resources
from typing import Any

import orjson

from cybernetes.base.errors import Bug
from cybernetes.model.schema.node import Field, ListNode, MapNode, Node, StructNode, UnionNode

JSON_SCHEMA = "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaProps"
OBJECT_META = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"
# Keys of list maps that have a default value.
_KEY_DEFAULTS = {"protocol": "TCP"}

# A template without labels is refused in these, in words that tell an empty map from none: nothing of it is stored.
_SELECTING = frozenset(
    (
        "io.k8s.api.apps.v1.DaemonSetSpec",
        "io.k8s.api.apps.v1.DeploymentSpec",
        "io.k8s.api.apps.v1.ReplicaSetSpec",
        "io.k8s.api.apps.v1.StatefulSetSpec",
        "io.k8s.api.core.v1.ReplicationControllerSpec",
    )
)


def read_lines(name: str) -> dict[str, bytes]:
    """Generated package data, one definition a line: name -> its JSON, not yet parsed."""
    data = (resources.files("cybernetes.model.schema") / "generated" / name).read_bytes()
    pairs = (line.split(b"\t", 1) for line in data.splitlines())
    return {key.decode(): value for key, value in pairs}


@cache
def _definitions() -> dict[str, bytes]:
    return read_lines("definitions.tsv")


@cache
def kinds() -> dict[str, dict[str, str]]:
    """apiVersion -> kind -> name of the definition, of every kind that upstream knows (served or not)."""
    data = (resources.files("cybernetes.model.schema") / "generated" / "kinds.json").read_bytes()
    return dict(orjson.loads(data))


@cache
def node(name: str) -> StructNode:
    """The node of a definition, `io.k8s.api.core.v1.Pod`; the same object for every caller."""
    line = _definitions().get(name)
    if line is None:
        raise Bug(f"there is no definition {name}")
    map_type = "atomic" if b'"m":"atomic"}' in line[-14:] else "granular"
    found = StructNode(name, lambda: _fields(orjson.loads(line)["f"]), map_type)
    return _kept(found, ("template", "metadata", "labels")) if name in _SELECTING else found


def _kept(struct: StructNode, path: tuple[str, ...]) -> StructNode:
    """The struct, with a field at `path` that is kept where it is given and empty."""

    def load() -> dict[str, Field]:
        field = copy(struct.fields[path[0]])
        if isinstance(field.node, StructNode):
            field.node = _kept(field.node, path[1:])
        else:
            field.form = "pointer"
        return {**struct.fields, path[0]: field}

    return StructNode(struct.name, load, struct.map_type, open=struct.open)


def kind_node(api_version: str, kind: str) -> StructNode | None:
    """The node of a kind; None where upstream has no such kind."""
    name = kinds().get(api_version, {}).get(kind)
    return None if name is None else node(name)


def _fields(rows: list[list[Any]]) -> dict[str, Field]:
    return {name: _field(name, kind, flags) for name, kind, flags in rows}


def _field(name: str, kind: Any, flags: dict[str, Any]) -> Field:
    return Field(
        name,
        _typed(kind, flags),
        required="r" in flags,
        form=flags["z"],
        patch_strategy=tuple(flags["s"].split(",")) if "s" in flags else (),
        merge_key=flags.get("p", ""),
        wire=tuple(flags.get("w", ())),
        embedded=tuple(flags.get("e", ())),
    )


def _typed(kind: Any, flags: dict[str, Any]) -> Node:
    if isinstance(kind, list):
        shape, inner = kind
        if shape == "list":
            keys = tuple(flags.get("k", ()))
            defaults = {key: _KEY_DEFAULTS[key] for key in keys if key in _KEY_DEFAULTS}
            return ListNode(_typed(inner, {}), flags.get("l", "atomic"), keys, defaults)
        return MapNode(_typed(inner, {}), flags.get("m", "granular"))
    if kind.startswith("#"):
        found = node(kind[1:])
        map_type = flags.get("m", found.map_type)
        return found if map_type == found.map_type else found.with_map_type(map_type)
    return scalar(kind)


@cache
def scalar(kind: str) -> Node:
    """The shared node of a scalar type, or of one of the unions that JSON schemas use."""
    if kind == "struct-or-list":
        return UnionNode((node(JSON_SCHEMA), ListNode(node(JSON_SCHEMA))))
    if kind == "struct-or-bool":
        return UnionNode((node(JSON_SCHEMA), scalar("bool")))
    if kind == "struct-or-strings":
        return UnionNode((node(JSON_SCHEMA), ListNode(scalar("string"))))
    return Node(kind)
