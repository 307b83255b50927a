"""Who owns what after plain updates that follow each other."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from cybernetes.model import apply, fieldset
from cybernetes.model.schema import compile as schema_compile
from cybernetes.model.schema import reader

PODS = schema_compile.node("io.k8s.api.core.v1.Pod")


def writing(manager: str, second: int, subresource: str = "") -> apply.Writing:
    reset = (("spec",),) if subresource else (("status",),)
    now = f"2026-01-01T00:00:{second:02d}Z"
    return apply.Writing(manager=manager, api_version="v1", now=now, subresource=subresource, reset_fields=reset)


def made() -> dict[str, Any]:
    spec = {"containers": [{"name": "app", "image": "app"}]}
    obj: dict[str, Any] = reader.converter(PODS)({"metadata": {"name": "a", "labels": {"x": "1"}}, "spec": spec})
    apply.record_update(PODS, None, obj, writing("controller", 0))
    return obj


def with_phase(obj: dict[str, Any], phase: str, second: int) -> dict[str, Any]:
    new = copy.deepcopy(obj)
    new["status"] = {"phase": phase}
    apply.record_update(PODS, obj, new, writing("kubelet", second, "status"))
    return new


def entries(obj: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {each["manager"]: each for each in obj["metadata"]["managedFields"]}


def test_the_next_status_only_renews_the_time() -> None:
    first = with_phase(made(), "Pending", 1)
    second = with_phase(first, "Running", 2)
    assert entries(second)["kubelet"] == {**entries(first)["kubelet"], "time": "2026-01-01T00:00:02Z"}
    assert entries(second)["controller"] == entries(first)["controller"]


def test_a_write_that_changes_nothing_changes_no_entry() -> None:
    first = with_phase(made(), "Pending", 1)
    assert with_phase(first, "Pending", 9)["metadata"] == first["metadata"]


def test_who_changes_a_field_of_another_takes_it() -> None:
    obj = with_phase(made(), "Pending", 1)
    new = copy.deepcopy(obj)
    new["metadata"]["labels"]["x"] = "2"
    apply.record_update(PODS, obj, new, writing("editor", 3))
    assert entries(new)["editor"]["fieldsV1"] == {"f:metadata": {"f:labels": {"f:x": {}}}}
    assert "f:x" not in entries(new)["controller"]["fieldsV1"].get("f:metadata", {}).get("f:labels", {})


def test_what_is_removed_is_nobodys() -> None:
    obj = made()
    new = copy.deepcopy(obj)
    del new["metadata"]["labels"]
    apply.record_update(PODS, obj, new, writing("controller", 3))
    assert "f:metadata" not in entries(new)["controller"]["fieldsV1"]


def test_an_empty_list_makes_everyone_forgotten() -> None:
    obj = with_phase(made(), "Pending", 1)
    new = copy.deepcopy(obj)
    new["metadata"]["managedFields"] = []
    apply.record_update(PODS, obj, new, writing("editor", 3))
    assert "managedFields" not in new["metadata"]


def test_an_update_that_leaves_the_status_out_takes_it_from_nobody() -> None:
    old = with_phase(made(), "Running", 1)
    new = {key: value for key, value in copy.deepcopy(old).items() if key != "status"}
    new["metadata"]["labels"] = {"x": "2"}
    apply.record_update(PODS, old, new, writing("controller", 2))
    assert entries(new)["kubelet"] == entries(old)["kubelet"]


@pytest.mark.parametrize("child", [5, "x", None, [1], {}])
def test_what_a_client_wrote_in_place_of_a_set_is_an_empty_one(child: Any) -> None:
    assert fieldset.paths(fieldset.decode({"f:data": child})) == [".data"]
