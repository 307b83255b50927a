"""Definitions of the Kubernetes API as package data for `cybernetes.model.schema`.

enters   the JSON schemas of v1.37 (package kubernetes-validate), proto/kubernetes/fields.tsv (message, number,
         field, cardinality, type), proto/kubernetes/zero.tsv (message, field, form)
leaves   model/schema/generated/: definitions.tsv (compact), openapi.tsv (OpenAPI v3, with descriptions), kinds.json
holds    one line a definition, so that a reader parses only what it needs; equal input gives equal bytes

A form tells how Go's encoder treats the zero value: `zero` always written ("" 0 false {}), `null` always written
(nil as null), `value` left out when zero, `pointer` written whenever set, `omit` left out although required,
`gated` read and dropped: the feature that it belongs to is off.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, NamedTuple

VERSION = "v1.37.0"
REF = "#/$defs/"
META = "io.k8s.apimachinery.pkg.apis.meta.v1."
CRD = "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1."
SCALARS = {
    "io.k8s.apimachinery.pkg.api.resource.Quantity": "quantity",
    "io.k8s.apimachinery.pkg.util.intstr.IntOrString": "int-or-string",
    META + "Time": "time",
    META + "MicroTime": "micro-time",
    META + "Duration": "duration",
    META + "FieldsV1": "raw",
    META + "Patch": "raw",
    "io.k8s.apimachinery.pkg.runtime.RawExtension": "raw",
    CRD + "JSON": "raw",
    CRD + "JSONSchemaPropsOrArray": "struct-or-list",
    CRD + "JSONSchemaPropsOrBool": "struct-or-bool",
    CRD + "JSONSchemaPropsOrStringArray": "struct-or-strings",
}
PROTO_SCALARS = {"string", "bool", "int32", "int64", "double", "bytes"}
# Messages that only travel as protobuf or that OpenAPI leaves out, and that clients still ask for.
EXTRA = (
    META,
    "io.k8s.api.core.v1.",
    "io.k8s.api.apidiscovery.v2.",
    "io.k8s.api.authentication.v1.",
    "io.k8s.api.policy.v1.",
)
OPENAPI_SHAPES = {
    "quantity": {
        "description": "A fixed-point number with a decimal or binary suffix, such as 100m, 2 or 1Gi.",
        "oneOf": [{"type": "string"}, {"type": "number"}],
    },
    "int-or-string": {
        "description": "A number or a string, often a percentage.",
        "format": "int-or-string",
        "oneOf": [{"type": "integer"}, {"type": "string"}],
    },
}

Messages = dict[str, dict[str, tuple[int, str, str]]]


def read_messages(path: Path) -> Messages:
    """message -> field -> (number, cardinality, type), in the order of the struct."""
    messages: Messages = {}
    for line in path.read_text().splitlines()[1:]:
        message, number, field, cardinality, kind = (
            cell.replace("_apiserver", "-apiserver") for cell in line.split("\t")
        )
        message, kind = (
            message.replace("kube_aggregator", "kube-aggregator"),
            kind.replace("kube_aggregator", "kube-aggregator"),
        )
        fields = messages.setdefault(message, {})
        if number:
            fields[field] = (int(number), cardinality, kind)
    return messages


def promoted(messages: Messages, schemas: dict[str, Any]) -> Messages:
    """Messages of types that v1.37 promoted to v1: numbers stay what they were in the newest beta or alpha version."""
    found: Messages = {}
    for name in schemas:
        if name in messages or ".v1." not in name:
            continue
        group, _, kind = name.rpartition(".v1.")
        for version in ("v1beta2", "v1beta1", "v1alpha3", "v1alpha1"):
            if messages.get(f"{group}.{version}.{kind}"):
                found[name] = messages[f"{group}.{version}.{kind}"]
                break
    return found


def read_forms(path: Path) -> dict[tuple[str, str], str]:
    rows = (line.split("\t") for line in path.read_text().splitlines()[1:])
    return {(message, field): form for message, field, form in rows}


def read_definitions() -> dict[str, Any]:
    import kubernetes_validate

    folder = Path(kubernetes_validate.__file__).parent / "kubernetes-json-schema" / f"{VERSION}-local"
    return dict(json.loads((folder / "_definitions.json").read_text())["$defs"])


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


class Way(NamedTuple):
    """How a field is reached: the numbers of (nested) protobuf fields, and the structs that Go embeds on the way."""

    numbers: tuple[int, ...]
    embedded: tuple[str, ...] = ()


def wire_paths(message: str, properties: set[str], messages: Messages) -> dict[str, Way]:
    """JSON field -> the way to it on the wire, in struct order.

    Structs that Go embeds are messages of their own on the wire, and flat in JSON.
    """
    by_plain = {_plain(name): name for name in properties}
    paths: dict[str, Way] = {}
    for field, (number, cardinality, kind) in messages.get(message, {}).items():
        name = by_plain.get(_plain(field))
        if name is not None:
            paths[name] = Way((number,))
        elif cardinality == "one" and kind in messages and kind not in SCALARS and message not in SCALARS:
            struct = kind.rpartition(".")[2]
            for inner, way in wire_paths(kind, properties, messages).items():
                paths.setdefault(inner, Way((number, *way.numbers), (struct, *way.embedded)))
    return paths


def node_type(schema: dict[str, Any]) -> Any:
    if "$ref" in schema:
        name = schema["$ref"].removeprefix(REF)
        return SCALARS.get(name, "#" + name)
    declared = schema.get("type", "raw")
    kind = next(t for t in declared if t != "null") if isinstance(declared, list) else declared
    if kind == "array":
        return ["list", node_type(schema["items"])]
    if kind == "object":
        return ["map", node_type(schema["additionalProperties"])] if "additionalProperties" in schema else "raw"
    if kind == "string":
        return "bytes" if schema.get("format") == "byte" else "string"
    if kind == "integer":
        return schema.get("format", "int64")
    return {"boolean": "bool", "number": "double", "raw": "raw"}[kind]


def zero_form(name: str, field: str, kind: Any, required: bool, forms: dict[tuple[str, str], str]) -> str:
    form = forms.get((name, field))
    if kind in ("#" + META + "ObjectMeta", "#" + META + "ListMeta"):
        form = "zero"
    if form is None and required:
        nil = isinstance(kind, list) or kind in ("time", "micro-time", "raw", "bytes")
        form = "null" if nil else "zero"
    if form == "zero" and (isinstance(kind, list) or kind == "bytes"):
        form = "null"
    if form is None:
        form = "pointer" if kind in ("int32", "int64", "bool", "double") else "value"
    return form


def compact(name: str, schema: dict[str, Any], messages: Messages, forms: dict[tuple[str, str], str]) -> dict[str, Any]:
    """`{"f": [[field, type, flags], ...], "m": map type}`; flags z form, r required, w wire, e embedded, l k list, s p patch, m map."""
    properties = schema.get("properties", {})
    paths = wire_paths(name, set(properties), messages)
    typemeta = [each for each in ("kind", "apiVersion") if each in properties and each not in paths]
    order = [*typemeta, *paths, *(each for each in properties if each not in paths and each not in typemeta)]
    fields = []
    for field in order:
        prop = properties[field]
        kind = node_type(prop)
        required = field in schema.get("required", ())
        # A field of a known message that has no number came with v1.37, behind a gate that is off.
        gated = bool(messages.get(name)) and field not in paths and field not in typemeta
        flags: dict[str, Any] = {"z": "gated" if gated else zero_form(name, field, kind, required, forms)}
        if required:
            flags["r"] = 1
        if field in paths:
            flags["w"] = paths[field].numbers
            if paths[field].embedded:
                flags["e"] = paths[field].embedded
        for key, source in (
            ("l", "x-kubernetes-list-type"),
            ("k", "x-kubernetes-list-map-keys"),
            ("s", "x-kubernetes-patch-strategy"),
            ("p", "x-kubernetes-patch-merge-key"),
            ("m", "x-kubernetes-map-type"),
        ):
            if source in prop:
                flags[key] = prop[source]
        fields.append([field, kind, flags])
    out: dict[str, Any] = {"f": fields}
    if "x-kubernetes-map-type" in schema:
        out["m"] = schema["x-kubernetes-map-type"]
    return out


def from_message(name: str, messages: Messages, known: set[str]) -> dict[str, Any]:
    """The compact form of a message that has no schema: JSON names are the message's."""
    fields = []
    for field, (number, cardinality, kind) in messages[name].items():
        inner = kind if kind in PROTO_SCALARS else SCALARS.get(kind, "#" + kind)
        if inner[0] == "#" and inner[1:] not in known:
            inner = "raw"
        shaped = {"one": inner, "many": ["list", inner], "map": ["map", inner]}[cardinality]
        fields.append([field, shaped, {"z": zero_form(name, field, shaped, False, {}), "w": [number]}])
    return {"f": fields}


def _openapi_type(schema: dict[str, Any]) -> dict[str, Any]:
    out = {key: value for key, value in schema.items() if key not in ("enum", "$ref", "items", "additionalProperties")}
    if isinstance(out.get("type"), list):
        out["type"] = next(each for each in out["type"] if each != "null")
    if "$ref" in schema:
        out["allOf"] = [{"$ref": "#/components/schemas/" + schema["$ref"].removeprefix(REF)}]
    for key in ("items", "additionalProperties"):
        if key in schema:
            inner = _openapi_type(schema[key])
            zero = {"string": "", "integer": 0, "number": 0, "boolean": False}.get(inner.get("type", ""))
            if "allOf" in inner:
                inner["default"] = {}
            elif zero is not None and inner.get("format") != "byte":
                inner["default"] = zero
            out[key] = inner
    return out


def openapi(name: str, schema: dict[str, Any], fields: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """The definition as /openapi/v3 prints it: no null types, references wrapped, zero values as defaults."""
    if SCALARS.get(name) in OPENAPI_SHAPES:
        return dict(OPENAPI_SHAPES[SCALARS[name]])
    out = {key: value for key, value in schema.items() if key != "properties"}
    if isinstance(out.get("type"), list):
        out["type"] = next(each for each in out["type"] if each != "null")
    if "properties" in schema:
        out["properties"] = {}
        for field, prop in schema["properties"].items():
            shaped = _openapi_type(prop)
            if fields[field]["z"] == "zero":
                if "allOf" in shaped:
                    shaped["default"] = {}
                elif shaped.get("type") in ("string", "integer", "boolean", "number"):
                    shaped["default"] = {"string": "", "boolean": False}.get(shaped["type"], 0)
            out["properties"][field] = shaped
    return out


def _write_lines(path: Path, rows: dict[str, Any]) -> None:
    lines = (f"{name}\t{json.dumps(rows[name], separators=(',', ':'), ensure_ascii=False)}\n" for name in sorted(rows))
    path.write_text("".join(lines), encoding="utf-8")


def generate(root: Path) -> None:
    inputs = root / "proto" / "kubernetes"
    messages, forms, schemas = read_messages(inputs / "fields.tsv"), read_forms(inputs / "zero.tsv"), read_definitions()
    output = root / "src" / "cybernetes" / "model" / "schema" / "generated"
    output.mkdir(parents=True, exist_ok=True)

    known_messages = {**messages, **promoted(messages, schemas)}
    compacted = {name: compact(name, schema, known_messages, forms) for name, schema in schemas.items()}
    extra = {name for name in messages if name not in schemas and name.startswith(EXTRA) and name not in SCALARS}
    known = set(schemas) | extra
    compacted.update({name: from_message(name, messages, known) for name in extra})
    _write_lines(output / "definitions.tsv", compacted)

    flags = {name: {field: each for field, _, each in row["f"]} for name, row in compacted.items()}
    _write_lines(output / "openapi.tsv", {name: openapi(name, schema, flags[name]) for name, schema in schemas.items()})

    kinds: dict[str, dict[str, str]] = {}
    for name, schema in schemas.items():
        for each in schema.get("x-kubernetes-group-version-kind", ()):
            version = f"{each['group']}/{each['version']}" if each["group"] else each["version"]
            kinds.setdefault(version, {})[each["kind"]] = name
    (output / "kinds.json").write_text(json.dumps(kinds, sort_keys=True, separators=(",", ":")))


if __name__ == "__main__":
    generate(Path(__file__).parent.parent)
