"""Whether a CustomResourceDefinition may be stored.

Errors of the only version, or of versions that are all alike, are told at the top of the spec, as the reference does.

source  k8s.io/apiextensions-apiserver, validation of definitions
"""

from __future__ import annotations

from typing import Any

from cybernetes.model.field import FieldError, Path, duplicate, invalid, not_supported, required, too_many
from cybernetes.model.schema.custom import jsonpath
from cybernetes.model.schema.custom.schema_rules import check_schema
from cybernetes.model.validation import names as rules

Object = dict[str, Any]
COLUMN_TYPES = "boolean,date,integer,number,string"
COLUMN_FORMATS = ("int32", "int64", "float", "double", "byte", "date", "date-time", "password")
SELECTABLE_MAX = 8
_MIXED = "may have mixed case, but should otherwise match: "
# What versions may share, and where the shared value is told of.
_LIFTED = ("schema", "subresources", "additionalPrinterColumns", "selectableFields")
_GO_NAMES = {"additionalPrinterColumns": "AdditionalPrinterColumns", "selectableFields": "SelectableFields"}


def name_errors(definition: Object, name: str) -> list[str]:
    """The rule of metadata.name."""
    spec = definition["spec"]
    errors = rules.dns_subdomain(name)
    if name != f"{spec['names']['plural']}.{spec['group']}":
        errors = [*errors, 'must be spec.names.plural+"."+spec.group']
    return errors


def validate_definition(definition: Object) -> list[FieldError]:
    """Errors of spec and status; metadata is not looked at."""
    spec, status = definition["spec"], definition.get("status") or {}
    errors = _spec(spec, Path("spec"))
    errors += _names(status.get("acceptedNames") or {}, Path("status").child("acceptedNames"))
    errors += _stored_versions(status.get("storedVersions"), spec["versions"] or [])
    if spec.get("preserveUnknownFields"):
        detail = (
            "cannot set to true, set x-kubernetes-preserve-unknown-fields to true in spec.versions[*].schema instead"
        )
        errors.append(invalid(Path("spec").child("preserveUnknownFields"), True, detail))
    return errors


def validate_definition_update(definition: Object, old: Object) -> list[FieldError]:
    errors = []
    spec, before = definition["spec"], old["spec"]
    for path, new_value, old_value in (
        (Path("spec").child("group"), spec["group"], before["group"]),
        (Path("spec").child("scope"), spec["scope"], before["scope"]),
        (Path("spec").child("names", "plural"), spec["names"]["plural"], before["names"]["plural"]),
        (Path("spec").child("names", "kind"), spec["names"]["kind"], before["names"]["kind"]),
    ):
        fixed = _is_established(old) or path.text in ("spec.group", "spec.names.plural")
        if fixed and new_value != old_value:
            errors.append(invalid(path, new_value, "field is immutable"))
    return validate_definition(definition) + errors


def _is_established(definition: Object) -> bool:
    conditions = (definition.get("status") or {}).get("conditions") or ()
    return any(each["type"] == "Established" and each["status"] == "True" for each in conditions)


def _spec(spec: Object, path: Path) -> list[FieldError]:
    errors = _group(spec["group"], path.child("group"))
    errors += _enum(spec["scope"], ("Cluster", "Namespaced"), path.child("scope"))
    versions: list[Object] = spec["versions"] or []
    for i, each in enumerate(versions):
        if (each.get("schema") or {}).get("openAPIV3Schema") is None:
            errors.append(required(path.child("versions").index(i).child("schema", "openAPIV3Schema")))
    shared = len(versions) == 1 or (bool(versions) and all(_same(each, versions[0]) for each in versions))
    for i, each in enumerate(versions):
        where = path.child("versions").index(i)
        problems = rules.dns_1035_label(each["name"])
        if problems:
            errors.append(invalid(where.child("name"), each["name"], ",".join(problems)))
        if not shared:
            errors += _version(each, where, where.child("schema"))
    if len({each["name"] for each in versions}) != len(versions):
        errors.append(invalid(path.child("versions"), _go_versions(spec, shared), "must contain unique version names"))
    if sum(bool(each["storage"]) for each in versions) != 1:
        detail = "must have exactly one version marked as storage version"
        errors.append(invalid(path.child("versions"), _go_versions(spec, shared), detail))
    if versions:
        problems = rules.dns_1035_label(versions[0]["name"])
        if problems and versions[0]["name"]:
            errors.append(invalid(path.child("version"), versions[0]["name"], ",".join(problems)))
    for name in ("plural", "singular", "kind", "listKind"):
        if not spec["names"].get(name):
            errors.append(required(path.child("names", name)))
    errors += _names(spec["names"], path.child("names"))
    if shared:
        errors += _version(versions[0], path, path.child("validation"))
    return errors + _conversion(spec.get("conversion") or {}, path.child("conversion"))


def _same(version: Object, other: Object) -> bool:
    return all(version.get(name) == other.get(name) for name in _LIFTED)


def _go_versions(spec: Object, shared: bool) -> Any:
    """The versions as Go prints its own structs."""
    if spec["versions"] is None:
        return None
    return [_go_version(each, shared) for each in spec["versions"]]


def _go_version(version: Object, shared: bool) -> Object:
    shown: Object = {
        "Name": version["name"],
        "Served": version["served"],
        "Storage": version["storage"],
        "Deprecated": version.get("deprecated", False),
        "DeprecationWarning": version.get("deprecationWarning"),
    }
    for name in _LIFTED:
        go_name = _GO_NAMES.get(name, name.capitalize())
        shown[go_name] = None if shared else version.get(name)
    return shown


def _group(group: str, path: Path) -> list[FieldError]:
    if not group:
        return [required(path)]
    problems = rules.dns_subdomain(group)
    if problems:
        return [invalid(path, group, ",".join(problems))]
    return [] if "." in group else [invalid(path, group, "should be a domain with at least one dot")]


def _enum(value: str, allowed: tuple[str, ...], path: Path) -> list[FieldError]:
    if not value:
        return [required(path)]
    return [] if value in allowed else [not_supported(path, value, allowed)]


def _names(names: Object, path: Path) -> list[FieldError]:
    errors = []
    for name, prefix in (("plural", ""), ("singular", ""), ("kind", _MIXED), ("listKind", _MIXED)):
        text = names.get(name) or ""
        problems = rules.dns_1035_label(text.lower() if prefix else text) if text else []
        if problems:
            errors.append(invalid(path.child(name), text, prefix + ",".join(problems)))
    for name in ("shortNames",):
        for i, text in enumerate(names.get(name) or ()):
            problems = rules.dns_1035_label(text)
            if problems:
                errors.append(invalid(path.child(name).index(i), text, ",".join(problems)))
    if names.get("kind") and names.get("kind") == names.get("listKind"):
        errors.append(invalid(path.child("listKind"), names["kind"], "kind and listKind may not be the same"))
    for i, text in enumerate(names.get("categories") or ()):
        problems = rules.dns_1035_label(text)
        if problems:
            errors.append(invalid(path.child("categories").index(i), text, ",".join(problems)))
    return errors


def _stored_versions(stored: list[str] | None, versions: list[Object]) -> list[FieldError]:
    path = Path("status").child("storedVersions")
    if not stored:
        return [invalid(path, stored or None, "must have at least one stored version")]
    errors = []
    left = {name: i for i, name in enumerate(stored)}
    for each in versions:
        if each["storage"] and each["name"] not in left:
            errors.append(invalid(path, stored, "must have the storage version " + each["name"]))
        left.pop(each["name"], None)
    for name, i in left.items():
        detail = (
            f"missing from spec.versions; {name} was previously a storage version, and must remain in spec.versions "
            f"until a storage migration ensures no data remains persisted in {name} and removes {name} from "
            "status.storedVersions"
        )
        errors.append(invalid(path.index(i), name, detail))
    return errors


def _version(version: Object, path: Path, schema_path: Path) -> list[FieldError]:
    schema = (version.get("schema") or {}).get("openAPIV3Schema")
    subresources = version.get("subresources") or {}
    errors = []
    if schema is not None:
        has_status = subresources.get("status") is not None
        errors += check_schema(schema, schema_path.child("openAPIV3Schema"), has_status=has_status)
    if subresources.get("scale") is not None:
        errors += _scale(subresources["scale"], path.child("subresources", "scale"))
    for i, each in enumerate(version.get("additionalPrinterColumns") or ()):
        errors += _column(each, path.child("additionalPrinterColumns").index(i))
    fields = version.get("selectableFields") or []
    if fields and schema is None:
        errors.append(
            invalid(path.child("selectableFields"), "", "may only be set when validations.schema is included")
        )
    elif fields and schema is not None:
        errors += _selectable(fields, schema, path.child("selectableFields"))
    return errors


def _scale(scale: Object, path: Path) -> list[FieldError]:
    errors = []
    for name, root in (("specReplicasPath", ".spec"), ("statusReplicasPath", ".status")):
        text = scale[name]
        problem = _simple_path(text) if text else ""
        if not text:
            errors.append(required(path.child(name)))
        elif problem:
            errors.append(invalid(path.child(name), text, problem))
        elif not text.startswith(root + "."):
            errors.append(invalid(path.child(name), text, f"should be a json path under {root}"))
    text = scale.get("labelSelectorPath")
    if text:
        problem = _simple_path(text)
        if problem:
            errors.append(invalid(path.child("labelSelectorPath"), text, problem))
        elif not text.startswith((".spec.", ".status.")):
            detail = "should be a json path under either .spec or .status"
            errors.append(invalid(path.child("labelSelectorPath"), text, detail))
    return errors


def _simple_path(text: str) -> str:
    if not text.startswith("."):
        return "must be a simple json path starting with ."
    if any(char in text for char in "[]'\"") or "" in text.split(".")[1:]:
        return "must be a json path in the dot notation"
    return ""


def _column(column: Object, path: Path) -> list[FieldError]:
    errors = []
    if not column["name"]:
        errors.append(required(path.child("name")))
    if not column["type"]:
        errors.append(required(path.child("type"), f"must be one of {COLUMN_TYPES}"))
    elif column["type"] not in COLUMN_TYPES.split(","):
        errors.append(invalid(path.child("type"), column["type"], f"must be one of {COLUMN_TYPES}"))
    if column.get("format") and column["format"] not in COLUMN_FORMATS:
        listed = ",".join(sorted(COLUMN_FORMATS))
        errors.append(invalid(path.child("format"), column["format"], f"must be one of {listed}"))
    if not column["jsonPath"]:
        errors.append(required(path.child("JSONPath")))
    elif not column["jsonPath"].startswith((".", "[")):
        errors.append(invalid(path.child("JSONPath"), column["jsonPath"], "must be a simple json path starting with ."))
    return errors


def _selectable(fields: list[Object], schema: Object, path: Path) -> list[FieldError]:
    errors = []
    seen: set[str] = set()
    for i, each in enumerate(fields):
        where, text = path.index(i).child("jsonPath"), each["jsonPath"]
        problem = _selectable_problem(text, schema) if text else ""
        if not text:
            errors.append(required(where))
        elif problem:
            errors.append(invalid(where, text, problem))
        if text and text in seen:
            errors.append(duplicate(where, text))
        seen.add(text)
    if len(fields) > SELECTABLE_MAX:
        errors.append(too_many(path, len(fields), SELECTABLE_MAX))
    return errors


def _selectable_problem(text: str, schema: Object) -> str:
    if not text.startswith((".", "[")):
        return f"is an invalid path: expected [ or . but got: {text}"
    try:
        jsonpath.compiled(text)
    except jsonpath.JsonPathError as error:
        return f"is an invalid path: {error}"
    at: Any = schema
    for name in text.lstrip(".").split("."):
        at = (at.get("properties") or {}).get(name) if isinstance(at, dict) else None
        if at is None:
            return "is an invalid path: does not refer to a valid field"
    if text.startswith(".metadata."):
        return "must not point to fields in metadata"
    if at.get("type") not in ("string", "boolean", "integer"):
        return (
            "must point to a field of type string, boolean or integer. "
            "Enum string fields and strings with formats are allowed."
        )
    return ""


def _conversion(conversion: Object, path: Path) -> list[FieldError]:
    strategy, webhook = conversion.get("strategy", "None"), conversion.get("webhook") or {}
    errors = _enum(strategy, ("None", "Webhook"), path.child("strategy"))
    client = webhook.get("clientConfig")
    if strategy == "Webhook":
        if client is None:
            errors.append(required(path.child("webhookClientConfig"), "required when strategy is set to Webhook"))
        elif (client.get("url") is None) == (client.get("service") is None):
            errors.append(required(path.child("webhookClientConfig"), "exactly one of url or service is required"))
        if not webhook.get("conversionReviewVersions"):
            errors.append(required(path.child("conversionReviewVersions")))
    return errors
