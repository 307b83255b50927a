"""Expressions in the API server's configuration files: what they see, and what they become.

source  Kubernetes documentation "Authenticating", "Authorization": CEL in structured configuration
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cybernetes.cel import types
from cybernetes.cel.environment import Environment
from cybernetes.cel.errors import CelError
from cybernetes.cel.types import ObjectType, list_of, map_of
from cybernetes.model.expressions.functions import FUNCTIONS

__all__ = ["CLAIMS", "REQUEST", "USER", "CelError", "evaluate", "wrong"]

_TEXT, _TEXTS = types.STRING, list_of(types.STRING)
_EXTRA = map_of(_TEXT, _TEXTS)
_SELECTED = ObjectType("kubernetes.SelectorRequirement", {"key": _TEXT, "operator": _TEXT, "values": _TEXTS})
_SELECTOR = ObjectType("kubernetes.SelectorAttributes", {"rawSelector": _TEXT, "requirements": list_of(_SELECTED)})
_RESOURCE = ObjectType(
    "kubernetes.ResourceAttributes",
    {
        **dict.fromkeys(("namespace", "verb", "group", "version", "resource", "subresource", "name"), _TEXT),
        "fieldSelector": _SELECTOR,
        "labelSelector": _SELECTOR,
    },
)
_OTHER = ObjectType("kubernetes.NonResourceAttributes", {"path": _TEXT, "verb": _TEXT})
_REVIEW = ObjectType(
    "kubernetes.SubjectAccessReviewSpec",
    {
        "resourceAttributes": _RESOURCE,
        "nonResourceAttributes": _OTHER,
        "user": _TEXT,
        "groups": _TEXTS,
        "extra": _EXTRA,
        "uid": _TEXT,
    },
)
_USER = ObjectType("kubernetes.UserInfo", {"username": _TEXT, "uid": _TEXT, "groups": _TEXTS, "extra": _EXTRA})

# Of a token; of the user that became of one; of the question whether a request may be.
CLAIMS = Environment({"claims": map_of(_TEXT, types.DYN)}, FUNCTIONS)
USER = Environment({"user": _USER}, FUNCTIONS)
REQUEST = Environment({"request": _REVIEW}, FUNCTIONS)


def wrong(environment: Environment, text: str, *kinds: str) -> str:
    """What is wrong with an expression that must give one of these kinds; "" when nothing is."""
    if not text:
        return "required"
    try:
        found = environment.compile(text).type.kind
    except CelError as error:
        return f"compilation failed: {error}"
    return "" if found in (*kinds, "dyn") else f"must evaluate to {' or '.join(kinds)}"


def evaluate(environment: Environment, text: str, values: Mapping[str, Any]) -> Any:
    """Raises CelError."""
    return environment.compile(text).evaluate(values)[0]
