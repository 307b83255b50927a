"""What a new cluster has from the beginning, beyond what API servers make themselves."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from cybernetes.base.clock import SystemClock
from cybernetes.base.errors import ApiError
from cybernetes.client.api import is_reason
from cybernetes.client.kubeconfig import connect
from cybernetes.client.target import STORAGE_CLASSES, Target
from cybernetes.install import administrators
from cybernetes.model.local_volumes import PROVISIONER
from cybernetes.run import files
from cybernetes.run.config import ClusterConfig
from cybernetes.run.layout import Layout

# Claims that ask for nothing special get a folder on the node of their first pod.
LOCAL_CLASS = {
    "metadata": {"name": "local", "annotations": {"storageclass.kubernetes.io/is-default-class": "true"}},
    "provisioner": PROVISIONER,
    "reclaimPolicy": "Delete",
    "volumeBindingMode": "WaitForFirstConsumer",
}


def of(config: ClusterConfig) -> Iterable[tuple[Target, dict[str, Any]]]:
    yield administrators.BINDINGS, administrators.BINDING
    if config.runs("controller-manager"):
        yield STORAGE_CLASSES, LOCAL_CLASS


async def make(config: ClusterConfig, layout: Layout) -> None:
    """Those that are not there; one that was changed stays as it is."""
    client = connect(files.super_admin_kubeconfig(layout), user_agent="cybernetes-up", clock=SystemClock())
    try:
        for target, body in of(config):
            try:
                await client.create(target, body)
            except ApiError as refusal:
                if not is_reason(refusal, "AlreadyExists"):
                    raise
    finally:
        await client.close()
