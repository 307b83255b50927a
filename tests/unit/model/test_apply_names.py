"""Server-side apply leaves alone what nobody can own, and takes over from client-side apply."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from cybernetes.base.errors import ApiError
from cybernetes.model import apply
from cybernetes.model.schema import compile as schema

NODE = schema.node("io.k8s.api.core.v1.ConfigMap")
WRITING = apply.Writing(manager="me", api_version="v1", now="2026-01-01T00:00:00Z")


def applied(live: dict[str, Any] | None, **metadata: Any) -> dict[str, Any]:
    config = {"kind": "ConfigMap", "apiVersion": "v1", "metadata": {"name": "a", "namespace": "b", **metadata}}
    return apply.apply(NODE, live, config, WRITING, force=False).object


def test_an_object_keeps_its_name_when_the_last_owned_part_of_its_metadata_goes() -> None:
    live = applied(None, labels={"a": "b"})
    assert applied(live)["metadata"] == {"name": "a", "namespace": "b"}


@pytest.mark.parametrize("told", [{}, {"metadata": {}}, {"metadata": {"name": "a"}}])
def test_who_tells_nothing_owns_nothing(told: dict[str, Any]) -> None:
    live = {"metadata": {"name": "a"}, "data": {"x": "1"}}
    config = {"kind": "ConfigMap", "apiVersion": "v1", **told}
    found = apply.apply(NODE, live, config, WRITING, force=False).object
    assert [each["manager"] for each in found["metadata"].get("managedFields", [])] == ["before-first-apply"]


def test_kubectl_takes_over_what_it_applied_before_and_nothing_that_was_changed_since() -> None:
    last = {"kind": "ConfigMap", "apiVersion": "v1", "metadata": {"name": "a"}, "data": {"mine": "1", "theirs": "1"}}
    noted = {"kubectl.kubernetes.io/last-applied-configuration": json.dumps(last)}
    live = {"metadata": {"name": "a", "annotations": noted}, "data": {"mine": "1", "theirs": "2"}}
    client_side = msgspec.structs.replace(WRITING, manager="kubectl-client-side-apply")
    apply.record_update(NODE, None, live, client_side)
    kubectl = msgspec.structs.replace(WRITING, manager="kubectl")

    def take(writing: apply.Writing, **data: str) -> Any:
        return apply.apply(NODE, live, {**last, "data": data}, writing, force=False).object["data"]

    assert take(kubectl, mine="3")["mine"] == "3"
    noted_after = apply.apply(NODE, live, {**last, "data": {"mine": "3"}}, kubectl, force=False).object["metadata"]
    [told] = noted_after["annotations"].values()
    assert json.loads(told) == {**last, "data": {"mine": "3"}}
    with pytest.raises(ApiError, match=r"Apply failed with 1 conflict: conflict with .* \.data\.theirs"):
        take(kubectl, mine="3", theirs="3")
    with pytest.raises(ApiError, match=r"Apply failed with 1 conflict: conflict with .* \.data\.mine"):
        take(WRITING, mine="3")


def test_null_empties_one_value_and_leaves_alone_what_has_parts() -> None:
    node = schema.node("io.k8s.api.core.v1.Pod")
    live: dict[str, Any] = {
        "metadata": {"name": "a", "labels": {"x": "y"}},
        "spec": {"priority": 1, "nodeSelector": {"a": "b"}, "tolerations": [{}], "volumes": [{"name": "v"}]},
    }
    spec = dict.fromkeys(live["spec"])
    config = {"kind": "Pod", "apiVersion": "v1", "metadata": {"name": "a", "labels": None}, "spec": spec}
    merged = apply.apply(node, live, config, WRITING, force=True).object
    assert merged["metadata"]["labels"] == {"x": "y"}
    assert merged["spec"] == {"priority": None, "nodeSelector": None, "tolerations": None, "volumes": [{"name": "v"}]}
