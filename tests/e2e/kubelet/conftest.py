"""One private containerd in one network namespace for all tests of this folder."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.e2e.kubelet.testbed import Testbed, network_namespace


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.privileged)


@pytest.fixture(scope="session")
def testbed() -> Iterator[Testbed]:
    if os.geteuid() != 0 or not shutil.which("containerd"):
        pytest.skip("needs root and containerd")
    name = f"cyb-kubelet-{os.getpid()}"
    bed = Testbed(Path(tempfile.mkdtemp(prefix="cyb-kubelet-")), name)
    with network_namespace(name):
        try:
            bed.start_containerd()
            bed.load_images()
            yield bed
        finally:
            bed.clean()
