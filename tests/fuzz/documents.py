"""Strategies for what bodies hold: JSON values, texts that almost are some, and small pods."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import strategies as st

KEYS = st.sampled_from(["a", "b", "", "name", "spec", "~1", "ä", "$patch", "metadata"]) | st.text(max_size=3)
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5)
)
VALUES: st.SearchStrategy[Any] = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4), max_leaves=12
)
OBJECTS = st.dictionaries(KEYS, VALUES, max_size=4)
TOKENS = st.sampled_from(
    (
        *("{", "}", "[", "]", ",", ":", '"', "\\", "\\u", "d800", "null", "true", "-", "1", ".5", "e9", "a", " ", "\n"),
        *("&a", "*a", "- ", "? ", "<<: ", "!!binary ", "|\n", "#", "'", "%YAML 1.1\n", "---\n", "\0", "\ufeff", "0x1f"),
        *("9" * 30, "1" * 400, "1" * 5000, "1.e5", "1e999", "0o7", "_", "!!int ", "!!float ", "!!bool "),
    )
)


@st.composite
def damaged(draw: st.DrawFn, texts: st.SearchStrategy[bytes]) -> bytes:
    """A text with some bytes changed, cut out or put in."""
    data = bytearray(draw(texts))
    for _ in range(draw(st.integers(0, 3))):
        at = draw(st.integers(0, max(0, len(data) - 1)))
        end = draw(st.integers(at, min(len(data), at + 4)))
        data[at:end] = draw(st.binary(max_size=3) | TOKENS.map(lambda text: text.encode("utf-8", "surrogatepass")))
    return bytes(data)


JSON_TEXTS = damaged(VALUES.map(lambda value: json.dumps(value).encode())) | st.lists(TOKENS, max_size=12).map(
    lambda parts: "".join(parts).encode()
)

NAMES = st.sampled_from(["a", "b", "c", "web"])
CONTAINERS = st.lists(
    st.fixed_dictionaries(
        {"name": NAMES},
        optional={
            "image": NAMES,
            "args": st.lists(NAMES, max_size=2),
            "env": st.lists(
                st.fixed_dictionaries({"name": NAMES, "value": NAMES}), max_size=3, unique_by=lambda e: e["name"]
            ),
            "ports": st.lists(
                st.fixed_dictionaries(
                    {"containerPort": st.integers(1, 3), "protocol": st.sampled_from(["TCP", "UDP"])}
                ),
                max_size=2,
                # Strategic merge tells ports apart by their number alone.
                unique_by=lambda port: port["containerPort"],
            ),
        },
    ),
    max_size=3,
    unique_by=lambda container: container["name"],
)
PODS = st.fixed_dictionaries(
    {
        "metadata": st.fixed_dictionaries(
            {"name": st.just("web")},
            optional={
                "labels": st.dictionaries(NAMES, NAMES, max_size=2),
                "finalizers": st.lists(NAMES, max_size=3, unique=True),
            },
        )
    },
    optional={
        "spec": st.fixed_dictionaries(
            {"containers": CONTAINERS},
            optional={"nodeName": NAMES, "nodeSelector": st.dictionaries(NAMES, NAMES, max_size=2)},
        )
    },
)
