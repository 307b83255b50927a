"""One cluster for the tests of this folder; it is taken down whatever happens to them."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.e2e.cluster.running import REPOSITORY, Cluster


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.privileged)


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """With the example application running: three pods of two containers behind a Service."""
    if os.geteuid() != 0 or not shutil.which("containerd"):
        pytest.skip("needs root and containerd")
    made = Cluster(Path(tempfile.mkdtemp(prefix="cyb-e2e-")), f"cyb-e2e-{os.getpid()}")
    try:
        made.make_machine()
        made.up()
        made.inside(str(REPOSITORY / "examples" / "hello" / "run"))
        yield made
    finally:
        made.remove()
