"""Text for iptables-restore from templates and words: the plain form of `cybernetes_native/iptext.pyx`."""

from __future__ import annotations

from collections.abc import Sequence


def render(templates: Sequence[bytes], lines: bytes, words: bytes) -> bytes:
    """Every line's template, with a word in place of each NUL of it.

    templates  at most 256
    lines      one byte a line: which template
    words      those of all lines, in order, each ended by a NUL
    returns    the lines end to end
    raises     ValueError when there are too few words or too many, or a line has no template
    """
    pieces = [template.split(b"\0") for template in templates]
    rest = words.split(b"\0")
    if rest.pop():
        raise ValueError("the last word has no end")
    out: list[bytes] = []
    at = 0
    for line in lines:
        if line >= len(pieces):
            raise ValueError(f"no template {line}")
        first, *others = pieces[line]
        out.append(first)
        for piece in others:
            if at >= len(rest):
                raise ValueError("too few words")
            out += (rest[at], piece)
            at += 1
    if at != len(rest):
        raise ValueError("too many words")
    return b"".join(out)
