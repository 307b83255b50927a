from __future__ import annotations

from cybernetes.model import resources
from cybernetes.model.schema import compile as schema
from cybernetes.model.schema.node import ListNode, MapNode, StructNode


def test_nodes_carry_what_patches_need() -> None:
    spec = schema.node("io.k8s.api.core.v1.PodSpec")
    containers, volumes = spec.fields["containers"], spec.fields["volumes"]
    assert isinstance(containers.node, ListNode)
    assert (containers.node.list_type, containers.node.list_keys) == ("map", ("name",))
    assert (containers.patch_strategy, containers.merge_key) == (("merge",), "name")
    assert volumes.patch_strategy == ("merge", "retainKeys")
    selector = spec.fields["nodeSelector"].node
    assert isinstance(selector, MapNode)
    assert selector.map_type == "atomic"


def test_a_struct_is_atomic_by_itself_or_where_it_is_used() -> None:
    assert schema.node("io.k8s.apimachinery.pkg.apis.meta.v1.LabelSelector").map_type == "atomic"
    claim = schema.node("io.k8s.api.core.v1.PersistentVolumeSpec").fields["claimRef"].node
    assert isinstance(claim, StructNode)
    assert claim.map_type == "granular"
    assert schema.node("io.k8s.api.core.v1.ObjectReference").map_type == "atomic"


def test_definitions_are_shared_and_may_contain_themselves() -> None:
    props = schema.node(schema.JSON_SCHEMA)
    assert props is schema.node(schema.JSON_SCHEMA)
    properties = props.fields["properties"].node
    assert isinstance(properties, MapNode)
    assert properties.value is props


def test_every_served_resource_has_a_definition_and_wire_numbers() -> None:
    for row in resources.load():
        node = schema.node(row.schema)
        assert schema.kind_node(row.api_version, row.kind) is node
        assert "metadata" in node.fields
        assert schema.kinds()[row.api_version][row.kind] == row.schema


def test_embedded_structs_are_flat_in_json_and_nested_on_the_wire() -> None:
    fields = schema.node("io.k8s.api.core.v1.Volume").fields
    assert fields["name"].wire == (1,)
    assert fields["hostPath"].wire == (2, 1)
    assert fields["hostPath"].embedded == ("VolumeSource",)
