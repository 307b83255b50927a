"""The EncryptionConfiguration file: decoded strictly, checked as upstream checks it.

source  Kubernetes reference, apiserver.config.k8s.io/v1 EncryptionConfiguration
"""

from __future__ import annotations

import binascii
from base64 import b64decode
from collections.abc import Iterator
from typing import Literal

import msgspec

from cybernetes.base import duration

_LENGTHS = {"aesgcm": (16, 24, 32), "aescbc": (16, 24, 32), "secretbox": (32,)}


class ConfigError(ValueError):
    """The configuration can't be used; the text names the place."""


class _Part(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    pass


class Key(_Part, frozen=True):
    name: str
    secret: str

    @property
    def value(self) -> bytes:
        """Raises ValueError when it is not base64."""
        return b64decode(self.secret, validate=True)


class Keys(_Part, frozen=True):
    keys: tuple[Key, ...]


class Kms(_Part, frozen=True):
    name: str
    endpoint: str
    api_version: str = "v1"
    timeout: str = "3s"
    cachesize: int | None = msgspec.field(default=None, name="cachesize")

    @property
    def timeout_s(self) -> float:
        return duration.parse(self.timeout)

    @property
    def socket(self) -> str:
        """The path of `unix:///path`; of `unix:///@name` the abstract socket's name."""
        return self.endpoint.removeprefix("unix://")


class Provider(_Part, frozen=True):
    """Exactly one of these."""

    identity: dict[str, object] | None = None
    aesgcm: Keys | None = None
    aescbc: Keys | None = None
    secretbox: Keys | None = None
    kms: Kms | None = None

    @property
    def given(self) -> list[str]:
        return [name for name in self.__struct_fields__ if getattr(self, name) is not None]


class Resources(_Part, frozen=True):
    resources: tuple[str, ...]
    providers: tuple[Provider, ...]


class Configuration(_Part, frozen=True):
    api_version: Literal["apiserver.config.k8s.io/v1"]
    kind: Literal["EncryptionConfiguration"]
    resources: tuple[Resources, ...]


def parse(text: bytes) -> Configuration:
    """Raises ConfigError."""
    try:
        found = msgspec.yaml.decode(text, type=Configuration)
    except (msgspec.MsgspecError, ValueError) as wrong:
        raise ConfigError(str(wrong)) from wrong
    wrongs = [f"resources[{i}].{each}" for i, part in enumerate(found.resources) for each in _wrongs(part)]
    wrongs += _repeated_services(found)
    if not found.resources:
        wrongs.append("resources: at least one is needed")
    if wrongs:
        raise ConfigError("; ".join(wrongs))
    return found


def _wrongs(part: Resources) -> Iterator[str]:
    if not part.resources:
        yield "resources: at least one is needed"
    if not part.providers:
        yield "providers: at least one is needed"
    for name in part.resources:
        if name != name.lower():
            yield f'resources: "{name}" has capital letters'
        if name in ("*", "events") or name.startswith("*.*."):
            yield f'resources: "{name}" is not taken; "*.*" is for all resources'
        if name.startswith("events."):
            yield f'resources: "{name}" is not taken: events are not encrypted by name'
    for i, provider in enumerate(part.providers):
        yield from (f"providers[{i}].{each}" for each in _wrong_provider(provider))


def _wrong_provider(provider: Provider) -> Iterator[str]:
    if len(provider.given) != 1:
        yield f"{'+'.join(provider.given) or 'none'}: exactly one provider stands in an element"
        return
    name = provider.given[0]
    if provider.kms is not None:
        yield from _wrong_kms(provider.kms)
    elif name in _LENGTHS:
        yield from (f"{name}.{each}" for each in _wrong_keys(getattr(provider, name), _LENGTHS[name]))


def _wrong_keys(keys: Keys, lengths: tuple[int, ...]) -> Iterator[str]:
    if not keys.keys:
        yield "keys: at least one is needed"
    names = [each.name for each in keys.keys]
    for i, each in enumerate(keys.keys):
        if not each.name or ":" in each.name:
            yield f'keys[{i}].name: "{each.name}" must be a name without ":"'
        if each.name in names[:i]:
            yield f'keys[{i}].name: "{each.name}" is there twice'
        try:
            length = len(each.value)
        except (binascii.Error, ValueError):
            yield f"keys[{i}].secret: not base64"
            continue
        if length not in lengths:
            yield f"keys[{i}].secret: {length} bytes; expected one of {list(lengths)}"


def _wrong_kms(kms: Kms) -> Iterator[str]:
    if kms.api_version != "v2":
        yield f'kms.apiVersion: "{kms.api_version}" is not served; only v2 is'
    if not kms.name or ":" in kms.name:
        yield f'kms.name: "{kms.name}" must be a name without ":"'
    if not kms.endpoint.startswith("unix:///"):
        yield f'kms.endpoint: "{kms.endpoint}" must begin with unix:///'
    if kms.cachesize is not None:
        yield "kms.cachesize: not supported with v2"
    try:
        if kms.timeout_s <= 0:
            yield "kms.timeout: must be more than nothing"
    except ValueError as wrong:
        yield f"kms.timeout: {wrong}"


def _repeated_services(found: Configuration) -> list[str]:
    """One name may stand for one service only, wherever it is used."""
    services: dict[str, Kms] = {}
    wrongs = []
    for part in found.resources:
        for provider in part.providers:
            kms = provider.kms
            if kms is not None and services.setdefault(kms.name, kms) != kms:
                wrongs.append(f'kms: "{kms.name}" names two services')
    return wrongs
