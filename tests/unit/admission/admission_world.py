"""An admission chain over a FakeLister, and short ways to send writes through it."""

from __future__ import annotations

import asyncio
import copy
import json
from typing import Any

import pytest
from fake_lister import ALICE, FakeClock, FakeLister, obj, plural_of

from cybernetes.apiserver.admission.attributes import AdmissionAttributes
from cybernetes.apiserver.admission.builtin import Surroundings, build
from cybernetes.apiserver.admission.policy.nodes import Nodes
from cybernetes.apiserver.admission.resource_quota import Changed
from cybernetes.apiserver.admission.webhooks.equivalent import Equivalents
from cybernetes.apiserver.registry import Registry
from cybernetes.auth.authz import Chain, PrivilegedGroup
from cybernetes.auth.node import NodeAuthorizer, NodeGraph
from cybernetes.auth.rbac import Rbac
from cybernetes.auth.user import User
from cybernetes.base.errors import ApiError
from cybernetes.base.random import SeededRandom

Object = dict[str, Any]


class FakeLedger:
    """Quotas in the lister; `meanwhile` is called before a write, as another server would write."""

    def __init__(self, lister: FakeLister) -> None:
        self._lister = lister
        self.writes = 0
        self.meanwhile: Any = None

    async def current(self, namespace: str) -> list[Object]:
        await asyncio.sleep(0)
        return self._lister.list("", "resourcequotas", namespace)

    async def write(self, charged: list[Object]) -> None:
        await asyncio.sleep(0)
        if self.meanwhile is not None:
            self.meanwhile()
            self.meanwhile = None
        for each in charged:
            metadata = each["metadata"]
            now = self._lister.get("", "resourcequotas", metadata["namespace"], metadata["name"])
            if now is None or now["metadata"]["resourceVersion"] != metadata["resourceVersion"]:
                raise Changed
        for each in charged:
            bumped = copy.deepcopy(each)
            bumped["metadata"]["resourceVersion"] = str(int(each["metadata"]["resourceVersion"]) + 1)
            self._lister.put(bumped)
        self.writes += 1


class World:
    def __init__(self, *objects: Object) -> None:
        namespace = obj("Namespace", "shop", status={"phase": "Active"})
        account = obj("ServiceAccount", "default", "shop")
        self.lister = FakeLister(namespace, account, *objects)
        self.clock = FakeClock()
        self.ledger = FakeLedger(self.lister)
        self.hooks: dict[str, Any] = {}
        self.reviews: list[Object] = []
        self.warnings: list[str] = []
        self.annotations: dict[str, str] = {}
        rbac = Rbac(self.lister)
        authorizer = Chain((PrivilegedGroup(), NodeAuthorizer(NodeGraph(self.lister), ()), rbac))
        self.admission = build(
            Surroundings(
                self.lister,
                authorizer,
                rbac,
                self.ledger,
                self,
                self._normalize,
                self._resource_of,
                self._catch_up,
                self.clock,
                SeededRandom(5),
                Equivalents(Registry(())),
                Nodes(Registry(())),
            )
        )

    async def _catch_up(self) -> None:
        return None

    def _normalize(self, attributes: AdmissionAttributes, document: Object) -> Object:
        return document

    def _resource_of(self, api_version: str, kind: str) -> tuple[str, str, bool] | None:
        group, _, version = api_version.rpartition("/")
        return (group, plural_of(kind), True) if version == "v1" else None

    async def ask(self, client_config: Object, body: bytes, timeout_s: int) -> bytes:
        """The caller of webhooks: `hooks` has a function for each URL."""
        self.reviews.append(json.loads(body))
        answer = self.hooks[client_config["url"]](self.reviews[-1]["request"])
        return json.dumps(answer).encode()

    def attributes(
        self,
        new: Object | None,
        old: Object | None = None,
        *,
        operation: str = "",
        subresource: str = "",
        user: User = ALICE,
        plural: str = "",
        dry_run: bool = False,
        name: str = "",
    ) -> AdmissionAttributes:
        shape = new or old
        assert shape is not None
        group, _, version = shape["apiVersion"].rpartition("/")
        return AdmissionAttributes(
            operation=operation or ("CREATE" if old is None else "UPDATE" if new is not None else "DELETE"),
            group=group,
            version=version,
            kind=shape["kind"],
            plural=plural or plural_of(shape["kind"]),
            subresource=subresource,
            namespace=shape["metadata"].get("namespace", ""),
            name=name or shape["metadata"].get("name", ""),
            object=copy.deepcopy(new),
            old=copy.deepcopy(old),
            user=user,
            dry_run=dry_run,
            warnings=self.warnings,
            annotations=self.annotations,
        )

    async def pass_through(self, attributes: AdmissionAttributes) -> Object:
        await self.admission.mutate(attributes)
        await self.admission.validate(attributes)
        return attributes.object or {}

    def admit(self, new: Object | None, old: Object | None = None, **rest: Any) -> Object:
        """The object after both phases."""
        return asyncio.run(self.pass_through(self.attributes(new, old, **rest)))

    def refusal(self, new: Object | None, old: Object | None = None, **rest: Any) -> str:
        """The message of the refusal; the test fails when there is none."""
        with pytest.raises(ApiError) as refused:
            self.admit(new, old, **rest)
        self.error = refused.value
        return refused.value.message


def pod(name: str = "web", *, annotations: Any = None, **spec: Any) -> Object:
    containers = spec.pop("containers", [{"name": "c", "image": "app:1"}])
    metadata = {"annotations": annotations} if annotations else {}
    return obj("Pod", name, "shop", metadata=metadata, spec={"containers": containers, **spec})


def container(name: str = "c", requests: Any = None, limits: Any = None, **rest: Any) -> Object:
    resources = {key: value for key, value in (("requests", requests), ("limits", limits)) if value}
    return {"name": name, "image": "app:1", **({"resources": resources} if resources else {}), **rest}
