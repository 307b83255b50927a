"""Names of fields that expressions can't spell, as they must be written in them.

source  Kubernetes documentation "Common Expression Language in Kubernetes", Escaping
"""

from __future__ import annotations

import re
from functools import lru_cache

_RESERVED = frozenset(
    (
        "true", "false", "null", "in", "as", "break", "const", "continue", "else", "for", "function", "if", "import",
        "let", "loop", "package", "namespace", "return", "var", "void", "while",
    )
)  # fmt: skip
_ESCAPES = (("__", "__underscores__"), (".", "__dot__"), ("-", "__dash__"), ("/", "__slash__"))
_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")


@lru_cache(maxsize=4096)
def escaped(name: str) -> str | None:
    """None for a name that can't be written at all."""
    if name in _RESERVED:
        return f"__{name}__"
    out = name
    for what, instead in _ESCAPES:
        out = out.replace(what, instead)
    return out if _IDENTIFIER.match(out) else None
