"""Every namespace has its default service account and the root certificate authority."""

from __future__ import annotations

import functools
from typing import Any

import virtual
from world import World

from cybernetes.controllers.serviceaccount.defaults import ServiceAccountController
from cybernetes.controllers.serviceaccount.root_ca import RootCaPublisher


def namespace(name: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}


def test_namespaces_are_furnished_and_stay_so() -> None:
    async def main() -> None:
        w = World(ServiceAccountController, functools.partial(RootCaPublisher, authority="PEM"))
        w.api.put("namespaces", namespace("shop"))
        async with w.running():
            await w.settle()
            w.api.put("namespaces", namespace("late"))
            await w.settle()
            assert [each["metadata"]["namespace"] for each in w.api.all("serviceaccounts")] == ["late", "shop"]
            published = w.api.all("configmaps")
            assert [each["data"] for each in published] == [{"ca.crt": "PEM"}] * 2
            assert published[0]["metadata"]["name"] == "kube-root-ca.crt"
            w.api.remove("serviceaccounts", "default", "shop")
            w.api.edit("configmaps", "kube-root-ca.crt", lambda c: c.update(data={"ca.crt": "evil"}), "shop")
            w.api.remove("configmaps", "kube-root-ca.crt", "late")
            await w.settle()
            assert len(w.api.all("serviceaccounts")) == 2
            assert [each["data"] for each in w.api.all("configmaps")] == [{"ca.crt": "PEM"}] * 2

    virtual.run(main())


def test_a_namespace_that_is_going_gets_nothing() -> None:
    async def main() -> None:
        w = World(ServiceAccountController)
        w.api.put("namespaces", {**namespace("shop"), "status": {"phase": "Terminating"}})
        async with w.running():
            await w.settle()
            assert w.api.all("serviceaccounts") == []

    virtual.run(main())
