"""Each controller speaks to the API server as a service account of its own, so that RBAC limits each to its work.

source  kube-controller-manager's --use-service-account-credentials
"""

from __future__ import annotations

import asyncio
from typing import Any

from cybernetes.base.clock import Clock, parse_rfc3339
from cybernetes.base.errors import ApiError
from cybernetes.client.api import ApiClient, is_reason
from cybernetes.client.target import SERVICE_ACCOUNTS
from cybernetes.wire.http.message import Request, Response, Transport

NAMESPACE = "kube-system"
TOKEN_S = 3600
# A token is renewed after this part of its life.
RENEW_AT = 0.8


class AccountTransport:
    """Sends every request with a token of one service account, made and renewed through `client`.

    inner   reaches the server without an identity of its own; a client certificate would win over the token
    client  may create service accounts and their tokens
    """

    def __init__(self, inner: Transport, client: ApiClient, account: str, clock: Clock) -> None:
        self._inner = inner
        self._client = client
        self._account = account
        self._clock = clock
        self._token = ""
        self._renew_at = 0.0
        # Workers that find no token wait for the one that asks for it.
        self._renewing = asyncio.Lock()

    async def send(self, request: Request) -> Response:
        token = await self._current()
        response = await self._send(request, token)
        if response.status == 401:
            # The account was made anew, or the signing key was changed.
            response = await self._send(request, await self._other_than(token))
        return response

    async def close(self) -> None:
        """The inner transport is shared, and closed by its owner."""

    async def _current(self) -> str:
        async with self._renewing:
            if not self._token or self._clock.now() >= self._renew_at:
                await self._renew()
            return self._token

    async def _other_than(self, refused: str) -> str:
        async with self._renewing:
            if self._token == refused:
                await self._renew()
            return self._token

    async def _send(self, request: Request, token: str) -> Response:
        headers = {**request.headers, "authorization": f"Bearer {token}"}
        return await self._inner.send(Request(request.method, request.path, request.query, headers, request.body))

    async def _renew(self) -> None:
        try:
            status = await self._request_token()
        except ApiError as error:
            if not is_reason(error, "NotFound"):
                raise
            await self._ensure_account()
            status = await self._request_token()
        now = self._clock.now()
        expires = status.get("expirationTimestamp")
        life_s = parse_rfc3339(expires) - now if expires else TOKEN_S
        self._token = status["token"]
        self._renew_at = now + life_s * RENEW_AT

    async def _request_token(self) -> dict[str, Any]:
        request = {
            "kind": "TokenRequest",
            "apiVersion": "authentication.k8s.io/v1",
            "spec": {"expirationSeconds": TOKEN_S},
        }
        answer = await self._client.create(
            SERVICE_ACCOUNTS, request, namespace=NAMESPACE, name=self._account, subresource="token"
        )
        status: dict[str, Any] = answer["status"]
        return status

    async def _ensure_account(self) -> None:
        account = {"metadata": {"name": self._account, "namespace": NAMESPACE}}
        try:
            await self._client.create(SERVICE_ACCOUNTS, account, namespace=NAMESPACE)
        except ApiError as error:
            if not is_reason(error, "AlreadyExists"):
                raise
