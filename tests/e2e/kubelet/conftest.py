"""One private containerd in one network namespace for all tests of this folder."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.e2e.kubelet.testbed import Testbed, running


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.privileged)


@pytest.fixture(scope="session")
def testbed() -> Iterator[Testbed]:
    with running(f"cyb-kubelet-{os.getpid()}") as bed:
        yield bed
