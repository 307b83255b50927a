"""Ingresses that choose their controller the old way."""

from __future__ import annotations

from typing import Any

from cybernetes.model.resource import WriteContext

Object = dict[str, Any]
_CLASS = "kubernetes.io/ingress.class"


def of_ingress(ingress: Object, old: Object | None, ctx: WriteContext) -> list[str]:
    annotated = _CLASS in (ingress["metadata"].get("annotations") or {})
    if old is not None or not annotated or (ingress.get("spec") or {}).get("ingressClassName") is not None:
        return []
    return [f"annotation \"{_CLASS}\" is deprecated, please use 'spec.ingressClassName' instead"]
