"""One API server for all tests of this folder; each test works in a namespace of its own."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest

from apiserver_fixture import RunningApi, running_apiserver

_numbers = itertools.count()


@pytest.fixture(scope="session")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningApi]:
    with running_apiserver(tmp_path_factory.mktemp("apiserver")) as running:
        yield running


@pytest.fixture
def space() -> str:
    return f"space-{next(_numbers)}"
