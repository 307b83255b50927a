"""Recorded answers of the reference to changed manifests (folder CYBERNETES_GOLDEN), for data-driven tests."""

from __future__ import annotations

import copy
import json
import os
import re
from functools import cache
from pathlib import Path
from typing import Any

import pytest

DEFAULT = Path(__file__).parents[4] / "shared" / "golden"
CAUSE = re.compile(r": (?:json: |error converting|yaml: |quantities must|parsing time|strict decoding)")


def folder() -> Path:
    found = Path(os.environ.get("CYBERNETES_GOLDEN", DEFAULT))
    if not (found / "bases.json").exists():
        pytest.skip(f"no recorded answers in {found}: set CYBERNETES_GOLDEN")
    return found


@cache
def manifests() -> dict[str, dict[str, Any]]:
    lines = (folder() / "bases.json").read_text().splitlines()
    found = [json.loads(line) for line in lines]
    return {f"{each['apiVersion']}/{each['kind']}/{each['metadata']['name']}": each for each in found}


def recorded(theme: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder() / f"{theme}.jsonl").read_text().splitlines()]


def changed(change: dict[str, Any]) -> dict[str, Any]:
    """The manifest of a recorded request: a base with one change."""
    doc = copy.deepcopy(manifests()[change["base"]])
    if change["op"] == "none":
        return doc
    node: Any = doc
    for key in change["at"][:-1]:
        node = node[key]
    last = change["at"][-1]
    if change["op"] == "remove":
        del node[last]
    elif change["op"] == "append":
        node[last].append(change["value"])
    else:
        node[last] = change["value"]
    return doc


def before_cause(message: str) -> str:
    """An error's text up to the decoder's own words."""
    return CAUSE.split(message)[0]


def difference(old: Any, new: Any) -> Any:
    """JSON merge patch; a null that is really there is written as "<null>"."""
    if new is None:
        return "<null>"
    if not (isinstance(old, dict) and isinstance(new, dict)):
        return new
    patch: dict[str, Any] = {key: None for key in old if key not in new}
    for key, value in new.items():
        if key not in old:
            patch[key] = difference(None, value)
        elif old[key] != value:
            patch[key] = difference(old[key], value)
    return patch
