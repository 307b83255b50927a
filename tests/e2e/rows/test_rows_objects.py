"""Kinds whose rows are about their API alone: each goes through every verb, watched; and slices that controllers keep."""

from __future__ import annotations

from typing import Any

import msgspec
import orjson
import pytest
from tests.e2e.rows.lab import Lab, Object, condition, name_of, names_of
from tests.e2e.rows.test_rows_services import address_of, service, until_endpoints, until_reached

from cybernetes.base.errors import ApiError
from cybernetes.client.api import PatchType
from cybernetes.client.target import ENDPOINT_SLICES, ENDPOINTS, PODS, SERVICES, Target

INGRESSES = Target("networking.k8s.io", "v1", "ingresses", "Ingress")
INGRESS_CLASSES = Target("networking.k8s.io", "v1", "ingressclasses", "IngressClass", namespaced=False)
NETWORK_POLICIES = Target("networking.k8s.io", "v1", "networkpolicies", "NetworkPolicy")
SERVICE_CIDRS = Target("networking.k8s.io", "v1", "servicecidrs", "ServiceCIDR", namespaced=False)
IP_ADDRESSES = Target("networking.k8s.io", "v1", "ipaddresses", "IPAddress", namespaced=False)
PRIORITY_CLASSES = Target("scheduling.k8s.io", "v1", "priorityclasses", "PriorityClass", namespaced=False)
LIMIT_RANGES = Target("", "v1", "limitranges", "LimitRange")


class Kind(msgspec.Struct, frozen=True):
    """bodies: three objects without metadata. subresource: whether it has a status to write, and what to write."""

    target: Target
    bodies: tuple[Object, Object, Object]
    status: Object | None = None


def _ingress(host: str) -> Object:
    backend = {"service": {"name": "default-backend", "port": {"number": 80}}}
    path = {"path": "/", "pathType": "Prefix", "backend": backend}
    return {"spec": {"defaultBackend": backend, "rules": [{"host": host, "http": {"paths": [path]}}]}}


_CONTROLLER = {"spec": {"controller": "example.com/controller"}}
_POLICY = {"spec": {"podSelector": {"matchLabels": {"pod-name": "a"}}, "policyTypes": ["Ingress"], "ingress": [{}]}}
_SLICE = {"addressType": "IPv4", "endpoints": [{"addresses": ["1.2.3.4"], "conditions": {"ready": True}}], "ports": []}
_LOAD_BALANCER = {"loadBalancer": {"ingress": [{"ip": "169.1.1.1"}]}}
KINDS = [
    Kind(INGRESSES, (_ingress("foo.com"), _ingress("bar.com"), _ingress("baz.com")), _LOAD_BALANCER),
    Kind(INGRESS_CLASSES, (_CONTROLLER,) * 3),
    Kind(NETWORK_POLICIES, (_POLICY,) * 3),
    Kind(ENDPOINT_SLICES, (_SLICE,) * 3),
    Kind(LIMIT_RANGES, ({"spec": {"limits": [{"type": "Pod", "max": {"memory": "1Gi"}}]}},) * 3),
    Kind(PRIORITY_CLASSES, ({"value": 500}, {"value": 501}, {"value": 502})),
]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.target.plural)
async def test_a_kind_goes_through_every_verb(lab: Lab, kind: Kind) -> None:
    target, selector = kind.target, f"special-label={lab.namespace}"
    await _is_discovered(lab, target)
    names = [lab.unique(each) for each in ("one", "two", "three")]
    for name, body in zip(names, kind.bodies, strict=True):
        metadata = {"name": name, "labels": {"special-label": lab.namespace}}
        made = await lab.make(target, {"metadata": metadata, **body})
        assert made["metadata"]["uid"]
    one, two, three = names
    assert (await lab.get(target, one))["metadata"]["name"] == one
    assert names_of(await lab.list(target, selector, everywhere=True)) == sorted(names)
    async with lab.watching(target, selector) as events:
        patched = await lab.patch(target, one, {"metadata": {"annotations": {"patched": "true"}}})
        assert patched["metadata"]["annotations"]["patched"] == "true"
        await events.until("MODIFIED", lambda o: o["metadata"]["annotations"].get("patched") == "true")
        await lab.edit(target, one, lambda o: o["metadata"]["annotations"].update(updated="true"))
        await events.until("MODIFIED", lambda o: o["metadata"]["annotations"].get("updated") == "true")
        if kind.status is not None:
            await _status(lab, kind, one)
        await lab.delete(target, one)
        await events.until("DELETED", lambda o: name_of(o) == one)
    with pytest.raises(ApiError) as gone:
        await lab.get(target, one)
    assert gone.value.code == 404
    assert names_of(await lab.list(target, selector)) == sorted([two, three])
    await lab.delete_all(target, selector)
    assert await lab.list(target, selector) == []


async def _is_discovered(lab: Lab, target: Target) -> None:
    if target.group:
        groups = orjson.loads(await lab.raw("/apis"))["groups"]
        (group,) = [each for each in groups if each["name"] == target.group]
        assert target.api_version in [each["groupVersion"] for each in group["versions"]]
        versions = orjson.loads(await lab.raw(f"/apis/{target.group}"))["versions"]
        assert target.api_version in [each["groupVersion"] for each in versions]
    root = f"/apis/{target.api_version}" if target.group else "/api/v1"
    assert target.plural in [each["name"] for each in orjson.loads(await lab.raw(root))["resources"]]


async def _status(lab: Lab, kind: Kind, name: str) -> None:
    patch = {"metadata": {"annotations": {"patchedstatus": "true"}}, "status": kind.status}
    patched = await lab.patch(kind.target, name, patch, PatchType.MERGE, "status")
    assert patched["status"] == kind.status and patched["metadata"]["annotations"]["patchedstatus"] == "true"
    updated = await lab.edit(kind.target, name, lambda o: o["status"].update(kind.status or {}), "status")
    assert updated["status"] == kind.status
    assert (await lab.get(kind.target, name, "status"))["status"] == kind.status


async def test_a_service_cidr_is_made_changed_and_deleted(lab: Lab) -> None:
    default = await lab.get(SERVICE_CIDRS, "kubernetes")
    assert condition(default, "Ready")["status"] == "True"
    name = lab.unique("cidr")
    made = await lab.make(
        SERVICE_CIDRS, {"metadata": {"name": name, "labels": {"e2e": name}}, "spec": {"cidrs": ["10.200.20.0/24"]}}
    )
    assert made["spec"]["cidrs"] == ["10.200.20.0/24"]
    await lab.until_object(SERVICE_CIDRS, name, lambda c: condition(c, "Ready").get("status") == "True", "it is ready")
    patched = await lab.patch(SERVICE_CIDRS, name, {"metadata": {"labels": {"patched": "true"}}}, PatchType.STRATEGIC)
    assert patched["metadata"]["labels"]["patched"] == "true"
    await lab.edit(SERVICE_CIDRS, name, lambda c: c["metadata"].setdefault("annotations", {}).update(updated="true"))
    reason = {
        "type": "Test",
        "status": "True",
        "reason": "E2E",
        "message": "m",
        "lastTransitionTime": "2026-01-01T00:00:00Z",
    }
    await lab.edit(SERVICE_CIDRS, name, lambda c: c["status"]["conditions"].append(reason), "status")
    assert condition(await lab.get(SERVICE_CIDRS, name, "status"), "Test")["reason"] == "E2E"
    assert names_of(await lab.list(SERVICE_CIDRS, f"e2e={name}")) == [name]
    made = await lab.make(SERVICES, service("in-it", clusterIP="10.200.20.7"))
    assert made["spec"]["clusterIP"] == "10.200.20.7"
    await lab.delete(SERVICES, "in-it")
    await lab.delete(SERVICE_CIDRS, name)
    await lab.until_gone(SERVICE_CIDRS, name)


async def test_an_ip_address_is_made_changed_and_deleted(lab: Lab) -> None:
    parent = {"group": "", "resource": "services", "namespace": lab.namespace, "name": "user"}
    name = "10.251.7.9"
    labels = {"ipaddress.kubernetes.io/managed-by": "e2e", "e2e": lab.namespace}
    await lab.make(IP_ADDRESSES, {"metadata": {"name": name, "labels": labels}, "spec": {"parentRef": parent}})
    patched = await lab.patch(IP_ADDRESSES, name, {"metadata": {"annotations": {"patched": "true"}}})
    assert patched["metadata"]["annotations"]["patched"] == "true"
    await lab.edit(IP_ADDRESSES, name, lambda a: a["metadata"]["annotations"].update(updated="true"))
    assert names_of(await lab.list(IP_ADDRESSES, f"e2e={lab.namespace}")) == [name]
    await lab.delete_all(IP_ADDRESSES, f"e2e={lab.namespace}")
    assert await lab.list(IP_ADDRESSES, f"e2e={lab.namespace}") == []
    made = await lab.make(SERVICES, service("owner"))
    owned = await lab.get(IP_ADDRESSES, made["spec"]["clusterIP"])
    assert owned["spec"]["parentRef"]["name"] == "owner"


async def test_life_of_an_endpoints_object(lab: Lab) -> None:
    def subset(address: str, port: int) -> Object:
        return {"addresses": [{"ip": address}], "ports": [{"name": "http", "port": port, "protocol": "TCP"}]}

    async with lab.watching(ENDPOINTS, "e2e=life") as events:
        await lab.make(
            ENDPOINTS, {"metadata": {"name": "life", "labels": {"e2e": "life"}}, "subsets": [subset("10.0.0.24", 80)]}
        )
        await events.until("ADDED")
        assert "life" in names_of(await lab.list(ENDPOINTS, "e2e=life", everywhere=True))
        await lab.edit(ENDPOINTS, "life", lambda e: e["metadata"]["labels"].update(step="updated"))
        await events.until("MODIFIED", lambda e: e["metadata"]["labels"].get("step") == "updated")
        patch = {"metadata": {"labels": {"step": "patched"}}, "subsets": [subset("10.0.0.25", 8080)]}
        await lab.patch(ENDPOINTS, "life", patch, PatchType.STRATEGIC)
        found = await events.until("MODIFIED", lambda e: e["metadata"]["labels"].get("step") == "patched")
        assert found["subsets"] == [subset("10.0.0.25", 8080)]
        await lab.delete_all(ENDPOINTS, "e2e=life")
        await events.until("DELETED")


async def _slices(lab: Lab, name: str) -> list[Object]:
    return await lab.list(ENDPOINT_SLICES, f"kubernetes.io/service-name={name}")


async def test_a_service_without_pods_has_empty_endpoints_until_it_goes(lab: Lab) -> None:
    await lab.make(SERVICES, service("empty"))

    async def there() -> bool:
        found = await _slices(lab, "empty")
        return await lab.exists(ENDPOINTS, "empty") and len(found) == 1 and not found[0]["endpoints"]

    await lab.until(there, "one empty slice and Endpoints")
    (only,) = await _slices(lab, "empty")
    assert only["metadata"]["labels"]["endpointslice.kubernetes.io/managed-by"] == "endpointslice-controller.k8s.io"
    await lab.delete(SERVICES, "empty")

    async def gone() -> bool:
        return not await lab.exists(ENDPOINTS, "empty") and not await _slices(lab, "empty")

    await lab.until(gone, "both are gone", 90)


async def test_slices_have_a_port_list_for_each_kind_of_pod(lab: Lab) -> None:
    for name, port in (("pod1", 3000), ("pod2", 3001)):
        declared = ({"containerPort": port, "name": "example-name"},)
        await lab.make(PODS, _pod_with(name, declared))
    await lab.make(
        SERVICES,
        service("named", {"name": "example", "port": 80, "targetPort": "example-name"}, selector={"foo": "bar"}),
    )
    await until_endpoints(lab, "named", {"pod1": [3000], "pod2": [3001]})
    assert len(await _slices(lab, "named")) == 2
    await lab.make(
        SERVICES, service("numbered", {"name": "example", "port": 80, "targetPort": 3000}, selector={"foo": "bar"})
    )
    await until_endpoints(lab, "numbered", {"pod1": [3000], "pod2": [3000]})
    assert len(await _slices(lab, "numbered")) == 1
    for name in ("named", "numbered"):
        for each in await _slices(lab, name):
            owner = each["metadata"]["ownerReferences"][0]
            assert (owner["kind"], owner["name"], owner["controller"]) == ("Service", name, True)


def _pod_with(name: str, ports: tuple[Object, ...]) -> Object:
    from tests.e2e.rows.lab import SLEEP, pod

    return pod(name, labels={"foo": "bar"}, command=SLEEP, ports=ports)


async def _own_slice(lab: Lab, name: str, addresses: list[str], *ports: tuple[str, int]) -> None:
    labels = {"kubernetes.io/service-name": "manual", "endpointslice.kubernetes.io/managed-by": "e2e"}
    endpoints = [{"addresses": [each], "conditions": {"ready": True}} for each in addresses]
    listed = [{"name": port_name, "port": port, "protocol": "TCP"} for port_name, port in ports]
    await lab.make(
        ENDPOINT_SLICES,
        {"metadata": {"name": name, "labels": labels}, "addressType": "IPv4", "endpoints": endpoints, "ports": listed},
    )


async def _two_servers(lab: Lab, *ports: Any) -> tuple[str, str]:
    await lab.run_pod("client")
    from tests.e2e.rows.lab import serving

    command = serving("http=80", "http=8090", "http=9090")
    first, second = [await lab.run_pod(name, command=command) for name in ("first", "second")]
    selectorless = service("manual", *ports)
    del selectorless["spec"]["selector"]
    await lab.make(SERVICES, selectorless)
    return first["status"]["podIP"], second["status"]["podIP"]


async def test_ports_in_several_slices_lead_to_one_address_each(lab: Lab) -> None:
    first, _ = await _two_servers(lab, {"name": "a", "port": 8090}, {"name": "b", "port": 9090})
    await _own_slice(lab, "slice-a", [first], ("a", 8090))
    await _own_slice(lab, "slice-b", [first], ("b", 9090))
    host = await address_of(lab, "manual")
    for port in (8090, 9090):
        await until_reached(lab, "client", host, port, [str(port)], request="port")


async def test_addresses_in_several_slices_are_all_reached(lab: Lab) -> None:
    first, second = await _two_servers(lab, {"name": "a", "port": 8090}, {"name": "b", "port": 9090})
    await _own_slice(lab, "slice-a", [first], ("a", 8090), ("b", 9090))
    await _own_slice(lab, "slice-b", [second], ("a", 8090), ("b", 9090))
    host = await address_of(lab, "manual")
    for port in (8090, 9090):
        await until_reached(lab, "client", host, port, ["first", "second"])


async def test_endpoints_of_ones_own_are_mirrored(lab: Lab) -> None:
    made = service("example", {"name": "example", "port": 80, "protocol": "TCP"})
    del made["spec"]["selector"]
    await lab.make(SERVICES, made)

    def subsets(address: str) -> list[Object]:
        return [{"addresses": [{"ip": address}], "ports": [{"name": "http", "port": 80, "protocol": "TCP"}]}]

    async def mirrored(*addresses: str) -> bool:
        found = await _slices(lab, "example")
        managed = {each["metadata"]["labels"]["endpointslice.kubernetes.io/managed-by"] for each in found}
        told = [address for each in found for endpoint in each["endpoints"] or [] for address in endpoint["addresses"]]
        return told == list(addresses) and managed <= {"endpointslicemirroring-controller.k8s.io"}

    await lab.make(ENDPOINTS, {"metadata": {"name": "example"}, "subsets": subsets("10.1.2.3")})
    await lab.until(lambda: mirrored("10.1.2.3"), "it is mirrored")
    await lab.edit(ENDPOINTS, "example", lambda e: e.update(subsets=subsets("10.2.3.4")))
    await lab.until(lambda: mirrored("10.2.3.4"), "the change is mirrored")
    await lab.delete(ENDPOINTS, "example")
    await lab.until(lambda: mirrored(), "the slice is gone")
