"""Types of the objects that policies change."""

from __future__ import annotations

from typing import Any

from cybernetes.apiserver.admission.attributes import AdmissionAttributes
from cybernetes.apiserver.registry import Registry
from cybernetes.model.schema.compile import kind_node
from cybernetes.model.schema.node import StructNode


class Nodes:
    def __init__(self, registry: Registry) -> None:
        self._registry = registry

    def __call__(self, attributes: AdmissionAttributes, obj: dict[str, Any]) -> StructNode | None:
        """The type of an object; None where it has none. Objects of subresources have types of their own."""
        served = self._registry.find(attributes.group, attributes.version, attributes.plural)
        kind, api_version = obj.get("kind", ""), obj.get("apiVersion", "")
        if served is not None and (kind, api_version) == (served.resource.kind, served.resource.api_version):
            return served.schema_node()
        return kind_node(api_version, kind)
