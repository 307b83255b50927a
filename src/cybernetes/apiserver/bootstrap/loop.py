"""Makes and keeps the bootstrap objects, as a client of the server it runs in."""

from __future__ import annotations

import asyncio
import base64
import hashlib
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from cybernetes.apiserver.bootstrap import objects, policy, reconcile
from cybernetes.apiserver.bootstrap.dangling import dangling
from cybernetes.base.clock import Clock, parse_rfc3339, rfc3339, rfc3339_micro
from cybernetes.base.errors import ApiError, EdgeError
from cybernetes.base.log import Log
from cybernetes.base.tasks import periodic
from cybernetes.client.api import ApiClient
from cybernetes.client.target import (
    CONFIG_MAPS,
    ENDPOINT_SLICES,
    ENDPOINTS,
    LEASES,
    NAMESPACES,
    PRIORITY_CLASSES,
    SERVICE_CIDRS,
    SERVICES,
    Target,
)
from cybernetes.model import fairness

Object = dict[str, Any]
Change = Callable[[Object, Object], "Object | None"]

# How often the addresses of API servers are compared, and everything else is.
ADDRESSES_EVERY_S = 10.0
OBJECTS_EVERY_S = 60.0
# An API server that did not renew its lease for this long is taken out of the endpoints.
SERVER_GONE_S = 60.0
# Requests at a time while a new cluster's objects are made.
PARALLEL = 8
# Tries to give one object what it lacks.
ATTEMPTS = 4
# So many objects without a namespace are read in one list: the bootstrap ones are most of their kind.
LISTED_MIN = 8

_RBAC = "rbac.authorization.k8s.io"
_FLOW = "flowcontrol.apiserver.k8s.io"
_API_SERVICES = Target("apiregistration.k8s.io", "v1", "apiservices", "APIService", namespaced=False)
_LEVELS = Target(_FLOW, "v1", "prioritylevelconfigurations", "PriorityLevelConfiguration", namespaced=False)
_SCHEMAS = Target(_FLOW, "v1", "flowschemas", "FlowSchema", namespaced=False)
_POLICY = {
    "ClusterRole": Target(_RBAC, "v1", "clusterroles", "ClusterRole", namespaced=False),
    "Role": Target(_RBAC, "v1", "roles", "Role"),
    "ClusterRoleBinding": Target(_RBAC, "v1", "clusterrolebindings", "ClusterRoleBinding", namespaced=False),
    "RoleBinding": Target(_RBAC, "v1", "rolebindings", "RoleBinding"),
}
_IDENTITY = "apiserver.kubernetes.io/identity"
_ADDRESS = "cybernetes.io/advertise-address"
_CIDR_MANAGER = "kubernetes-service-cidr-controller"


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """served: built-in groups and versions.

    service_ranges  one a family; the first address of the first becomes the service `kubernetes`
    address   where this server is reached; the service `kubernetes` has no endpoints where pods can't reach it
    identity  this server's name, unique among those of the cluster
    extra     further roles and bindings, in the form of policy.parse
    """

    service_ranges: Sequence[str]
    served: Sequence[tuple[str, str]]
    address: str = ""
    port: int = 6443
    identity: str = "localhost"
    client_ca: str = ""
    front_proxy_ca: str = ""
    proxy_names: tuple[str, ...] = ()
    extra: Sequence[Object] = ()


class Bootstrap:
    """client  with an identity that may do everything; requests go to this very server"""

    def __init__(self, client: ApiClient, settings: Settings, clock: Clock) -> None:
        self._client = client
        self._settings = settings
        self._clock = clock
        self._log = Log("apiserver.bootstrap")
        self._gate = asyncio.Semaphore(PARALLEL)
        self._changed = asyncio.Event()

    def change(self, settings: Settings) -> None:
        """Keep what other settings ask for, from now on."""
        self._settings = settings
        self._changed.set()

    async def ensure(self) -> None:
        """Make what is missing. Raises ApiError and EdgeError, in groups, of objects that could not be made."""
        await self._each(NAMESPACES, objects.namespaces())
        await asyncio.gather(
            self._ensure_policy(),
            self._ensure_fairness(),
            self._each(PRIORITY_CLASSES, objects.priority_classes()),
            self._each(_API_SERVICES, objects.api_services(self._settings.served)),
            self._ensure_range(),
            self._ensure_config_maps(),
        )
        await self._ensure_addresses()

    async def run(self) -> None:
        """Keep everything, until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._periodic(ADDRESSES_EVERY_S, self._ensure_addresses), name="bootstrap.addresses")
            group.create_task(self._periodic(OBJECTS_EVERY_S, self.ensure), name="bootstrap.objects")
            group.create_task(self._follow_changes(), name="bootstrap.changes")

    async def _periodic(self, every_s: float, work: Callable[[], Any]) -> None:
        await self._clock.sleep(every_s)
        await periodic(self._clock, every_s, lambda: self._guarded(work))

    async def _follow_changes(self) -> None:
        """Other servers wait for what they are told in ConfigMaps."""
        while True:
            await self._changed.wait()
            self._changed.clear()
            await self._guarded(self._ensure_config_maps)

    async def _guarded(self, work: Callable[[], Any]) -> None:
        try:
            await work()
        except* (ApiError, EdgeError) as failed:
            self._log.warning("bootstrap.failed", work=work.__name__, why=str(failed.exceptions[0]))

    async def _ensure_policy(self) -> None:
        wanted = [*policy.load(), *self._settings.extra]
        for kind, target in _POLICY.items():
            change = reconcile.binding if kind.endswith("Binding") else reconcile.role
            await self._each(target, [each for each in wanted if each["kind"] == kind], change)

    async def _ensure_fairness(self) -> None:
        for target, wanted in ((_LEVELS, fairness.levels()), (_SCHEMAS, fairness.schemas())):
            await self._each(target, wanted, reconcile.fairness_object, manager=fairness.PRODUCER)
        levels = {each["metadata"]["name"] for each in (await self._client.list(_LEVELS)).objects()}
        for schema in (await self._client.list(_SCHEMAS)).objects():
            condition = dangling(schema, levels, rfc3339(self._clock.now()))
            if condition is not None:
                await self._apply_condition(_SCHEMAS, schema["metadata"]["name"], condition, fairness.CONSUMER)

    async def _ensure_range(self) -> None:
        cidr = objects.service_cidr(self._settings.service_ranges)
        await self._each(SERVICE_CIDRS, [cidr], reconcile.second_range)
        found = await self._client.get(SERVICE_CIDRS, cidr["metadata"]["name"])
        if not (found.get("status") or {}).get("conditions"):
            ready = objects.service_cidr_ready(rfc3339(self._clock.now()))
            await self._apply_condition(SERVICE_CIDRS, cidr["metadata"]["name"], ready, _CIDR_MANAGER)
        service = objects.kubernetes_service(self._settings.service_ranges[0], self._settings.port)
        await self._each(SERVICES, [service])

    async def _ensure_config_maps(self) -> None:
        settings = self._settings
        await self._each(CONFIG_MAPS, [objects.token_tracking(rfc3339(self._clock.now())[:10])])
        if settings.client_ca:
            wanted = objects.authentication_config(settings.client_ca, settings.front_proxy_ca, settings.proxy_names)
            await self._each(CONFIG_MAPS, [wanted], reconcile.fields)

    async def _ensure_addresses(self) -> None:
        if not objects.is_endpoint(self._settings.address):
            return
        await self._renew_lease()
        addresses = await self._live_addresses()
        port = self._settings.port
        await self._each(ENDPOINTS, [objects.kubernetes_endpoints(addresses, port)], reconcile.fields)
        await self._each(ENDPOINT_SLICES, [objects.kubernetes_slice(addresses, port)], reconcile.fields)

    async def _renew_lease(self) -> None:
        """Tell the other API servers that this one lives, and where."""
        settings, now = self._settings, rfc3339_micro(self._clock.now())
        digest = base64.b32encode(hashlib.sha256(settings.identity.encode()).digest())[:26].decode().lower()
        name = f"apiserver-{digest}"
        labels = {_IDENTITY: "kube-apiserver"}
        metadata = {"name": name, "namespace": "kube-system", "labels": labels}
        metadata["annotations"] = {_ADDRESS: settings.address}
        spec = {"holderIdentity": name, "leaseDurationSeconds": int(SERVER_GONE_S), "renewTime": now}
        wanted = {"apiVersion": LEASES.api_version, "kind": LEASES.kind, "metadata": metadata, "spec": spec}
        await self._each(LEASES, [wanted], reconcile.fields)

    async def _live_addresses(self) -> list[str]:
        now = self._clock.now()
        leases = await self._client.list(LEASES, namespace="kube-system", label_selector=_IDENTITY)
        live = {self._settings.address}
        for lease in leases.objects():
            address = (lease["metadata"].get("annotations") or {}).get(_ADDRESS)
            renewed = (lease.get("spec") or {}).get("renewTime")
            if address and renewed and now - parse_rfc3339(renewed) < SERVER_GONE_S:
                live.add(address)
        return sorted(live)

    async def _each(
        self, target: Target, wanted: Sequence[Object], change: Change | None = None, *, manager: str = ""
    ) -> None:
        """Make each object that is missing; give each that is there what `change` says."""
        listed = await self._listed(target) if len(wanted) >= LISTED_MIN and not target.namespaced else None

        async def one(obj: Object) -> None:
            async with self._gate:
                found = await self._found(target, obj["metadata"]) if listed is None else listed.get(_name(obj))
                await self._settled(target, found, obj, change, manager)

        async with asyncio.TaskGroup() as group:
            for obj in wanted:
                group.create_task(one(obj), name=f"bootstrap.{target.plural}")

    async def _listed(self, target: Target) -> dict[str, Object]:
        return {_name(obj): obj async for page in self._client.pages(target) for obj in page.objects()}

    async def _found(self, target: Target, metadata: Object) -> Object | None:
        try:
            return await self._client.get(target, metadata["name"], namespace=metadata.get("namespace", ""))
        except ApiError as missing:
            if missing.reason != "NotFound":
                raise
            return None

    async def _settled(
        self, target: Target, found: Object | None, wanted: Object, change: Change | None, manager: str
    ) -> None:
        """Looked at again when another API server, which wants the same, was faster."""
        for left in reversed(range(ATTEMPTS)):
            try:
                await self._one(target, found, wanted, change, manager)
                return
            except ApiError as error:
                if error.reason != "Conflict" or not left:
                    raise
            found = await self._found(target, wanted["metadata"])

    async def _one(
        self, target: Target, found: Object | None, wanted: Object, change: Change | None, manager: str
    ) -> None:
        if found is None:
            await self._create(target, wanted, manager)
            return
        if change is reconcile.binding and reconcile.must_replace(found, wanted):
            await self._client.delete(
                target, _name(wanted), namespace=wanted["metadata"].get("namespace", ""), uid=found["metadata"]["uid"]
            )
            await self._create(target, wanted, manager)
            return
        new = change(found, wanted) if change else None
        if new is not None:
            await self._client.update(target, new, field_manager=manager)

    async def _create(self, target: Target, wanted: Object, manager: str) -> None:
        try:
            await self._client.create(
                target, wanted, namespace=wanted["metadata"].get("namespace", ""), field_manager=manager
            )
        except ApiError as error:
            # Another API server starts at the same time.
            if error.reason != "AlreadyExists":
                raise

    async def _apply_condition(self, target: Target, name: str, condition: Object, manager: str) -> None:
        """A condition only informs, so the server starts without it; the next round tries again."""
        obj = {"metadata": {"name": name}, "status": {"conditions": [condition]}}
        try:
            await self._client.apply(target, obj, field_manager=manager, subresource="status")
        except (ApiError, EdgeError) as error:
            self._log.warning("bootstrap.condition_failed", object=f"{target.plural}/{name}", why=str(error))


def _name(obj: Object) -> str:
    name: str = obj["metadata"]["name"]
    return name
