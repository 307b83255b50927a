"""Deleting a namespace empties it, pods first, and says what holds it up."""

from __future__ import annotations

from typing import Any

import virtual
from world import World, pod

from cybernetes.base.errors import ApiError
from cybernetes.client.target import NAMESPACES
from cybernetes.controllers.namespace.loop import NamespaceController
from cybernetes.controllers.namespace.plan import Remains, conditions
from cybernetes.wire.http.message import Request


def config(name: str, **metadata: Any) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": "default", **metadata}}


def told(w: World) -> dict[str, tuple[str, str, str]]:
    [live] = w.api.all("namespaces")
    return {each["type"]: (each["status"], each["reason"], each["message"]) for each in live["status"]["conditions"]}


def test_everything_goes_and_then_the_namespace() -> None:
    async def main() -> None:
        w = World(NamespaceController)
        w.api.put("namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "default"}})
        w.api.put("configmaps", config("a"))
        w.api.put("pods", pod("p", app="web"))
        order: list[str] = []
        w.api.fault = lambda request: order.append(request.path) if request.method == "DELETE" else None
        async with w.running():
            await w.settle()
            await w.client.delete(NAMESPACES, "default")
            await w.settle()
            assert w.api.all("namespaces") == [] and w.api.all("pods") == [] and w.api.all("configmaps") == []
        paths = [path for path in order if path.endswith(("/pods", "/configmaps"))]
        assert paths[0].endswith("/pods") and paths[-1].endswith("/configmaps")

    virtual.run(main())


def test_a_finalizer_holds_it_and_is_named() -> None:
    async def main() -> None:
        w = World(NamespaceController)
        w.api.put("namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "default"}})
        w.api.put("configmaps", config("a", finalizers=["example.com/keep"]))
        async with w.running():
            await w.client.delete(NAMESPACES, "default")
            await w.settle()
            assert told(w) == {
                "NamespaceDeletionDiscoveryFailure": (
                    "False",
                    "ResourcesDiscovered",
                    "All resources successfully discovered",
                ),
                "NamespaceDeletionGroupVersionParsingFailure": (
                    "False",
                    "ParsedGroupVersions",
                    "All legacy kube types successfully parsed",
                ),
                "NamespaceDeletionContentFailure": (
                    "False",
                    "ContentDeleted",
                    "All content successfully deleted, may be waiting on finalization",
                ),
                "NamespaceContentRemaining": (
                    "True",
                    "SomeResourcesRemain",
                    "Some resources are remaining: configmaps. has 1 resource instances",
                ),
                "NamespaceFinalizersRemaining": (
                    "True",
                    "SomeFinalizersRemain",
                    "Some content in the namespace has finalizers remaining: example.com/keep in 1 resource instances",
                ),
            }
            w.api.remove("configmaps", "a")
            await w.settle(20)
            assert w.api.all("namespaces") == []

    virtual.run(main())


def test_what_cannot_be_deleted_is_told_and_tried_again() -> None:
    async def main() -> None:
        w = World(NamespaceController)
        w.api.put("namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "default"}})
        w.api.put("configmaps", config("a"))

        def refuse(request: Request) -> None:
            if request.method == "DELETE" and request.path.endswith("/configmaps"):
                raise ApiError(500, "InternalError", "Internal error occurred: no")

        w.api.fault = refuse
        async with w.running():
            await w.client.delete(NAMESPACES, "default")
            await w.settle()
            assert told(w)["NamespaceDeletionContentFailure"][:2] == ("True", "ContentDeletionFailed")
            w.api.fault = lambda request: None
            await w.settle(20)
            assert w.api.all("namespaces") == []

    virtual.run(main())


def test_conditions_keep_their_time_while_they_say_the_same() -> None:
    import msgspec

    from cybernetes.controllers.objects import Namespace

    first = conditions((), Remains(), 0)
    namespace = msgspec.convert({"metadata": {"name": "a"}, "status": {"conditions": first}}, Namespace)
    assert conditions(namespace.status.conditions, Remains(), 100) == first


def test_groups_that_could_not_be_read_are_told_in_the_words_of_clients() -> None:
    failed, *_ = conditions((), Remains(discovery=("example.com/v1: stale GroupVersion discovery: example.com/v1",)), 0)
    assert (failed["status"], failed["reason"]) == ("True", "DiscoveryFailed")
    assert failed["message"] == (
        "Discovery failed for some groups, 1 failing: unable to retrieve the complete list of server APIs: "
        "example.com/v1: stale GroupVersion discovery: example.com/v1"
    )
