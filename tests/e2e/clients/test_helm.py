"""Charts with hooks, definitions and look-ups, by Helm 3 and Helm 4."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import orjson
import pytest
from tests.e2e.clients.shell import Shell

from cybernetes.install.machine import free_port

CHART = str(Path(__file__).parent / "chart")


@pytest.fixture(params=[30, 37], ids=["helm3", "helm4"])
def helm(request: pytest.FixtureRequest, shell: Callable[[str, int], Shell], kubectl: Shell) -> Iterator[Shell]:
    yield shell("helm", request.param)
    kubectl.run("delete", "crd", "baskets.shop.example.com", "--ignore-not-found")


def released(helm: Shell) -> tuple[int, str]:
    (release,) = orjson.loads(helm.out("list", "-o", "json"))
    return int(release["revision"]), release["status"]


def test_a_release_is_installed_upgraded_rolled_back_tested_and_removed(helm: Shell, kubectl: Shell) -> None:
    installed = helm.out("install", "shop", CHART, "--wait", "--timeout", "100s")
    assert "STATUS: deployed" in installed and "REVISION: 1" in installed
    seen = kubectl.get("configmap", "shop-seen")["data"]
    assert seen == {"namespace": kubectl.namespace, "absent": "true", "version": "37", "policies": "true"}
    assert kubectl.get("basket", "shop")["spec"] == {"size": 3}
    assert kubectl.get("configmap", "shop-before")["data"] == {"revision": "1"}

    helm.run("upgrade", "shop", CHART, "--set", "image=example/shop:2", "--timeout", "100s")
    image = "jsonpath={.spec.template.spec.containers[0].image}"
    assert kubectl.out("get", "deployment", "shop", "-o", image) == "example/shop:2"
    assert kubectl.get("configmap", "shop-before")["data"] == {"revision": "2"}
    assert helm.out("rollback", "shop", "1", "--wait", "--timeout", "100s").endswith("Happy Helming!\n")
    assert kubectl.out("get", "deployment", "shop", "-o", image) == "example/shop:1"
    assert released(helm) == (3, "deployed")
    assert len(helm.out("history", "shop").splitlines()) == 4
    assert "TEST SUITE:     shop-test" in helm.out("test", "shop", "--timeout", "100s")

    assert helm.out("uninstall", "shop", "--wait", "--timeout", "100s") == 'release "shop" uninstalled\n'
    assert kubectl.out("get", "deployments,baskets", "-o", "name") == ""
    assert kubectl.out("get", "configmap", "shop-after", "-o", "name") == "configmap/shop-after\n"


def test_a_packaged_chart_that_is_refused_says_why(helm: Shell, kubectl: Shell, tmp_path: Path) -> None:
    helm.run("package", CHART, "-d", str(tmp_path))
    package = str(tmp_path / "shop-0.1.0.tgz")
    refused = helm.fails("install", "shop", package, "--set", "replicas=-1", "--timeout", "100s")
    assert "spec.replicas: Invalid value: -1: must be greater than or equal to 0" in refused
    assert released(helm) == (1, "failed")
    helm.run("upgrade", "--install", "shop", package, "--reset-values", "--timeout", "100s")
    assert released(helm) == (2, "deployed")
    assert kubectl.get("deployment", "shop")["spec"]["replicas"] == 0
    helm.run("uninstall", "shop", "--timeout", "100s")


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[str]:
    """host:port of an OCI registry on loopback."""
    if not shutil.which("docker-registry"):
        pytest.skip("needs docker-registry")
    address = f"127.0.0.1:{free_port(0)}"
    config = tmp_path / "registry.yaml"
    storage = {"filesystem": {"rootdirectory": str(tmp_path / "registry")}}
    config.write_bytes(orjson.dumps({"version": 0.1, "storage": storage, "http": {"addr": address}}))
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    process = subprocess.Popen(["docker-registry", "serve", str(config)], **quiet)
    try:
        _await_port(address)
        yield address
    finally:
        process.terminate()
        process.wait(60)


def _await_port(address: str) -> None:
    host, _, port = address.rpartition(":")
    deadline = time.monotonic() + 60
    while True:
        try:
            socket.create_connection((host, int(port)), timeout=1).close()
            return
        except OSError:
            assert time.monotonic() < deadline, f"nothing listens at {address}"
            time.sleep(0.05)


def test_a_chart_comes_from_a_registry(helm: Shell, kubectl: Shell, registry: str, tmp_path: Path) -> None:
    helm.run("package", CHART, "-d", str(tmp_path))
    helm.run("push", str(tmp_path / "shop-0.1.0.tgz"), f"oci://{registry}/charts", "--plain-http")
    source = (f"oci://{registry}/charts/shop", "--version", "0.1.0", "--plain-http")
    helm.run("install", "shop", *source, "--timeout", "100s")
    assert kubectl.get("basket", "shop")["spec"] == {"size": 3}
    helm.run("uninstall", "shop", "--timeout", "100s")
