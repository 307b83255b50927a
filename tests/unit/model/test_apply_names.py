"""Server-side apply leaves alone what nobody can own."""

from __future__ import annotations

from typing import Any

from cybernetes.model import apply
from cybernetes.model.schema import compile as schema

NODE = schema.node("io.k8s.api.core.v1.ConfigMap")
WRITING = apply.Writing(manager="me", api_version="v1", now="2026-01-01T00:00:00Z")


def applied(live: dict[str, Any] | None, **metadata: Any) -> dict[str, Any]:
    config = {"kind": "ConfigMap", "apiVersion": "v1", "metadata": {"name": "a", "namespace": "b", **metadata}}
    return apply.apply(NODE, live, config, WRITING, force=False).object


def test_an_object_keeps_its_name_when_the_last_owned_part_of_its_metadata_goes() -> None:
    live = applied(None, labels={"a": "b"})
    assert applied(live)["metadata"] == {"name": "a", "namespace": "b"}
