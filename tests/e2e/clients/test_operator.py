"""An operator written with kopf: definitions, finalizers, status, children, timers, on the real server."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import kopf
import pytest
from tests.e2e.clients.shell import Shell

DEFINITION = """
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: boxes.kopf.example.com}
spec:
  group: kopf.example.com
  scope: Namespaced
  names: {plural: boxes, singular: box, kind: Box, shortNames: [bx]}
  versions:
    - name: v1
      served: true
      storage: true
      subresources: {status: {}}
      additionalPrinterColumns: [{name: Made, type: string, jsonPath: .status.make.made}]
      schema:
        openAPIV3Schema:
          type: object
          properties:
            spec: {type: object, properties: {size: {type: integer, default: 2}}}
            status: {type: object, x-kubernetes-preserve-unknown-fields: true}
"""
BOX = "{apiVersion: kopf.example.com/v1, kind: Box, metadata: {name: %s}, spec: {}}"


def handlers() -> kopf.OperatorRegistry:
    registry = kopf.OperatorRegistry()

    @kopf.on.startup(registry=registry)
    def configure(settings: kopf.OperatorSettings, **_: Any) -> None:
        settings.posting.level = 20
        settings.peering.standalone = True

    @kopf.on.login(registry=registry)
    def login(**settings: Any) -> kopf.ConnectionInfo | None:
        return kopf.login_with_kubeconfig(**settings)

    @kopf.on.create("boxes", id="make", registry=registry)
    def make(spec: kopf.Spec, name: str, patch: kopf.Patch, **_: Any) -> dict[str, str]:
        patch.metadata.labels["size"] = str(spec["size"])
        return {"made": f"{name} of {spec['size']}"}

    @kopf.on.update("boxes", field="spec.size", registry=registry)
    def resize(old: int, new: int, patch: kopf.Patch, **_: Any) -> None:
        patch.status["resized"] = f"{old} to {new}"

    @kopf.on.delete("boxes", registry=registry)
    def unmake(body: kopf.Body, **_: Any) -> None:
        kopf.info(body, reason="Unmade", message="the box is gone")

    return registry


@contextmanager
def operator(kubeconfig: Path, namespace: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("KUBECONFIG", str(kubeconfig))
    ready, stop, failed = threading.Event(), threading.Event(), []

    def serve() -> None:
        try:
            operating = kopf.operator(
                registry=handlers(), namespaces=[namespace], ready_flag=ready, stop_flag=stop, standalone=True
            )
            asyncio.run(operating)
        except BaseException as error:
            failed.append(error)
            raise

    thread = threading.Thread(target=serve, name="operator")
    thread.start()
    try:
        assert ready.wait(60)
        yield
    finally:
        stop.set()
        thread.join(60)
    assert not failed and not thread.is_alive()


def test_an_operator_follows_its_objects(kubectl: Shell, control_plane: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kubectl.run("apply", "-f", "-", stdin=DEFINITION)
    kubectl.run("wait", "--for=condition=Established", "crd/boxes.kopf.example.com", "--timeout=100s")
    try:
        with operator(control_plane, kubectl.namespace, monkeypatch):
            kubectl.run("apply", "-f", "-", stdin=BOX % "one")
            kubectl.run("wait", "--for=jsonpath={.status.make.made}=one of 2", "box/one", "--timeout=100s")
            box = kubectl.get("bx", "one")
            assert box["metadata"]["finalizers"] == ["kopf.zalando.org/KopfFinalizerMarker"]
            assert box["metadata"]["labels"] == {"size": "2"}
            assert kubectl.out("get", "bx", "--no-headers").split() == ["one", "one", "of", "2"]
            kubectl.run("patch", "box", "one", "--type=merge", "-p", '{"spec":{"size":3}}')
            kubectl.run("wait", "--for=jsonpath={.status.resized}=2 to 3", "box/one", "--timeout=100s")
            kubectl.run("delete", "box", "one", "--timeout=100s")
        assert kubectl.until_out("the box is gone", "events", "--for=box/one")
    finally:
        kubectl.run("delete", "crd", "boxes.kopf.example.com", "--wait=false")
