"""The three ways to patch a document."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from cybernetes.base.errors import ApiError
from cybernetes.model.patch import json_patch, merge_patch
from cybernetes.model.schema import compile as schema_compile
from cybernetes.model.strategic import strategic_merge

DEPLOYMENTS = schema_compile.node("io.k8s.api.apps.v1.Deployment")
DOC: dict[str, Any] = {"metadata": {"name": "a", "labels": {"x": "1"}}, "list": [1, 2, 3]}


@pytest.mark.parametrize(
    ("operations", "changed"),
    [
        ([{"op": "add", "path": "/new", "value": 1}], {"new": 1}),
        ([{"op": "add", "path": "/list/1", "value": 9}], {"list": [1, 9, 2, 3]}),
        ([{"op": "add", "path": "/list/-", "value": 9}], {"list": [1, 2, 3, 9]}),
        ([{"op": "remove", "path": "/list/0"}], {"list": [2, 3]}),
        ([{"op": "replace", "path": "/list", "value": []}], {"list": []}),
        ([{"op": "copy", "from": "/list", "path": "/again"}], {"again": [1, 2, 3]}),
        ([{"op": "test", "path": "/list/2", "value": 3}], {}),
        ([{"op": "test", "path": "/metadata/absent", "value": None}], {}),
        ([{"op": "add", "path": "/metadata~1x", "value": 1}], {"metadata/x": 1}),
    ],
)
def test_json_patch(operations: list[Any], changed: dict[str, Any]) -> None:
    before = copy.deepcopy(DOC)
    assert json_patch(DOC, operations) == {**DOC, **changed}
    assert before == DOC


@pytest.mark.parametrize(
    "operation",
    [
        {"op": "test", "path": "/list/2", "value": 4},
        {"op": "test", "path": "/list/0", "value": True},
        {"op": "test", "path": "/absent", "value": 1},
        {"op": "test", "path": "/absent/deep", "value": None},
        {"op": "remove", "path": "/absent"},
        {"op": "replace", "path": "/absent", "value": 1},
        {"op": "add", "path": "/absent/deep", "value": 1},
        {"op": "add", "path": "/list/9", "value": 1},
        {"op": "replace", "path": "/list/x", "value": 1},
        {"op": "nope", "path": "/list"},
        {"path": "/list"},
    ],
)
def test_operations_that_do_not_fit_are_invalid(operation: dict[str, Any]) -> None:
    with pytest.raises(ApiError) as refused:
        json_patch(DOC, [operation])
    assert (refused.value.code, refused.value.reason) == (422, "Invalid")


def test_merge_patch_sets_and_removes() -> None:
    patch = {"metadata": {"labels": {"x": None, "y": "2"}}, "list": [7], "absent": None}
    assert merge_patch(DOC, patch) == {"metadata": {"name": "a", "labels": {"y": "2"}}, "list": [7]}


def deployment(*containers: dict[str, Any]) -> dict[str, Any]:
    return {
        "metadata": {"name": "a", "finalizers": ["one", "two"]},
        "spec": {
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1}},
            "template": {"spec": {"containers": list(containers), "tolerations": [{"key": "x"}]}},
        },
    }


ONE = {"name": "one", "image": "i:1", "env": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}]}
TWO = {"name": "two", "image": "i:2"}


def merged(containers: list[Any], **directives: Any) -> list[Any]:
    patch = {"spec": {"template": {"spec": {"containers": containers, **directives}}}}
    result = strategic_merge(DEPLOYMENTS, deployment(ONE, TWO), patch)
    found: list[Any] = result["spec"]["template"]["spec"]["containers"]
    return found


def test_items_are_found_by_their_merge_key() -> None:
    assert merged([{"name": "two", "image": "i:3"}]) == [ONE, {"name": "two", "image": "i:3"}]
    assert [each["name"] for each in merged([{"name": "new", "image": "x"}])] == ["new", "one", "two"]


def test_items_can_be_deleted_and_replaced() -> None:
    assert merged([{"name": "one", "$patch": "delete"}]) == [TWO]
    assert merged([{"name": "one", "image": "x"}, {"name": "one", "$patch": "delete"}]) == [
        {"name": "one", "image": "x"},
        TWO,
    ]
    assert merged([{"$patch": "replace"}, {"name": "only"}]) == [{"name": "only"}]
    assert merged([{"$patch": "replace", "name": "one", "image": "x"}]) == []


def test_a_new_list_is_taken_as_it_is() -> None:
    patch = {"spec": {"template": {"spec": {"volumes": [{"emptyDir": {}}, {"name": "v", "$patch": "delete"}]}}}}
    merged = strategic_merge(DEPLOYMENTS, deployment(ONE), patch)
    assert merged["spec"]["template"]["spec"]["volumes"] == [{"emptyDir": {}}]
    patch = {"spec": {"template": {"spec": {"volumes": [{"$patch": "replace"}, {"name": "v"}]}}}}
    merged = strategic_merge(DEPLOYMENTS, deployment(ONE), patch)
    assert merged["spec"]["template"]["spec"]["volumes"] == [{"name": "v"}]


@pytest.mark.parametrize("directive", ["delete", "replace", "nope"])
def test_a_directive_about_nothing_does_nothing(directive: str) -> None:
    doc = deployment(ONE)
    directed = {"$patch": directive, "x": "y"}
    patch = {"metadata": {"labels": directed}, "spec": {"template": {"spec": {"affinity": {"podAffinity": directed}}}}}
    merged = strategic_merge(DEPLOYMENTS, doc, patch)
    assert "labels" not in merged["metadata"]
    assert merged["spec"]["template"]["spec"]["affinity"] == {}


def test_nested_lists_merge_too() -> None:
    env = [{"name": "A", "$patch": "delete"}, {"name": "C", "value": "3"}]
    assert merged([{"name": "one", "env": env}])[0]["env"] == [
        {"name": "C", "value": "3"},
        {"name": "B", "value": "2"},
    ]


def test_the_order_of_elements_can_be_given() -> None:
    order = [{"name": "two"}, {"name": "zero"}, {"name": "one"}]
    found = merged([{"name": "zero", "image": "x"}], **{"$setElementOrder/containers": order})
    assert [each["name"] for each in found] == ["two", "zero", "one"]


def test_an_item_without_its_key_is_an_error() -> None:
    with pytest.raises(ApiError, match=r"map: map\[image:x\] does not contain declared merge key: name"):
        merged([{"image": "x"}])


def test_other_lists_are_replaced_and_maps_can_be() -> None:
    doc = deployment(ONE)
    patch = {"spec": {"template": {"spec": {"tolerations": [{"key": "y"}]}}}}
    result = strategic_merge(DEPLOYMENTS, doc, patch)
    assert result["spec"]["template"]["spec"]["tolerations"] == [{"key": "y"}]
    doc["metadata"]["labels"] = {"a": "1", "b": "2"}
    replaced = strategic_merge(DEPLOYMENTS, doc, {"metadata": {"labels": {"$patch": "replace", "c": "3"}}})
    assert replaced["metadata"]["labels"] == {"c": "3"}


def test_keys_to_retain_drop_the_others() -> None:
    patch = {"spec": {"strategy": {"$retainKeys": ["type"], "type": "Recreate"}}}
    assert strategic_merge(DEPLOYMENTS, deployment(ONE), patch)["spec"]["strategy"] == {"type": "Recreate"}


def test_primitives_are_united_and_taken_out() -> None:
    added = strategic_merge(DEPLOYMENTS, deployment(ONE), {"metadata": {"finalizers": ["three"]}})
    assert sorted(added["metadata"]["finalizers"]) == ["one", "three", "two"]
    patch = {"metadata": {"$deleteFromPrimitiveList/finalizers": ["one"]}}
    assert strategic_merge(DEPLOYMENTS, deployment(ONE), patch)["metadata"]["finalizers"] == ["two"]


ORDER = "$setElementOrder/containers"


@pytest.mark.parametrize(
    ("spec", "code", "message"),
    [
        (
            {"containers": [{"name": "new", "image": "x"}], ORDER: [{"name": "two"}, {"name": "one"}]},
            500,
            "The order in patch list:\n[map[image:x name:new]]\n doesn't match $setElementOrder list:\n"
            "[map[name:two] map[name:one]]\n",
        ),
        (
            {"containers": [{"name": "two"}, {"name": "one"}], ORDER: [{"name": "one"}, {"name": "two"}]},
            500,
            "The order in patch list:\n[map[name:two] map[name:one]]\n doesn't match $setElementOrder list:\n"
            "[map[name:one] map[name:two]]\n",
        ),
        (
            {"containers": [{"name": "one"}], ORDER: [{"x": "one"}]},
            500,
            "map: map[x:one] does not contain declared merge key: name",
        ),
        ({"containers": [{"name": "one"}], ORDER: "one"}, 500, "expected a []interface {}, but received a string"),
        (
            {"$setElementOrder/nowhere": ["a"]},
            500,
            'unable to find api field in struct PodSpec for the json field "nowhere"',
        ),
        ({"containers": [{"$patch": "merge"}]}, 500, "merging lists cannot yet be specified in the patch"),
        (
            {"containers": [{"$patch": "nope", "name": "a"}]},
            500,
            "unknown patch type: nope in map: map[$patch:nope name:a]",
        ),
        ({"$retainKeys": "x"}, 400, "invalid patch format of retainKeys"),
        ({"$retainKeys": ["x"], "containers": []}, 400, "invalid patch format of retainKeys"),
        ({"$patch": "nope"}, 500, "unknown patch type: nope in map: map[$patch:nope]"),
    ],
)
def test_directives_that_make_no_sense_are_refused(spec: dict[str, Any], code: int, message: str) -> None:
    patch = {"spec": {"template": {"spec": spec}}}
    with pytest.raises(ApiError) as refused:
        strategic_merge(DEPLOYMENTS, deployment(ONE, TWO), patch)
    assert (refused.value.code, refused.value.message) == (code, message)


@pytest.mark.parametrize(
    "directives",
    [
        {"containers": [], ORDER: [{"name": "one"}]},
        {"containers": [{"name": "two"}], ORDER: []},
        {"containers": [{"name": "gone", "$patch": "delete"}, {"name": "two"}], ORDER: [{"name": "two"}]},
        {"$setElementOrder/imagePullSecrets": [{"name": "absent"}]},
    ],
)
def test_an_order_of_more_or_of_nothing_is_taken(directives: dict[str, Any]) -> None:
    patch = {"spec": {"template": {"spec": directives}}}
    merged = strategic_merge(DEPLOYMENTS, deployment(ONE, TWO), patch)
    assert merged["spec"]["template"]["spec"]["containers"] == [ONE, TWO]


def test_an_order_is_held_to_the_items_of_primitives_too() -> None:
    patch = {"metadata": {"finalizers": ["three"], "$setElementOrder/finalizers": ["one", "two"]}}
    with pytest.raises(ApiError, match="The order in patch list"):
        strategic_merge(DEPLOYMENTS, deployment(ONE), patch)


@pytest.mark.parametrize(
    "operations",
    [
        [{"op": "copy", "from": "/list", "path": "/list/-"} for _ in range(60)],
        [{"op": "copy", "from": "", "path": "/list/-"} for _ in range(60)],
        [{"op": "add", "path": "/deep" + "/a" * n, "value": {}} for n in range(400)],
    ],
    ids=["doubled-list", "doubled-document", "nested"],
)
def test_a_small_patch_makes_no_large_document(operations: list[dict[str, Any]]) -> None:
    with pytest.raises(ApiError) as refused:
        json_patch(DOC, operations)
    assert refused.value.code == 422
