"""What is used of a quota."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
import virtual
from world import World, pod

from cybernetes.base.errors import ApiError
from cybernetes.client import api
from cybernetes.controllers.resourcequota import plan
from cybernetes.controllers.resourcequota.loop import UNSERVED_RETRY_S, ResourceQuotaController
from cybernetes.wire.http.message import Request

Object = dict[str, Any]


def quota(**hard: str) -> Object:
    return {
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": {"name": "q", "namespace": "default"},
        "spec": {"hard": {name.replace("__", "/"): value for name, value in hard.items()}},
    }


def sized(name: str, cpu: str) -> Object:
    found = pod(name)
    found["spec"]["containers"] = [{"name": "app", "resources": {"requests": {"cpu": cpu}}}]
    return found


def test_the_names_of_a_quota_say_what_is_counted() -> None:
    names = ["requests.cpu", "services.nodeports", "count/deployments.apps", "secrets"]
    assert plan.resources(names) == [("", "pods"), ("", "services"), ("", "secrets"), ("apps", "deployments")]


def test_usage_follows_what_comes_and_goes() -> None:
    async def main() -> None:
        w = World(ResourceQuotaController)
        limits = {"pods": "5", "requests.cpu": "2", "configmaps": "3", "count__deployments.apps": "1"}
        w.api.put("resourcequotas", quota(**limits))
        w.api.put("pods", sized("a", "500m"))
        w.api.put("pods", sized("b", "1"))
        config = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c", "namespace": "default"}}
        w.api.put("configmaps", config)

        def used() -> Object:
            found: Object = w.api.all("resourcequotas")[0]["status"]["used"]
            return found

        async with w.running():
            await w.settle()
            assert used() == {"pods": "2", "requests.cpu": "1500m", "configmaps": "1", "count/deployments.apps": "0"}
            w.api.edit("pods", "b", lambda p: p["status"].update(phase="Succeeded"))
            w.api.remove("configmaps", "c")
            await w.settle()
            assert used() == {"pods": "1", "requests.cpu": "500m", "configmaps": "0", "count/deployments.apps": "0"}
            w.api.edit("resourcequotas", "q", lambda q: q["spec"].update(hard={"pods": "9"}))
            await w.settle()
            assert w.api.all("resourcequotas")[0]["status"] == {"hard": {"pods": "9"}, "used": {"pods": "1"}}

    virtual.run(main())


def test_what_nobody_serves_keeps_nothing_else_from_being_counted() -> None:
    async def main() -> None:
        w = World(ResourceQuotaController)
        w.api.put(
            "resourcequotas", quota(pods="5", **{"count__gadgets.example.com": "1", "count__deployments.apps": "2"})
        )
        w.api.put("pods", sized("a", "500m"))

        def used() -> Object:
            found: Object = w.api.all("resourcequotas")[0]["status"]["used"]
            return found

        async with w.running():
            await w.settle()
            assert used() == {"pods": "1", "count/deployments.apps": "0"}
            w.api.fault = unserved
            w.api.edit("resourcequotas", "q", lambda q: q["spec"]["hard"].update(pods="6"))
            await w.settle()
            assert used() == {"pods": "1"}
            w.api.fault = lambda request: None
            await w.settle(UNSERVED_RETRY_S)
            assert used() == {"pods": "1", "count/deployments.apps": "0"}

    def unserved(request: Request) -> None:
        if request.path.endswith("/deployments"):
            raise ApiError(404, "NotFound", "the server could not find the requested resource")

    virtual.run(main())


def test_a_charge_for_what_is_not_stored_yet_is_kept() -> None:
    async def main() -> None:
        w = World(ResourceQuotaController)
        w.api.put("resourcequotas", quota(pods="5"))
        async with w.running():
            await w.settle()
            w.api.edit("resourcequotas", "q", lambda q: q["status"]["used"].update(pods="1"))
            await w.settle()
            assert w.api.all("resourcequotas")[0]["status"]["used"] == {"pods": "1"}

    virtual.run(main())


def test_pages_add_up_and_a_count_that_takes_long_is_made_less_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api, "PAGE_SIZE", 2)

    async def main() -> None:
        w = World(ResourceQuotaController)
        w.kubelet_on = False
        w.api.put("resourcequotas", quota(pods="50", **{"requests.cpu": "50"}))
        for n in range(5):
            w.api.put("pods", sized(f"p{n}", "300m"))
        counts: list[float] = []

        async def slow(*arguments: Any, **named: Any) -> Any:
            counts.append(w.clock.monotonic())
            await asyncio.sleep(1)
            return await listed(*arguments, **named)

        listed, w.client.list = w.client.list, slow  # type: ignore[method-assign]
        async with w.running():
            await w.settle(10)
            assert w.api.all("resourcequotas")[0]["status"]["used"]["pods"] == "5"
            counts.clear()
            w.api.remove("pods", "p0")
            await w.settle(20)
            assert counts == [], "the last count took three seconds"
            await w.settle(20)
            assert w.api.all("resourcequotas")[0]["status"]["used"]["pods"] == "4"

    virtual.run(main())
