"""Files of variables that containers leave in a volume for those that start after them.

A line is `NAME='value'`; a quoted value may go on over lines. Without quotes the value is the rest of the line.

source  KEP-3721; kubernetes.io "Define Environment Variable Values Using An Init Container"
"""

from __future__ import annotations

import re

# What is read of one file.
SIZE_MAX = 1 << 20
_SKIPPED = re.compile(r"[ \t]*(#[^\n]*)?(\n|\Z)")
_QUOTED = re.compile(r"[ \t]*([^\s=#']+)='([^']*)'[ \t]*(\n|\Z)")
_PLAIN = re.compile(r"[ \t]*([^\s=#']+)=([^'\n][^\n]*|)(\n|\Z)")


class EnvFileError(Exception):
    """The text is not such a file."""


def parse(text: str) -> dict[str, str]:
    """Values by name; of a name that comes twice the last."""
    text = text.replace("\r\n", "\n")
    values: dict[str, str] = {}
    at = 0
    while at < len(text):
        if skipped := _SKIPPED.match(text, at):
            at = skipped.end()
            continue
        found = _QUOTED.match(text, at) or _PLAIN.match(text, at)
        if found is None:
            line = text.count("\n", 0, at) + 1
            raise EnvFileError(f"line {line} is not of the form NAME='value'")
        values[found[1]] = found[2] if found.re is _QUOTED else found[2].rstrip()
        at = found.end()
    return values
