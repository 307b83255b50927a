"""Which images to pull, with which credentials, and when to try again. Pure.

source  kubernetes.io "Images"
"""

from __future__ import annotations

import base64
import fnmatch
from collections.abc import Iterable, Mapping

import msgspec

from cybernetes.kubelet.pods import Object, default_tag
from cybernetes.wire.grpc import cri_runtime_pb2 as cri

_DOCKER_HUB = ("docker.io", "index.docker.io", "registry-1.docker.io")


class Credential(msgspec.Struct, frozen=True):
    """`where` is a registry, or a registry and the beginning of a path; host parts may hold `*`."""

    where: str
    username: str
    password: str
    identity_token: str = ""
    registry_token: str = ""


def must_pull(policy: str, present: bool) -> bool:
    return policy == "Always" or (policy != "Never" and not present)


def pull_spec(image: str, annotations: Mapping[str, str]) -> cri.ImageSpec:
    return cri.ImageSpec(image=default_tag(image), annotations=annotations)


class Entry(msgspec.Struct, frozen=True):
    """What a pull secret has for one registry. auth: user and password, with a colon between them, in base64."""

    username: str | None = None
    password: str | None = None
    auth: str | None = None
    identitytoken: str | None = None
    registrytoken: str | None = None


class _Config(msgspec.Struct, frozen=True):
    auths: dict[str, Entry] | None = None


def docker_config(secret: Object) -> dict[str, Entry]:
    """The registries of a pull secret; {} when it is none. The API server only looks whether it is JSON."""
    data = secret.get("data") or {}
    try:
        if secret.get("type") == "kubernetes.io/dockerconfigjson":
            return msgspec.json.decode(base64.b64decode(data.get(".dockerconfigjson", "")), type=_Config).auths or {}
        if secret.get("type") == "kubernetes.io/dockercfg":
            return msgspec.json.decode(base64.b64decode(data.get(".dockercfg", "")), type=dict[str, Entry])
    except (ValueError, msgspec.MsgspecError):
        return {}
    return {}


def keyring(configs: Iterable[Mapping[str, Entry]]) -> list[Credential]:
    """The credentials of all configurations, most specific first."""
    found = [_credential(where, each) for config in configs for where, each in config.items()]
    return sorted(found, key=lambda each: each.where, reverse=True)


def _credential(where: str, entry: Entry) -> Credential:
    username, password = entry.username or "", entry.password or ""
    if not username and entry.auth:
        username, _, password = _decoded(entry.auth).partition(":")
    bare = where.removeprefix("https://").removeprefix("http://")
    host, _, path = bare.partition("/")
    path = path.removeprefix("v1/").removeprefix("v2/").rstrip("/")
    return Credential(
        f"{host}/{path}" if path not in ("", "v1", "v2") else host,
        username,
        password.rstrip("\0"),
        entry.identitytoken or "",
        entry.registrytoken or "",
    )


def _decoded(auth: str) -> str:
    try:
        return base64.b64decode(auth).decode("utf-8", "replace")
    except ValueError:
        return ""


def credentials(keys: Iterable[Credential], image: str) -> list[cri.AuthConfig]:
    """Those that fit the image, in the order to try."""
    repository = _repository(image)
    return [
        cri.AuthConfig(
            username=each.username,
            password=each.password,
            identity_token=each.identity_token,
            registry_token=each.registry_token,
        )
        for each in keys
        if _fits(each.where, repository)
    ]


def _repository(image: str) -> str:
    """`registry/path` of a reference, with Docker's defaults."""
    name = image.partition("@")[0]
    head, slash, tail = name.rpartition("/")
    name = f"{head}{slash}{tail.partition(':')[0]}"
    first = name.partition("/")[0]
    if "/" not in name or not ("." in first or ":" in first or first == "localhost"):
        return f"docker.io/{name}" if "/" in name else f"docker.io/library/{name}"
    return name


def _fits(where: str, repository: str) -> bool:
    host, _, path = where.partition("/")
    wanted_host, _, wanted_path = repository.partition("/")
    if host in _DOCKER_HUB and wanted_host in _DOCKER_HUB:
        return wanted_path.startswith(path)
    parts, wanted = host.split("."), wanted_host.split(".")
    if len(parts) != len(wanted):
        return False
    fits = all(fnmatch.fnmatchcase(theirs, ours) for ours, theirs in zip(parts, wanted, strict=True))
    return fits and wanted_path.startswith(path)
