"""Reads kubeconfig files: several merged into one view, and the access that a context stands for.

source  "Organizing Cluster Access Using kubeconfig Files": of several files the first to set a value
        wins; KUBECONFIG is a list; the default is ~/.kube/config; relative paths are relative to their file
"""

from __future__ import annotations

import base64
import binascii
import os
import ssl
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import yaml

from cybernetes.base.clock import Clock
from cybernetes.base.errors import EdgeError, Outcome, Retry
from cybernetes.base.log import Log
from cybernetes.base.private_file import write_private
from cybernetes.client.api import ApiClient
from cybernetes.wire.http.client import HttpTransport
from cybernetes.wire.http.message import Request, Response
from cybernetes.wire.http.renewed import signature
from cybernetes.wire.http.tls import client_context

log = Log("client")

_SECTIONS = ("clusters", "users", "contexts")
_FILES = ("certificate-authority", "client-certificate", "client-key", "tokenFile")


class Access(msgspec.Struct, frozen=True, kw_only=True):
    """How to reach one API server as one user. authority, certificate and key are PEM."""

    server: str
    authority: bytes = b""
    certificate: bytes = b""
    key: bytes = b""
    token: str = ""
    server_name: str = ""
    verify: bool = True
    namespace: str = "default"

    def without_identity(self) -> Access:
        """The same server for nobody in particular; requests then carry a bearer token of their own."""
        return msgspec.structs.replace(self, certificate=b"", key=b"", token="")


def paths(environment: Mapping[str, str]) -> list[Path]:
    """The files that are read when none is named."""
    named = [Path(each) for each in environment.get("KUBECONFIG", "").split(os.pathsep) if each]
    return named or [Path(environment.get("HOME", "/root")) / ".kube" / "config"]


def load(files: Sequence[Path]) -> dict[str, Any]:
    """One Config of all files that exist; paths in it are absolute. Raises EdgeError for one that can't be read."""
    return merge([_absolute(_parse(file), file.parent) for file in files if file.exists()])


def merge(configs: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The first of several with the same name wins, and the first current context."""
    merged: dict[str, Any] = {"apiVersion": "v1", "kind": "Config"}
    for section in _SECTIONS:
        by_name: dict[str, Any] = {}
        for config in configs:
            for entry in config.get(section) or []:
                by_name.setdefault(entry["name"], entry)
        merged[section] = list(by_name.values())
    merged["current-context"] = next((c["current-context"] for c in configs if c.get("current-context")), "")
    return merged


def build(access: Access, *, name: str, user: str, context: str = "") -> dict[str, Any]:
    """A Config with one cluster, user and context, certificates embedded. context: "" for the cluster's name."""
    cluster = {
        "server": access.server,
        "certificate-authority-data": _encoded(access.authority),
        "tls-server-name": access.server_name,
        "insecure-skip-tls-verify": not access.verify or None,
    }
    credentials = {
        "client-certificate-data": _encoded(access.certificate),
        "client-key-data": _encoded(access.key),
        "token": access.token,
    }
    joined = {"cluster": name, "user": user}
    if access.namespace != "default":
        joined["namespace"] = access.namespace
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": name, "cluster": {k: v for k, v in cluster.items() if v}}],
        "users": [{"name": user, "user": {k: v for k, v in credentials.items() if v}}],
        "contexts": [{"name": context or name, "context": joined}],
        "current-context": context or name,
    }


def write(file: Path, config: dict[str, Any]) -> None:
    """Replace the file as a whole; only its owner may read it."""
    write_private(file, yaml.safe_dump(config, sort_keys=False).encode())


def access(config: dict[str, Any], context_name: str = "") -> Access:
    """What a context (by default the current one) stands for. Raises EdgeError when something in it is missing."""
    context = _entry(config, "contexts", context_name or config.get("current-context", ""), "context")
    cluster = _entry(config, "clusters", context.get("cluster", ""), "cluster")
    user = _entry(config, "users", context["user"], "user") if context.get("user") else {}
    token = user.get("token", "")
    if not token and user.get("tokenFile"):
        token = _read(Path(user["tokenFile"])).decode().strip()
    return Access(
        server=cluster.get("server", ""),
        authority=_material(cluster, "certificate-authority"),
        certificate=_material(user, "client-certificate"),
        key=_material(user, "client-key"),
        token=token,
        server_name=cluster.get("tls-server-name", ""),
        verify=not cluster.get("insecure-skip-tls-verify"),
        namespace=context.get("namespace") or "default",
    )


def transport(access: Access) -> HttpTransport:
    tls = _tls(access) if access.server.startswith("https:") else None
    return HttpTransport(access.server, tls, token=access.token, server_name=access.server_name)


def _tls(access: Access) -> ssl.SSLContext:
    return client_context(access.authority, access.certificate, access.key, verify=access.verify)


# How often a component looks whether its kubeconfig was written anew.
LOOK_S = 10.0


class FileTransport:
    """To the server of a kubeconfig's current context, with what stands in the file now.

    Whoever renews a certificate, or trusts another authority, writes the file; connections that are in use go on.

    identity  False for requests that carry a bearer token of their own
    """

    def __init__(self, file: Path, clock: Clock, *, identity: bool = True) -> None:
        self._file = file
        self._clock = clock
        self._identity = identity
        self._seen = signature((file,))
        self._looked = clock.monotonic()
        self._inner = transport(self._access())

    async def send(self, request: Request) -> Response:
        now = self._clock.monotonic()
        if now - self._looked >= LOOK_S:
            self._looked = now
            self._look()
        return await self._inner.send(request)

    async def close(self) -> None:
        await self._inner.close()

    def _look(self) -> None:
        try:
            seen = signature((self._file,))
            if seen == self._seen:
                return
            self._inner.reload(_tls(self._access()))
        except (OSError, EdgeError, ssl.SSLError) as broken:
            log.warning("kubeconfig.not_renewed", file=str(self._file), why=str(broken))
            return
        self._seen = seen
        log.info("kubeconfig.renewed", file=str(self._file))

    def _access(self) -> Access:
        found = access(load([self._file]))
        return found if self._identity else found.without_identity()


def connect(file: Path, *, user_agent: str, clock: Clock) -> ApiClient:
    """A client for the current context of one file; what every component does at its start."""
    if not file.exists():
        raise _unusable(str(file), "there is no such file")
    return ApiClient(FileTransport(file, clock), user_agent=user_agent, clock=clock)


def _entry(config: dict[str, Any], section: str, name: str, field: str) -> dict[str, Any]:
    for entry in config.get(section) or []:
        if entry["name"] == name:
            found: dict[str, Any] = entry.get(field) or {}
            return found
    raise _unusable(f"{field} {name!r}", f"not in {section}")


def _material(entry: dict[str, Any], field: str) -> bytes:
    """PEM of a field that is embedded or names a file; embedded wins."""
    if data := entry.get(f"{field}-data"):
        try:
            return base64.b64decode(data, validate=True)
        except binascii.Error as broken:
            raise _unusable(f"{field}-data", str(broken)) from broken
    return _read(Path(entry[field])) if entry.get(field) else b""


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as missing:
        raise _unusable(str(path), str(missing)) from missing


def _parse(file: Path) -> dict[str, Any]:
    try:
        parsed = yaml.safe_load(_read(file))
    except yaml.YAMLError as broken:
        raise _unusable(str(file), str(broken)) from broken
    if parsed is not None and not isinstance(parsed, dict):
        raise _unusable(str(file), "not a Config")
    return parsed or {}


def _absolute(config: dict[str, Any], folder: Path) -> dict[str, Any]:
    for section in _SECTIONS:
        for entry in config.get(section) or []:
            inner = entry.get(section[:-1]) or {}
            for field in _FILES:
                if inner.get(field):
                    inner[field] = str(folder / inner[field])
    return config


def _encoded(pem: bytes) -> str:
    return base64.b64encode(pem).decode()


def _unusable(what: str, why: str) -> EdgeError:
    return EdgeError("read kubeconfig", what, why, outcome=Outcome.NOT_DONE, retry=Retry.NEVER)
