"""Numbers in texts that anybody may have written."""

from __future__ import annotations


def whole(text: str, digits_max: int = 18) -> int | None:
    """The number that the text is in ASCII digits; None for any other text, and for one of more digits.

    `int` takes other scripts' digits, fails at some that `isdigit` takes (`²`), and refuses thousands of them.
    """
    return int(text) if len(text) <= digits_max and text.isascii() and text.isdigit() else None
