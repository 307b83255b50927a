"""Text to tokens.

source  cel-spec langdef.md "Syntax"; messages are those of the reference's generated parser
"""

from __future__ import annotations

import re
from typing import NamedTuple

from cybernetes.cel.errors import Issue

KEYWORDS = frozenset(("in", "true", "false", "null"))
_ESCAPE = r"""\\(?:[abfnrtv"'\\?`]|[xX][0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|[0-3][0-7]{2})"""
_STRINGS = (
    r'[rR]""".*?"""' + r"|[rR]'''.*?'''" + r"|[rR]\"[^\"\n\r]*\"" + r"|[rR]'[^'\n\r]*'"
    rf'|"""(?:{_ESCAPE}|[^\\])*?"""'
    rf"|'''(?:{_ESCAPE}|[^\\])*?'''"
    rf'|"(?:{_ESCAPE}|[^\\"\n\r])*"'
    rf"|'(?:{_ESCAPE}|[^\\'\n\r])*'"
)
_TOKEN = re.compile(
    r"(?P<space>[\t\n\f\r ]+|//[^\n]*)"
    rf"|(?P<BYTES>[bB](?:{_STRINGS}))"
    rf"|(?P<STRING>{_STRINGS})"
    r"|(?P<NUM_FLOAT>[0-9]+\.[0-9]+(?:[eE][+-]?[0-9]+)?|[0-9]+[eE][+-]?[0-9]+|\.[0-9]+(?:[eE][+-]?[0-9]+)?)"
    r"|(?P<NUM_UINT>(?:0x[0-9a-fA-F]+|[0-9]+)[uU])"
    r"|(?P<NUM_INT>0x[0-9a-fA-F]+|[0-9]+)"
    r"|(?P<IDENTIFIER>[A-Za-z_][A-Za-z0-9_]*)"
    r"|(?P<ESC_IDENTIFIER>`[A-Za-z0-9_.\-/ ]+`)"
    r"|(?P<op>==|!=|<=|>=|&&|\|\||[\[\]{}().,\-!?:+*/%<>])",
    re.DOTALL,
)
_BROKEN = re.compile(
    r"""'(?:\\[^\n]?|[^'\\\n\r])*|"(?:\\[^\n]?|[^"\\\n\r])*|[&|=][^&|=\n]?|.""",
    re.DOTALL,
)


class Token(NamedTuple):
    """kind: a name of the grammar, or the operator or keyword itself."""

    kind: str
    text: str
    at: int


def tokens(text: str, issues: list[Issue]) -> list[Token]:
    """All tokens, the last is <EOF>. What is no token is told in `issues` and left out."""
    out: list[Token] = []
    at, end = 0, len(text)
    match = _TOKEN.match
    while at < end:
        found = match(text, at)
        if found is None:
            at = _broken(text, at, issues)
            continue
        kind = found.lastgroup or ""
        if kind != "space":
            shown = found.group()
            if kind == "op" or (kind == "IDENTIFIER" and shown in KEYWORDS):
                kind = shown
            out.append(Token(kind, shown, at))
        at = found.end()
    out.append(Token("<EOF>", "<EOF>", end))
    return out


def _broken(text: str, at: int, issues: list[Issue]) -> int:
    found = _BROKEN.match(text, at)
    shown = found.group() if found is not None else text[at]
    wrong = re.search(r"\\(?![abfnrtv\"'\\?`xXuU0-3])", shown)
    if wrong is not None:
        shown = shown[: wrong.end() + 1]
    issues.append(Issue(at, f"Syntax error: token recognition error at: '{_escaped(shown)}'"))
    return at + max(1, len(shown))


def _escaped(text: str) -> str:
    return text.replace("\n", "\\n").replace("\r", "\\r").replace("\t", "\\t")
