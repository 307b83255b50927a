"""The controller that checks types in policies, against the real API server."""

from __future__ import annotations

import asyncio
from typing import Any

from calls import Client, Object, run

from apiserver_fixture import RunningApi
from cybernetes.base.clock import SystemClock
from cybernetes.base.random import SystemRandom
from cybernetes.client.api import ApiClient
from cybernetes.client.events import EventRecorder
from cybernetes.controllers.informers import Informers
from cybernetes.controllers.loop import Edges
from cybernetes.controllers.policystatus.loop import PolicyStatusController

POLICIES = "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies"
DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"


def definition(group: str) -> Object:
    spec = {
        "type": "object",
        "properties": {"size": {"type": "integer"}, "at": {"type": "string", "format": "date-time"}},
    }
    schema = {"openAPIV3Schema": {"type": "object", "properties": {"spec": spec}}}
    names = {"plural": "gadgets", "singular": "gadget", "kind": "Gadget", "listKind": "GadgetList"}
    version = {"name": "v1", "served": True, "storage": True, "schema": schema}
    return {
        "metadata": {"name": f"gadgets.{group}"},
        "spec": {"group": group, "scope": "Namespaced", "names": names, "versions": [version]},
    }


def policy(name: str, group: str, *expressions: str) -> Object:
    rule = {"operations": ["*"], "apiGroups": [group], "apiVersions": ["v1"], "resources": ["gadgets"]}
    validations = [{"expression": each} for each in expressions]
    return {
        "metadata": {"name": name},
        "spec": {"matchConstraints": {"resourceRules": [rule]}, "validations": validations},
    }


def test_types_of_custom_resources_are_read_from_the_server(api: RunningApi, space: str) -> None:
    group = f"{space}.example.com"

    async def test(client: Client) -> None:
        await client.ok("POST", DEFINITIONS, definition(group))
        for _ in range(3000):
            if (await client.send("GET", f"/apis/{group}/v1/gadgets")).status == 200:
                break
            await asyncio.sleep(0.02)
        expressions = (
            "object.spec.size > 1 && object.metadata.labels['a'] == 'b' && object.kind == 'Gadget'",
            "object.spec.at > timestamp('2026-01-01T00:00:00Z')",
            "object.spec.nothing == 1",
        )
        await client.ok("POST", POLICIES, policy(f"p-{space}", group, *expressions))
        status = await checked(api, client, f"{POLICIES}/p-{space}")
        assert status["observedGeneration"] == 1
        assert status["typeChecking"]["expressionWarnings"] == [
            {
                "fieldRef": "spec.validations[2].expression",
                "warning": f"{group}/v1, Kind=Gadget: ERROR: <input>:1:12: undefined field 'nothing'\n"
                " | object.spec.nothing == 1\n | ...........^\n",
            }
        ]

    run(api, test)


async def checked(api: RunningApi, client: Client, path: str) -> Any:
    """The status that the controller gives a policy."""
    clock, random = SystemClock(), SystemRandom()
    transport = api.transport()
    caller = ApiClient(transport, user_agent="contract/1", clock=clock)
    informers = Informers(caller, clock, random)
    recorder = EventRecorder(caller, component="contract", clock=clock)
    controller = PolicyStatusController(Edges(caller, recorder, informers, clock, random))
    tasks = [asyncio.create_task(each.run(), name="contract") for each in (informers, controller)]
    try:
        for _ in range(3000):
            status = (await client.ok("GET", path)).get("status") or {}
            if "typeChecking" in status:
                return status
            await asyncio.sleep(0.02)
        raise AssertionError("the policy was not checked in a minute")
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await transport.close()
