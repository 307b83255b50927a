"""Config maps and secrets.

source  Kubernetes, pkg/apis/core/validation: ConfigMap, Secret
"""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Iterable
from typing import Any

from cybernetes.model.field import FieldError, Path, forbidden, invalid, required, too_long
from cybernetes.model.validation import names
from cybernetes.model.validation.meta import IMMUTABLE
from cybernetes.wire import json as json_codec

Object = dict[str, Any]
BYTES_MAX = 1024 * 1024
# A path whose only step has no name, as clients see it of an object that is too long as a whole.
_WHOLE = Path("[]")
_REDACTED = "<secret contents redacted>"
_FROZEN = "field is immutable when `immutable` is set"
# Keys that a typed secret must have.
_NEEDED = {
    "kubernetes.io/dockercfg": (".dockercfg",),
    "kubernetes.io/dockerconfigjson": (".dockerconfigjson",),
    "kubernetes.io/ssh-auth": ("ssh-privatekey",),
    "kubernetes.io/tls": ("tls.crt", "tls.key"),
}


def validate_config_map(config_map: Object) -> list[FieldError]:
    errors: list[FieldError] = []
    data, binary = config_map.get("data") or {}, config_map.get("binaryData") or {}
    size = 0
    for key, value in sorted(data.items()):
        path = Path("data").key(key)
        errors += [invalid(path, key, each) for each in names.config_key(key)]
        if key in binary:
            errors.append(invalid(path, key, "duplicate of key present in binaryData"))
        size += len(value.encode())
    for key, value in sorted(binary.items()):
        errors += [invalid(Path("binaryData").key(key), key, each) for each in names.config_key(key)]
        size += _decoded_size(value)
    if size > BYTES_MAX:
        errors.append(too_long(_WHOLE, BYTES_MAX))
    return errors


def _decoded_size(text: str) -> int:
    return len(text) * 3 // 4 - text.count("=", -2)


def validate_config_map_update(config_map: Object, old: Object) -> list[FieldError]:
    return _frozen(config_map, old, ("data", "binaryData")) + validate_config_map(config_map)


def _frozen(obj: Object, old: Object, keys: Iterable[str]) -> list[FieldError]:
    if not old.get("immutable"):
        return []
    errors = [] if obj.get("immutable") else [forbidden(Path("immutable"), _FROZEN)]
    return errors + [forbidden(Path(key), _FROZEN) for key in keys if (obj.get(key) or {}) != (old.get(key) or {})]


def validate_secret(secret: Object) -> list[FieldError]:
    data, path = secret.get("data") or {}, Path("data")
    errors: list[FieldError] = []
    size = 0
    for key, value in sorted(data.items()):
        errors += [invalid(path.key(key), key, each) for each in names.config_key(key)]
        size += _decoded_size(value)
    if size > BYTES_MAX:
        errors.append(too_long(path, BYTES_MAX))
    return errors + _typed(secret.get("type", ""), secret, data, path)


def _typed(kind: str, secret: Object, data: dict[str, str], path: Path) -> list[FieldError]:
    if kind == "kubernetes.io/service-account-token":
        name = "kubernetes.io/service-account.name"
        if (secret["metadata"].get("annotations") or {}).get(name):
            return []
        return [required(Path("metadata").child("annotations").key(name))]
    if kind == "kubernetes.io/basic-auth" and not {"username", "password"} & data.keys():
        return [required(path.key("username")), required(path.key("password"))]
    missing = [key for key in _NEEDED.get(kind, ()) if key not in data]
    if missing:
        return [required(path.key(key)) for key in missing]
    if kind in ("kubernetes.io/dockercfg", "kubernetes.io/dockerconfigjson"):
        return _docker_config(_NEEDED[kind][0], data, path)
    return []


def _docker_config(key: str, data: dict[str, str], path: Path) -> list[FieldError]:
    try:
        value = json_codec.decode(b64decode(data[key]))
    except json_codec.SyntaxProblem as problem:
        return [invalid(path.key(key), _REDACTED, str(problem))]
    if isinstance(value, dict) or value is None:
        return []
    kind = {bool: "bool", str: "string", list: "array"}.get(type(value), "number")
    text = f"json: cannot unmarshal {kind} into Go value of type map[string]interface {{}}"
    return [invalid(path.key(key), _REDACTED, text)]


def validate_secret_update(secret: Object, old: Object) -> list[FieldError]:
    errors: list[FieldError] = []
    if secret.get("type") != old.get("type"):
        errors.append(invalid(Path("type"), secret.get("type", ""), IMMUTABLE))
    return errors + _frozen(secret, old, ("data",)) + validate_secret(secret)
