"""Values of a wrong type in the words of the reference's strategic patches, which are not read from JSON. Pure.

source  answers of released servers: `unrecognized type: int32`, `cannot convert int64 to string`
"""

from __future__ import annotations

import re

_DECODERS = re.compile(
    r"json: cannot unmarshal (string|number|bool|object|array) into Go struct field \S+ of type (\S+)"
)
_KINDS = {"string": "string", "number": "int64", "bool": "bool", "object": "map", "array": "slice"}
_PLAIN = ("string", "bool", "int32", "int64")


def restored(problem: str) -> str:
    """What a decoder of JSON says of a wrong type, in those words; anything else as it is."""
    found = _DECODERS.fullmatch(problem)
    if found is None:
        return problem
    given, wanted = found.groups()
    kind = _KINDS[given]
    if wanted.startswith("[]"):
        return f"cannot restore slice from {kind}"
    if wanted.startswith("map["):
        return f"cannot restore map from {kind}"
    if wanted in _PLAIN:
        return f"cannot convert {kind} to {wanted}" if (given, wanted) == ("number", "string") else _unknown(wanted)
    return f"cannot restore struct from: {kind}" if given == "string" else problem


def _unknown(wanted: str) -> str:
    return f"unrecognized type: {wanted}"
