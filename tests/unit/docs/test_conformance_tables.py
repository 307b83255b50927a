"""The tables of behaviours name tests that are there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
_TEST = re.compile(r"`([\w/]+\.py)::(\w+)")
TABLES = sorted(each for each in (ROOT / "docs").glob("conformance-*.md") if _TEST.search(each.read_text()))


@pytest.mark.parametrize("table", TABLES, ids=lambda each: each.stem)
def test_every_named_test_is_there(table: Path) -> None:
    named = set(_TEST.findall(table.read_text()))
    assert named
    texts = {path: (ROOT / "tests" / path.removeprefix("tests/")).read_text() for path, _ in named}
    missing = [f"{path}::{name}" for path, name in sorted(named) if f"def {name}(" not in texts[path]]
    assert missing == []
