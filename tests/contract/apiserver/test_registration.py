"""Versions of custom resources have APIServices, as built-in ones have."""

from __future__ import annotations

import asyncio
from pathlib import Path

from calls import Client, Object

from apiserver_fixture import serving_apiserver

SERVICES = "/apis/apiregistration.k8s.io/v1/apiservices"
DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"


def version(name: str, *, served: bool = True, storage: bool = False) -> Object:
    return {"name": name, "served": served, "storage": storage, "schema": {"openAPIV3Schema": {"type": "object"}}}


async def until(client: Client, wanted: set[str]) -> list[Object]:
    """The APIServices of the group once they are these."""
    async with asyncio.timeout(60):
        while True:
            listed = (await client.ok("GET", SERVICES))["items"]
            found = [each for each in listed if each["spec"].get("group") == "reg.test"]
            if {each["metadata"]["name"] for each in found} == wanted:
                return found


def test_each_served_version_of_a_definition_is_registered(tmp_path: Path) -> None:
    async def main() -> None:
        async with serving_apiserver(tmp_path) as api:
            transport = api.transport()
            client = Client(transport)
            try:
                own = {"group": "reg.test", "version": "v3", "groupPriorityMinimum": 7, "versionPriority": 7}
                service = {**own, "service": {"namespace": "x", "name": "y"}, "insecureSkipTLSVerify": True}
                await client.ok("POST", SERVICES, {"metadata": {"name": "v3.reg.test"}, "spec": service})
                names = {"plural": "things", "kind": "Thing"}
                versions = [version("v1", storage=True), version("v2"), version("v3"), version("v4", served=False)]
                spec = {"group": "reg.test", "scope": "Cluster", "names": names, "versions": versions}
                await client.ok("POST", DEFINITIONS, {"metadata": {"name": "things.reg.test"}, "spec": spec})
                found = await until(client, {"v1.reg.test", "v2.reg.test", "v3.reg.test"})
                first = next(each for each in found if each["spec"]["version"] == "v1")
                assert first["metadata"]["labels"] == {"kube-aggregator.kubernetes.io/automanaged": "true"}
                assert (first["spec"]["groupPriorityMinimum"], first["spec"]["versionPriority"]) == (1000, 100)
                assert first["status"]["conditions"][0]["reason"] == "Local"
                # Of other servers' versions nothing is taken over.
                assert "service" in next(each for each in found if each["spec"]["version"] == "v3")["spec"]
                await client.ok("DELETE", f"{SERVICES}/v1.reg.test")
                await until(client, {"v1.reg.test", "v2.reg.test", "v3.reg.test"})
                crd = await client.ok("GET", f"{DEFINITIONS}/things.reg.test")
                crd["spec"]["versions"] = crd["spec"]["versions"][:1]
                await client.ok("PUT", f"{DEFINITIONS}/things.reg.test", crd)
                await until(client, {"v1.reg.test", "v3.reg.test"})
                await client.ok("DELETE", f"{DEFINITIONS}/things.reg.test")
                await until(client, {"v3.reg.test"})
            finally:
                await transport.close()

    asyncio.run(main())
