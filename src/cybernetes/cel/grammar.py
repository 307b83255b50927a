"""Which words the language has, and how errors call what was expected instead of them.

source  cel-spec langdef.md "Syntax"; order and spelling as the reference's generated parser has them
"""

from __future__ import annotations

RESERVED = frozenset(
    [
        "as",
        "break",
        "const",
        "continue",
        "else",
        "for",
        "function",
        "if",
        "import",
        "let",
        "loop",
        "package",
        "namespace",
        "return",
        "var",
        "void",
        "while",
    ]
)
_ORDER = [
    "[",
    "]",
    "{",
    "}",
    "(",
    ")",
    ".",
    ",",
    "-",
    "!",
    "?",
    ":",
    "true",
    "false",
    "null",
    "NUM_FLOAT",
    "NUM_INT",
    "NUM_UINT",
    "STRING",
    "BYTES",
    "IDENTIFIER",
    "ESC_IDENTIFIER",
]
START = frozenset(
    [
        "[",
        "{",
        "(",
        ".",
        "-",
        "!",
        "true",
        "false",
        "null",
        "NUM_FLOAT",
        "NUM_INT",
        "NUM_UINT",
        "STRING",
        "BYTES",
        "IDENTIFIER",
    ]
)
LITERALS = frozenset(["true", "false", "null", "NUM_FLOAT", "NUM_INT", "NUM_UINT", "STRING", "BYTES"])


def expecting(wanted: tuple[str, ...]) -> str:
    """The kinds of tokens that could stand there, as a message shows them."""
    shown = [_shown(each) for each in ("<EOF>", *_ORDER) if each in wanted]
    return shown[0] if len(shown) == 1 else "{" + ", ".join(shown) + "}"


def _shown(kind: str) -> str:
    if kind.isupper() or kind == "<EOF>":
        return kind
    return r"'\u003F'" if kind == "?" else f"'{kind}'"
