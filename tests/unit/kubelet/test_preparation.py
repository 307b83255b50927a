"""Which volumes a sandbox need not wait for."""

from __future__ import annotations

from typing import Any

import pytest
from tests.unit.kubelet.making import pod

from cybernetes.kubelet.preparation import certain

TOKEN = {"serviceAccountToken": {"path": "token"}}
AUTHORITIES = {"configMap": {"name": "kube-root-ca.crt"}}


@pytest.mark.parametrize(
    ("volumes", "expected"),
    [
        ([], True),
        ([{"emptyDir": {}}, {"downwardAPI": {}}, {"projected": {"sources": [TOKEN, AUTHORITIES]}}], True),
        ([{"projected": {"sources": [TOKEN, {"secret": {"name": "s"}}]}}], False),
        ([{"projected": {"sources": [{"configMap": {"name": "mine"}}]}}], False),
        ([{"emptyDir": {}}, {"configMap": {"name": "kube-root-ca.crt"}}], False),
        ([{"hostPath": {"path": "/x"}}], False),
        ([{"persistentVolumeClaim": {"claimName": "c"}}], False),
        ([{"image": {"reference": "i"}}], False),
    ],
)
def test_certain_volumes(volumes: list[dict[str, Any]], expected: bool) -> None:
    assert certain(pod(volumes=[{"name": "v", **each} for each in volumes])) is expected
