"""The official Python client: typed, dynamic, watching, electing a leader."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from kubernetes import client, config, dynamic, watch
from kubernetes.client.exceptions import ApiException
from tests.e2e.clients.shell import Shell


@pytest.fixture
def api(control_plane: Path) -> Iterator[client.ApiClient]:
    with config.new_client_from_config(str(control_plane)) as made:
        yield made


def _deployment(image: str) -> dict[str, Any]:
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web"},
        "spec": {
            "replicas": 2,
            "selector": {"matchLabels": {"app": "web"}},
            "template": {
                "metadata": {"labels": {"app": "web"}},
                "spec": {"containers": [{"name": "web", "image": image}]},
            },
        },
    }


def test_typed_objects_and_their_errors(api: client.ApiClient, kubectl: Shell) -> None:
    core, apps, space = client.CoreV1Api(api), client.AppsV1Api(api), kubectl.namespace
    made = apps.create_namespaced_deployment(space, _deployment("example/web:1"))
    assert made.spec.strategy.rolling_update.max_surge == "25%"
    patched = apps.patch_namespaced_deployment_scale("web", space, {"spec": {"replicas": 3}})
    assert patched.spec.replicas == 3
    with pytest.raises(ApiException) as refused:
        core.read_namespaced_config_map("absent", space)
    assert (refused.value.status, refused.value.reason) == (404, "Not Found")
    for n in range(5):
        core.create_namespaced_config_map(space, {"metadata": {"name": f"m-{n}", "labels": {"set": "m"}}})
    page = core.list_namespaced_config_map(space, limit=2, label_selector="set=m")
    assert [each.metadata.name for each in page.items] == ["m-0", "m-1"]
    assert page.metadata.remaining_item_count is None, "unknown where a selector decides"
    rest = core.list_namespaced_config_map(space, limit=9, label_selector="set=m", _continue=page.metadata._continue)
    assert [each.metadata.name for each in rest.items] == ["m-2", "m-3", "m-4"]
    core.delete_collection_namespaced_config_map(space, label_selector="set=m")
    assert core.list_namespaced_config_map(space, label_selector="set=m").items == []


def test_a_watch_goes_on_where_it_ended(api: client.ApiClient, kubectl: Shell) -> None:
    core, space = client.CoreV1Api(api), kubectl.namespace
    core.create_namespaced_config_map(space, {"metadata": {"name": "a", "labels": {"w": "1"}}})
    version = core.list_namespaced_config_map(space, label_selector="w=1").metadata.resource_version
    core.patch_namespaced_config_map("a", space, {"data": {"x": "1"}})
    core.patch_namespaced_config_map("a", space, {"metadata": {"labels": {"w": "2"}}})
    core.create_namespaced_config_map(space, {"metadata": {"name": "b", "labels": {"w": "1"}}})
    seen = []
    watching = watch.Watch()
    for event in watching.stream(
        core.list_namespaced_config_map, space, label_selector="w=1", resource_version=version, timeout_seconds=60
    ):
        seen.append((event["type"], event["object"].metadata.name))
        if seen[-1] == ("ADDED", "b"):
            watching.stop()
    assert seen == [("MODIFIED", "a"), ("DELETED", "a"), ("ADDED", "b")]


def test_dynamic_objects_are_applied_and_watched(api: client.ApiClient, kubectl: Shell) -> None:
    found = dynamic.DynamicClient(api).resources.get(api_version="apps/v1", kind="Deployment")
    space = kubectl.namespace
    applied = found.server_side_apply(body=_deployment("example/web:1"), namespace=space, field_manager="one")
    assert applied.metadata.managedFields[0].manager == "one"
    with pytest.raises(dynamic.exceptions.ConflictError) as conflict:
        found.server_side_apply(body=_deployment("example/web:2"), namespace=space, field_manager="two")
    assert 'conflict with \\"one\\": .spec.template.spec.containers' in str(conflict.value.body)
    found.patch(
        name="web", namespace=space, body={"spec": {"paused": True}}, content_type="application/merge-patch+json"
    )
    event = next(iter(found.watch(namespace=space, timeout=60)))
    assert (event["type"], event["object"].spec.paused) == ("ADDED", True)
    found.delete(name="web", namespace=space)


@contextmanager
def candidate(kubeconfig: Path, namespace: str, name: str) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, str(Path(__file__).parent / "candidate.py"), str(kubeconfig), namespace, name]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def _spoken(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline()


def test_another_leads_once_the_leader_is_killed(control_plane: Path, kubectl: Shell) -> None:
    space = kubectl.namespace
    with candidate(control_plane, space, "first") as first:
        assert _spoken(first) == "first\n"
        with candidate(control_plane, space, "second") as second:
            record = kubectl.get("configmap", "election")["metadata"]["annotations"]
            assert '"holderIdentity": "first"' in record["control-plane.alpha.kubernetes.io/leader"]
            first.kill()
            assert _spoken(second) == "second\n"
