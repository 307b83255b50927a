"""The tables of behaviours name tests that are there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
_TEST = re.compile(r"`[\w/]*?(\w+\.py)::(\w+)")
TABLES = sorted(each for each in (ROOT / "docs").glob("conformance-*.md") if _TEST.search(each.read_text()))


@pytest.mark.parametrize("table", TABLES, ids=lambda each: each.stem)
def test_every_named_test_is_there(table: Path) -> None:
    named = sorted(set(_TEST.findall(table.read_text())))
    # Every file's name is its own.
    files = {each.name: each.read_text() for each in (ROOT / "tests").rglob("test_*.py")}
    missing = [f"{file}::{name}" for file, name in named if f"def {name}(" not in files.get(file, "")]
    assert named and missing == []
