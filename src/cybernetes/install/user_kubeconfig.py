"""Merges a cluster's context into the user's kubeconfig, and takes it out again.

source  kubectl's documentation "Organizing Cluster Access Using kubeconfig Files": KUBECONFIG is a list;
        new values go to the first existing file, else the last named; default ~/.kube/config
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from cybernetes.client import kubeconfig

_LISTS = ("clusters", "users", "contexts")


def users_file() -> Path:
    named = [Path(each) for each in os.environ.get("KUBECONFIG", "").split(os.pathsep) if each]
    if not named:
        return Path.home() / ".kube" / "config"
    return next((each for each in named if each.exists()), named[-1])


def merge_into_users(own: Path) -> Path:
    """Add or replace the cluster, user and context of `own`, and make its context current; the file written."""
    added = yaml.safe_load(own.read_text())

    def merge(document: dict[str, Any]) -> None:
        _put(document, added)
        document["current-context"] = added["current-context"]

    return _rewrite(users_file(), merge)


def refresh_in_users(own: Path) -> None:
    """Put new certificates where `merge_into_users` put the old ones; the current context stays."""
    if is_in_users(own):
        added = yaml.safe_load(own.read_text())
        _rewrite(users_file(), lambda document: _put(document, added))


def _put(document: dict[str, Any], added: dict[str, Any]) -> None:
    for kind in _LISTS:
        names = {each["name"] for each in added[kind]}
        document[kind] = [each for each in document.get(kind) or [] if each["name"] not in names] + added[kind]


def is_in_users(own: Path) -> bool:
    """Whether the user's kubeconfig has the cluster of `own`: its name alone may be that of another one, elsewhere."""
    path = users_file()
    document = (yaml.safe_load(path.read_text()) if path.exists() else None) or {}
    there = _servers(document)
    return all(there.get(name) == server for name, server in _servers(yaml.safe_load(own.read_text())).items())


def _servers(document: dict[str, Any]) -> dict[str, str]:
    return {each["name"]: each["cluster"].get("server", "") for each in document.get("clusters") or []}


def remove_from_users(own: Path) -> None:
    """Take out what `merge_into_users` added; another current context is left alone, and so is another cluster."""
    if not own.exists() or not is_in_users(own):
        return
    removed = yaml.safe_load(own.read_text())

    def remove(document: dict[str, Any]) -> None:
        for kind in _LISTS:
            names = {each["name"] for each in removed[kind]}
            document[kind] = [each for each in document.get(kind) or [] if each["name"] not in names]
        if document.get("current-context") == removed["current-context"]:
            document["current-context"] = ""

    _rewrite(users_file(), remove)


def _rewrite(path: Path, change: Callable[[dict[str, Any]], None]) -> Path:
    document = yaml.safe_load(path.read_text()) if path.exists() else None
    document = document or {"apiVersion": "v1", "kind": "Config", "preferences": {}}
    change(document)
    kubeconfig.write(path, document)
    return path
