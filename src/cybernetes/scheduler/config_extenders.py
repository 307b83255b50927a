"""The `extenders` section of the configuration."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from pathlib import Path

import msgspec

from cybernetes.scheduler.config_fields import ConfigError, Strict, require, seconds
from cybernetes.scheduler.extenders import Terms, Tls


class _Managed(Strict):
    name: str
    ignored_by_scheduler: bool = False


class _Tls(Strict):
    insecure: bool = False
    server_name: str = ""
    cert_file: str = ""
    key_file: str = ""
    ca_file: str = ""
    cert_data: str = ""
    key_data: str = ""
    ca_data: str = ""


class ExtenderSection(Strict):
    url_prefix: str = ""
    filter_verb: str = ""
    preempt_verb: str = ""
    prioritize_verb: str = ""
    weight: int = 1
    bind_verb: str = ""
    # Go spells it in capitals.
    enable_https: bool = msgspec.field(default=False, name="enableHTTPS")
    tls_config: _Tls | None = None
    http_timeout: str = msgspec.field(default="5s", name="httpTimeout")
    node_cache_capable: bool = False
    managed_resources: list[_Managed] = []
    ignorable: bool = False


def extender_terms(found: Sequence[ExtenderSection]) -> tuple[Terms, ...]:
    """Raises ConfigError."""
    binders = [each for each in found if each.bind_verb]
    require(len(binders) <= 1, "extenders", f"found {len(binders)} extenders implementing bind; at most one may")
    return tuple(_terms(each, f"extenders[{n}]") for n, each in enumerate(found))


def _terms(found: ExtenderSection, path: str) -> Terms:
    require(bool(found.url_prefix), f"{path}.urlPrefix", "Required value")
    require(not found.prioritize_verb or found.weight > 0, f"{path}.weight", "must have a positive weight")
    names = [each.name for each in found.managed_resources]
    for n, name in enumerate(names):
        where = f"{path}.managedResources[{n}].name"
        require("/" in name, where, f"{name!r} must be an extended resource, such as example.com/widget")
        require(name not in names[:n], where, f'Duplicate value: "{name}"')
    secure = found.enable_https or found.url_prefix.startswith("https://")
    url = found.url_prefix.rstrip("/")
    if secure and url.startswith("http://"):
        url = f"https://{url.removeprefix('http://')}"
    return Terms(
        url=url,
        filter_verb=found.filter_verb,
        preempt_verb=found.preempt_verb,
        prioritize_verb=found.prioritize_verb,
        bind_verb=found.bind_verb,
        weight=found.weight,
        timeout_s=seconds(found.http_timeout, f"{path}.httpTimeout"),
        knows_nodes=found.node_cache_capable,
        managed=frozenset(names),
        unscheduled=frozenset(each.name for each in found.managed_resources if each.ignored_by_scheduler),
        ignorable=found.ignorable,
        tls=_tls(found.tls_config or _Tls(), f"{path}.tlsConfig") if secure else None,
    )


def _tls(found: _Tls, path: str) -> Tls:
    certificate = _pem(found.cert_file, found.cert_data, f"{path}.cert")
    key = _pem(found.key_file, found.key_data, f"{path}.key")
    require(bool(certificate) == bool(key), path, "a client certificate and its key must be given together")
    return Tls(found.insecure, found.server_name, _pem(found.ca_file, found.ca_data, f"{path}.ca"), certificate, key)


def _pem(file: str, data: str, path: str) -> bytes:
    try:
        return base64.b64decode(data, validate=True) if data else Path(file).read_bytes() if file else b""
    except binascii.Error as wrong:
        raise ConfigError(f"{path}Data: {wrong}") from wrong
    except OSError as missing:
        raise ConfigError(f"{path}File: {missing}") from missing
