"""Values of a wrong type in the words of the reference's strategic patches, which are not read from JSON. Pure.

source  answers of released servers: `unrecognized type: int32`, `cannot convert int64 to string`
"""

from __future__ import annotations

import re

_DECODERS = re.compile(
    r"json: cannot unmarshal (string|number|bool|object|array)( \S+)? into Go struct field \S+ of type (\S+)"
)
_KINDS = {"string": "string", "number": "int64", "bool": "bool", "object": "map", "array": "slice"}
_PLAIN = ("string", "bool", "int32", "int64")


def restored(problem: str) -> str:
    """What a decoder of JSON says of a wrong type, in those words; anything else as it is."""
    found = _DECODERS.fullmatch(problem)
    if found is None:
        return problem
    given, value, wanted = found.groups()
    if value and value.strip().lstrip("-").isdigit():
        # Too large an integer, which the reference cuts down without a word.
        return problem
    kind = "float64" if value else _KINDS[given]
    if wanted.startswith("[]"):
        return f"cannot restore slice from {kind}"
    if wanted.startswith("map["):
        return f"cannot restore map from {kind}"
    if wanted in _PLAIN:
        return f"cannot convert {kind} to {wanted}" if value or _is_rune(given, wanted) else _unknown(wanted)
    return f"cannot restore struct from: {kind}" if "." in wanted else problem


def _is_rune(given: str, wanted: str) -> bool:
    """Integers could become texts of one character: the reference refuses them in words of their own."""
    return (given, wanted) == ("number", "string")


def _unknown(wanted: str) -> str:
    return f"unrecognized type: {wanted}"
