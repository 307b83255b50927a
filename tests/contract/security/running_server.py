"""A whole API server over a store in memory, asked in process as any user."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import msgspec

from cybernetes.apiserver.audit.auditor import Auditor
from cybernetes.apiserver.config import ServerConfig
from cybernetes.apiserver.server import ApiServer
from cybernetes.auth import pki
from cybernetes.auth.user import User
from cybernetes.base.clock import SystemClock
from cybernetes.base.random import SystemRandom
from cybernetes.store.memory import MemoryStore
from cybernetes.wire.http.message import Request

Object = dict[str, Any]

ADMIN = User("admin", "u-1", ("system:masters", "system:authenticated"))
ALICE = User("alice", groups=("dev", "system:authenticated"))
READY_TIMEOUT_S = 30
APPLY = "application/apply-patch+yaml"
MERGE = "application/merge-patch+json"


class Answer(msgspec.Struct):
    code: int
    body: Any
    warnings: list[str]

    @property
    def message(self) -> str:
        return str(self.body.get("message", "")) if isinstance(self.body, dict) else str(self.body)


class Running:
    def __init__(self, server: ApiServer, authority: pki.Credential) -> None:
        self.server = server
        self.authority = authority

    async def ask(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        user: User | None = ADMIN,
        query: dict[str, str] | None = None,
        content: str = "application/json",
        **headers: str,
    ) -> Answer:
        """As `user`, or with what credentials the headers have when it is None. body: bytes are sent as they are."""
        sent = {"content-type": content, "accept": "application/json", "user-agent": "golden/1"}
        sent.update({key.replace("_", "-"): value for key, value in headers.items()})
        data = body if isinstance(body, bytes) else json.dumps(body).encode() if body is not None else b""
        request = Request(method, path, {k: [v] for k, v in (query or {}).items()}, sent, data)
        response = await (self.server.handle(request) if user is None else self.server.handle_as(user, request))
        raw = response.body if isinstance(response.body, bytes) else b"".join([part async for part in response.body])
        warnings = [value for key, value in response.headers if key == "Warning"]
        try:
            return Answer(response.status, json.loads(raw), warnings)
        except ValueError:
            return Answer(response.status, raw.decode(), warnings)

    async def make(self, path: str, obj: Object, user: User = ADMIN) -> Object:
        answer = await self.ask("POST", path, obj, user=user)
        assert answer.code == 201, answer
        found: Object = answer.body
        return found

    async def namespace(self, name: str, **labels: str) -> None:
        metadata = {"name": name, "labels": labels} if labels else {"name": name}
        await self.make("/api/v1/namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata})
        account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default"}}
        await self.make(f"/api/v1/namespaces/{name}/serviceaccounts", account)

    async def grant(self, name: str, *rules: Object, user: str = "alice") -> None:
        """Give a user rules everywhere."""
        api = "rbac.authorization.k8s.io"
        root = f"/apis/{api}/v1"
        shape = {"apiVersion": f"{api}/v1", "metadata": {"name": name}}
        await self.make(f"{root}/clusterroles", {**shape, "kind": "ClusterRole", "rules": list(rules)})
        bound = {
            "roleRef": {"apiGroup": api, "kind": "ClusterRole", "name": name},
            "subjects": [{"apiGroup": api, "kind": "User", "name": user}],
        }
        await self.make(f"{root}/clusterrolebindings", {**shape, "kind": "ClusterRoleBinding", **bound})
        await self.server.core.consistent()


@asynccontextmanager
async def running(audit: Auditor | None = None) -> AsyncIterator[Running]:
    """audit: who records the requests; the caller runs it."""
    clock, random = SystemClock(), SystemRandom()
    authority = pki.ca("kubernetes", pki.Terms(clock.now(), random))
    config = ServerConfig(
        client_authorities=authority.certificate, service_account_key=pki.new_key(random), advertise="10.0.0.1:6443"
    )
    server = ApiServer(MemoryStore(clock), config, clock, random, audit=audit)
    await server.start()
    try:
        async with asyncio.timeout(READY_TIMEOUT_S):
            await server.ready()
        yield Running(server, authority)
    finally:
        await server.stop()
