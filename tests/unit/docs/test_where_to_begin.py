"""Places in the code that package docstrings and docs/ name are there."""

from __future__ import annotations

import ast
import importlib
import re
from functools import cache, reduce
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[3]
SOURCES = ROOT / "src"
TOPS = ("src", "docs", "perf", "tests")
_START = re.compile(r"^start .*(?:\n +.*)*", re.MULTILINE)
_NAME = re.compile(r"\b[a-z_][a-z0-9_]*(?:\.[A-Za-z0-9_]+)+")
_ROW = re.compile(r"^\| .*", re.MULTILINE)
_CODE = re.compile(rf"`({_NAME.pattern})(?<!\.py)`")
_FILE = re.compile(r"`([\w/-]+/[\w-]+\.(?:py|md))`")
_LINK = re.compile(r"\]\((?!http)([^)#]+)")
# What a page's tables name stands in this package.
PAGES = {"apiserver": "cybernetes.apiserver", "scheduling": "cybernetes.scheduler", "networking": "cybernetes"}


def starts() -> list[tuple[str, str]]:
    """(package, name), of the lines that say where to begin reading."""
    found = []
    for path in sorted(SOURCES.rglob("__init__.py")):
        text = ast.get_docstring(ast.parse(path.read_text())) or ""
        package = ".".join(path.parent.relative_to(SOURCES).parts)
        found += [(package, name) for line in _START.findall(text) for name in _NAME.findall(line)]
    return found


def find(package: str, name: str) -> object:
    """In a module of the package, or of those around it. Raises AttributeError, ModuleNotFoundError."""
    parts = name.split(".")
    for around in [package.rsplit(".", n)[0] for n in range(package.count(".") + 1)]:
        for n in range(len(parts), 0, -1):
            module = _module(".".join([around, *parts[:n]]))
            if module is not None:
                return reduce(getattr, parts[n:], module)
    raise ModuleNotFoundError(f"{package}: {name}")


def _module(name: str) -> ModuleType | None:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as missing:
        if missing.name is None or not name.startswith(missing.name):
            raise
        return None


@pytest.mark.parametrize(("package", "name"), starts())
def test_where_a_package_is_begun_is_there(package: str, name: str) -> None:
    assert find(package, name) is not None


@pytest.mark.parametrize("page", PAGES)
def test_what_tables_name_is_there(page: str) -> None:
    rows = _ROW.findall((ROOT / "docs" / f"{page}.md").read_text())
    named = [name for row in rows for name in _CODE.findall(row)]
    there = [name for name in named if _module(f"{PAGES[page]}.{name.split('.')[0]}")]
    assert there and all(find(PAGES[page], name) is not None for name in there)


@cache
def endings() -> set[str]:
    """Of paths of the files here: `/c.py`, `/b/c.py`, `/a/b/c.py`."""
    paths = [each.relative_to(ROOT).parts for top in TOPS for each in (ROOT / top).rglob("*.*")]
    return {"/" + "/".join(parts[n:]) for parts in paths for n in range(len(parts))}


@pytest.mark.parametrize(
    "page", sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]), ids=lambda each: each.stem
)
def test_files_that_a_page_names_are_there(page: Path) -> None:
    text = page.read_text()
    files = [name for name in _FILE.findall(text) if f"/{name}" not in endings()]
    links = [name for name in _LINK.findall(text) if not (page.parent / name).exists()]
    assert files + links == []
