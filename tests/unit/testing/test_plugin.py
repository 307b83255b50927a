"""The fixtures that others use in their tests."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import yaml

from cybernetes.testing.apiserver import RunningApi

pytest_plugins = ["cybernetes.testing.plugin"]


def test_kubectl_works_with_the_kubeconfig(
    kubernetes_api: RunningApi, kubeconfig: Path, kubernetes_namespace: str
) -> None:
    assert yaml.safe_load(kubeconfig.read_text())["clusters"][0]["cluster"]["server"] == kubernetes_api.url
    kubectl = [
        str(Path(sys.executable).parent / "kubectl"),
        "--kubeconfig",
        str(kubeconfig),
        "-n",
        kubernetes_namespace,
    ]
    made = subprocess.run(
        [*kubectl, "run", "web", "--image=x"], capture_output=True, text=True, timeout=60, check=False
    )
    assert made.stdout == "pod/web created\n", made.stderr
