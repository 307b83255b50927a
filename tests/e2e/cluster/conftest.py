"""One cluster for the tests of this folder; it is taken down whatever happens to them."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.e2e.cluster.running import ONE_FAMILY, REPOSITORY, Cluster

from cybernetes.run.config import dual_stack


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.privileged)


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """With the example application running: three pods of two containers behind a Service. Pods have two families."""
    if os.geteuid() != 0 or not shutil.which("containerd"):
        pytest.skip("needs root and containerd")
    made = Cluster(Path(tempfile.mkdtemp(prefix="cyb-e2e-")), f"cyb-e2e-{os.getpid()}", network=dual_stack(ONE_FAMILY))
    try:
        made.make_machine()
        made.up()
        made.inside(str(REPOSITORY / "examples" / "hello" / "run"))
        yield made
    finally:
        made.remove()
