"""Owners and dependents: background, foreground, orphaning, and what must never be deleted."""

from __future__ import annotations

from typing import Any

import pytest
import virtual
from fake_api import FakeApi
from world import World

from cybernetes.client.target import CONFIG_MAPS, SECRETS, Target
from cybernetes.controllers.garbagecollector import plan
from cybernetes.controllers.garbagecollector.graph import FOREGROUND, ORPHAN, Graph, ItemMeta, Node
from cybernetes.controllers.garbagecollector.loop import GarbageCollector
from cybernetes.controllers.garbagecollector.plan import Owner
from cybernetes.controllers.objects import OwnerReference
from cybernetes.wire.http.message import Request, Response


def node(uid: str, *owners: str, blocking: bool = True, **metadata: Any) -> Node:
    references = tuple(OwnerReference(uid=each, block_owner_deletion=blocking) for each in owners)
    return Node(CONFIG_MAPS, ItemMeta(name=uid, uid=uid, owner_references=references, **metadata))


WAITS = node("w", deletion_timestamp="t", finalizers=(FOREGROUND,))


@pytest.mark.parametrize(
    ("owners", "finalizers", "dependents", "wanted"),
    [
        ({"a": Owner.SOLID}, (), (), None),
        ({"a": Owner.SOLID, "b": Owner.ABSENT}, (), (), plan.DropOwners(frozenset("b"))),
        ({"a": Owner.SOLID, "b": Owner.WAITING}, (), (node("d"),), plan.DropOwners(frozenset("b"))),
        ({"a": Owner.ABSENT}, (), (), plan.Delete("Background")),
        ({"a": Owner.ABSENT}, (ORPHAN,), (), plan.Delete("Orphan")),
        ({"a": Owner.ABSENT}, (FOREGROUND,), (), plan.Delete("Foreground")),
        ({"a": Owner.WAITING}, (), (), plan.Delete("Background")),
        ({"a": Owner.WAITING}, (), (node("d"),), plan.Delete("Foreground")),
        ({"a": Owner.WAITING}, (), (WAITS,), plan.Delete("Foreground", unblock=True)),
    ],
)
def test_the_fate_of_an_owned_object(
    owners: dict[str, Owner], finalizers: tuple[str, ...], dependents: tuple[Node, ...], wanted: Any
) -> None:
    metadata = ItemMeta(name="x", uid="x", finalizers=finalizers)
    assert plan.plan_owned(metadata, owners, dependents) == wanted


def test_an_owner_in_foreground_deletion_waits_for_blocking_dependents_only() -> None:
    owner = node("o", deletion_timestamp="t", finalizers=(FOREGROUND,))
    assert plan.plan_leaving(owner, [node("d", "o")]) == plan.LookAt(("d",))
    assert plan.plan_leaving(owner, [node("d", "o", deletion_timestamp="t")]) == plan.LookAt(())
    assert plan.plan_leaving(owner, [node("d", "o", blocking=False)]) == plan.DropFinalizer(FOREGROUND)
    assert plan.plan_leaving(owner, []) == plan.DropFinalizer(FOREGROUND)


def test_the_graph_names_those_whose_fate_changes() -> None:
    graph = Graph()
    assert graph.put(node("o")) == set()
    assert graph.put(node("d", "o")) == {"d"}
    assert graph.put(node("o", deletion_timestamp="t", finalizers=(FOREGROUND,))) == {"o", "d"}
    assert graph.put(node("d")) == {"o"}
    graph.put(node("d", "o"))
    assert graph.remove("o") == {"d"}
    assert graph.remove("d") == {"o"} and len(graph) == 0


def config(
    name: str, owner: dict[str, Any] | None = None, namespace: str = "default", **reference: Any
) -> dict[str, Any]:
    metadata: dict[str, Any] = {"name": name, "namespace": namespace, "uid": f"{name}-uid"}
    if owner:
        metadata["ownerReferences"] = [
            {
                "apiVersion": owner["apiVersion"],
                "kind": owner["kind"],
                "name": owner["metadata"]["name"],
                "uid": owner["metadata"]["uid"],
                **reference,
            }
        ]
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata}


def secret(name: str, **metadata: Any) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name, "namespace": "default", "uid": f"{name}-uid", **metadata},
    }


def names(api: FakeApi, plural: str = "configmaps") -> list[str]:
    return [each["metadata"]["name"] for each in api.all(plural)]


def test_dependents_of_a_deleted_owner_go_down_the_tree() -> None:
    async def main() -> None:
        w = World(GarbageCollector)
        root = w.api.put("secrets", secret("root"))
        child = w.api.put("configmaps", config("child", root))
        w.api.put("configmaps", config("grandchild", child))
        w.api.put("configmaps", config("other"))
        async with w.running():
            await w.settle(5)
            assert names(w.api) == ["child", "grandchild", "other"]
            await w.client.delete(SECRETS, "root", namespace="default", propagation="Background")
            await w.settle(5)
            assert names(w.api) == ["other"]

    virtual.run(main())


def test_owners_that_never_were_are_absent_and_unknown_kinds_are_not() -> None:
    async def main() -> None:
        w = World(GarbageCollector)
        w.api.put("configmaps", config("stale", secret("never")))
        alien = {"apiVersion": "example.com/v1", "kind": "Widget", "metadata": {"name": "w", "uid": "w-uid"}}
        w.api.put("configmaps", config("alien", alien))
        remade = w.api.put("secrets", secret("remade"))
        former = {**remade, "metadata": {**remade["metadata"], "uid": "gone-uid"}}
        w.api.put("configmaps", config("former", former))
        async with w.running():
            await w.settle(10)
            assert names(w.api) == ["alien"]

    virtual.run(main())


def test_an_owner_in_another_namespace_counts_as_absent_and_is_told() -> None:
    async def main() -> None:
        w = World(GarbageCollector)
        owner = w.api.put("secrets", secret("root"))
        w.api.put("configmaps", config("far", owner, namespace="elsewhere"))
        async with w.running():
            await w.settle(5)
            assert names(w.api) == []
            message = (
                "ownerRef [v1/Secret, namespace: elsewhere, name: root, uid: root-uid] "
                'does not exist in namespace "elsewhere"'
            )
            assert ("OwnerRefInvalidNamespace", message) in w.events()

    virtual.run(main())


def test_a_resource_that_can_not_be_listed_holds_up_all_others_for_a_while_only() -> None:
    async def main() -> None:
        w = World(GarbageCollector)
        send = w.api.send

        async def broken(request: Request) -> Response:
            if request.path.endswith("/services"):
                return Response(500, [], b'{"kind":"Status","code":500,"message":"conversion webhook failed"}')
            return await send(request)

        w.api.send = broken
        w.api.put("configmaps", config("stale", secret("never")))
        async with w.running():
            await w.settle(20)
            assert names(w.api) == ["stale"]
            await w.settle(20)
            assert names(w.api) == []

    virtual.run(main())


def test_orphaning_cuts_the_references() -> None:
    async def main() -> None:
        w = World(GarbageCollector)
        root = w.api.put("secrets", secret("root"))
        w.api.put("configmaps", config("child", root))
        async with w.running():
            await w.settle(5)
            await w.client.delete(SECRETS, "root", namespace="default", propagation="Orphan")
            await w.settle(5)
            assert names(w.api, "secrets") == []
            [child] = w.api.all("configmaps")
            assert "ownerReferences" not in child["metadata"]

    virtual.run(main())


def test_foreground_deletion_takes_dependents_first() -> None:
    async def main() -> None:
        w = World(GarbageCollector)
        root = w.api.put("secrets", secret("root"))
        held = config("held", root, blockOwnerDeletion=True)
        held["metadata"]["finalizers"] = ["example.com/keep"]
        w.api.put("configmaps", held)
        async with w.running():
            await w.settle(5)
            await w.client.delete(SECRETS, "root", namespace="default", propagation="Foreground")
            await w.settle(5)
            assert names(w.api, "secrets") == ["root"], "the dependent is held by its finalizer"
            assert "deletionTimestamp" in w.api.all("configmaps")[0]["metadata"]
            w.api.remove("configmaps", "held")
            await w.settle(5)
            assert names(w.api, "secrets") == []

    virtual.run(main())


def test_a_circle_of_owners_goes_as_a_whole() -> None:
    async def main() -> None:
        w = World(GarbageCollector)
        a, b, c = (w.api.put("secrets", secret(name)) for name in "abc")
        for each, owner in ((a, c), (b, a), (c, b)):
            references = config("x", owner, blockOwnerDeletion=True)["metadata"]["ownerReferences"]
            w.api.edit(
                "secrets", each["metadata"]["name"], lambda s, r=references: s["metadata"].update(ownerReferences=r)
            )
        async with w.running():
            await w.settle(5)
            await w.client.delete(SECRETS, "a", namespace="default", propagation="Foreground")
            await w.settle(5)
            assert names(w.api, "secrets") == []

    virtual.run(main())


def test_one_living_owner_is_enough() -> None:
    async def main() -> None:
        w = World(GarbageCollector)
        first, second = w.api.put("secrets", secret("first")), w.api.put("secrets", secret("second"))
        shared = config("shared", first)
        shared["metadata"]["ownerReferences"] += config("x", second)["metadata"]["ownerReferences"]
        w.api.put("configmaps", shared)
        async with w.running():
            await w.settle(5)
            await w.client.delete(SECRETS, "first", namespace="default", propagation="Background")
            await w.settle(5)
            [left] = w.api.all("configmaps")
            assert [each["name"] for each in left["metadata"]["ownerReferences"]] == ["second"]

    virtual.run(main())


def test_objects_whose_owners_are_there_are_not_asked_for() -> None:
    async def main() -> None:
        w = World(GarbageCollector)
        asked: list[str] = []
        get = w.client.get

        async def counted(target: Target, name: str, **named: Any) -> Any:
            asked.append(name)
            return await get(target, name, **named)

        w.client.get = counted  # type: ignore[method-assign]
        root = w.api.put("secrets", secret("root"))
        async with w.running():
            await w.settle(5)
            for n in range(3):
                w.api.put("configmaps", config(f"child-{n}", root))
            await w.settle(5)
            assert asked == []
            await w.client.delete(SECRETS, "root", namespace="default", propagation="Background")
            await w.settle(5)
            assert names(w.api) == []
            assert {"child-0", "child-1", "child-2"} <= set(asked)

    virtual.run(main())


def test_a_change_of_nothing_but_the_content_touches_no_graph(monkeypatch: pytest.MonkeyPatch) -> None:
    changed: list[str] = []
    put = Graph.put

    def counted(graph: Graph, node: Node) -> set[str]:
        changed.append(node.metadata.name)
        return put(graph, node)

    monkeypatch.setattr(Graph, "put", counted)

    async def main() -> None:
        w = World(GarbageCollector)
        root = w.api.put("secrets", secret("root"))
        w.api.put("configmaps", config("child", root))
        async with w.running():
            await w.settle(5)
            changed.clear()
            w.api.edit("configmaps", "child", lambda each: each.update(data={"a": "b"}))
            await w.settle(5)
            assert changed == []
            w.api.edit("configmaps", "child", lambda each: each["metadata"].update(finalizers=["test/held"]))
            await w.settle(5)
            assert changed == ["child"]

    virtual.run(main())
