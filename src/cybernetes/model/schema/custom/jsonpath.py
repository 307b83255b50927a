"""The part of JSONPath that printer columns and selectable fields use.

`.spec.a`, `['a.b']`, `[0]`, `[*]`, `[?(@.type=="Ready")]`. What is not there gives no value.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any

Step = Callable[[Any], list[Any]]
_TOKEN = re.compile(
    r"""\.(?P<name>(?:\\.|[^.\[\]\\])+)
    |\[(?P<quote>['"])(?P<quoted>(?:\\.|(?!(?P=quote)).)*)(?P=quote)\]
    |\[(?P<index>-?\d+)\]
    |\[(?P<all>\*)\]|(?P<dotall>\.\*)
    |\[\?\(\s*@(?P<where>[^=!<>\s)]*)\s*(?P<operator>==|!=)\s*(?P<value>[^)]*?)\s*\)\]""",
    re.VERBOSE,
)


class JsonPathError(ValueError):
    """The text is no path, or uses what is not supported."""


@lru_cache(maxsize=1024)
def compiled(text: str) -> tuple[Step, ...]:
    """The steps of a path, braces and `$` allowed around it.

    raises  JsonPathError
    """
    rest = text.strip().removeprefix("{").removesuffix("}").strip().removeprefix("$")
    steps: list[Step] = []
    while rest:
        found = _TOKEN.match(rest)
        if found is None:
            raise JsonPathError(f"unrecognized part of a path: {rest}")
        steps.append(_step(found))
        rest = rest[found.end() :]
    return tuple(steps)


def find(text: str, value: Any) -> list[Any]:
    """Every value that a path leads to."""
    values = [value]
    for step in compiled(text):
        values = [found for each in values for found in step(each)]
    return values


def _step(found: re.Match[str]) -> Step:
    if found["all"] or found["dotall"] or found["name"] == "*":
        return _everything
    if found["index"] is not None:
        return _at(int(found["index"]))
    if found["operator"]:
        return _where(found["where"], found["operator"] == "==", _literal(found["value"]))
    name = found["name"] if found["name"] is not None else found["quoted"]
    return _named(re.sub(r"\\(.)", r"\1", name))


def _named(name: str) -> Step:
    return lambda value: [value[name]] if isinstance(value, dict) and name in value else []


def _at(index: int) -> Step:
    return lambda value: [value[index]] if isinstance(value, list) and -len(value) <= index < len(value) else []


def _everything(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return list(value.values())
    return list(value) if isinstance(value, list) else []


def _where(path: str, equal: bool, literal: Any) -> Step:
    inner = compiled(path) if path else ()

    def keep(item: Any) -> bool:
        values = [item]
        for step in inner:
            values = [found for each in values for found in step(each)]
        return bool(values) and (values[0] == literal) == equal

    return lambda value: [each for each in value if keep(each)] if isinstance(value, list) else []


def _literal(text: str) -> Any:
    if text[:1] in "'\"" and text[-1:] == text[:1] and len(text) > 1:
        return text[1:-1]
    if text in ("true", "false"):
        return text == "true"
    try:
        return int(text)
    except ValueError as error:
        raise JsonPathError(f"unsupported literal {text}") from error
