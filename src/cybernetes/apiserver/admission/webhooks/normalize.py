"""An object that a webhook changed, as if a client had sent it: types checked, defaults filled in."""

from __future__ import annotations

from typing import Any

import orjson

from cybernetes.apiserver.admission.attributes import AdmissionAttributes
from cybernetes.apiserver.registry import Registry
from cybernetes.base.errors import ApiError
from cybernetes.model.schema import decode as schema_decode
from cybernetes.model.schema import default as schema_default
from cybernetes.wire import negotiate

Object = dict[str, Any]


class Normalizer:
    def __init__(self, registry: Registry) -> None:
        self._registry = registry

    def __call__(self, attributes: AdmissionAttributes, document: Object) -> Object:
        """Raises ApiError 500 for what is no object of its kind: the hook's fault, not the client's."""
        served = self._registry.find(attributes.group, attributes.version, attributes.plural)
        kind, api_version = document.get("kind", ""), document.get("apiVersion", "")
        # Objects of subresources (Scale, Binding) have shapes of their own; their handlers check them.
        if served is None or kind != served.resource.kind or api_version != served.resource.api_version:
            return document
        node = served.schema_node()
        try:
            decoded = schema_decode.decode(
                node,
                orjson.dumps(document),
                negotiate.JSON,
                kind=kind,
                api_version=api_version,
                field_validation="Ignore",
            )
        except ApiError as wrong:
            raise ApiError(500, "InternalError", f"Internal error occurred: {wrong.message}") from wrong
        obj: Object = decoded.object
        schema_default.default(node, obj)
        return {"kind": kind, "apiVersion": api_version, **obj}
