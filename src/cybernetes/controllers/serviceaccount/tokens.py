"""Fills Secrets of type kubernetes.io/service-account-token, and deletes them with their service account.

source  Kubernetes documentation "Managing Service Accounts", token Secrets
"""

from __future__ import annotations

import base64
from typing import Any

from cybernetes.auth.tokens import Issuer, Reference
from cybernetes.base.errors import ApiError
from cybernetes.client.api import if_there, is_reason
from cybernetes.client.informer import key_of
from cybernetes.client.reflector import Selection
from cybernetes.client.target import SECRETS, SERVICE_ACCOUNTS
from cybernetes.controllers.informers import decoder
from cybernetes.controllers.loop import Edges, update, work
from cybernetes.controllers.objects import Meta, Metadata, View

TYPE = "kubernetes.io/service-account-token"
NAME = "kubernetes.io/service-account.name"
UID = "kubernetes.io/service-account.uid"


class _Secret(View, frozen=True, gc=False):
    metadata: Meta
    data: dict[str, str] = {}


class TokenSecretController:
    """authority: PEM, put beside each token. issuer: signs as the API server expects it."""

    def __init__(self, edges: Edges, issuer: Issuer, authority: str) -> None:
        self._edges = edges
        self._issuer = issuer
        self._authority = base64.b64encode(authority.encode()).decode()
        self._accounts = edges.informers.service_accounts
        self._secrets = edges.informers.make(SECRETS, decoder(_Secret), selection=Selection(fields=f"type={TYPE}"))
        self._by_account = self._secrets.index(lambda each: (_account_key(each),))
        self._queue = edges.queue()
        self._secrets.on_change(lambda key, old, new: self._queue.add(key))
        self._accounts.on_change(self._on_account)

    async def run(self) -> None:
        await self._edges.informers.wait_synced()
        await work("serviceaccount-tokens", self._queue, self.sync)

    def _on_account(self, key: str, old: Metadata | None, new: Metadata | None) -> None:
        for secret in self._by_account.keys(key):
            self._queue.add(secret)

    async def sync(self, key: str) -> float | None:
        secret = self._secrets.items.get(key)
        if secret is None or secret.metadata.deletion_timestamp or not secret.metadata.annotations.get(NAME):
            return None
        account = await self._account(secret)
        if account is None:
            await self._delete(secret)
            return None
        namespace = secret.metadata.namespace
        encoded = base64.b64encode(namespace.encode()).decode()
        wanted = {"ca.crt": self._authority, "namespace": encoded}
        if secret.data.get("token") and wanted.items() <= secret.data.items() and UID in secret.metadata.annotations:
            return None
        if not secret.data.get("token"):
            token = self._issuer.issue_legacy(namespace, account, secret.metadata.name)
            wanted["token"] = base64.b64encode(token.encode()).decode()

        def fill(obj: dict[str, Any]) -> None:
            obj["data"] = {**(obj.get("data") or {}), **wanted}
            obj["metadata"]["annotations"][UID] = account.uid

        with if_there():
            await update(self._edges.client, SECRETS, secret.metadata, fill)
        return None

    async def _account(self, secret: _Secret) -> Reference | None:
        """The service account, asked for from the server when it is not known here; None when it is gone."""
        name = secret.metadata.annotations[NAME]
        known = self._accounts.items.get(_account_key(secret))
        uid = known.metadata.uid if known else ""
        if not uid:
            try:
                live = await self._edges.client.get(SERVICE_ACCOUNTS, name, namespace=secret.metadata.namespace)
            except ApiError as error:
                if is_reason(error, "NotFound"):
                    return None
                raise
            uid = live["metadata"]["uid"]
        wanted = secret.metadata.annotations.get(UID, uid)
        return Reference(name, uid) if wanted == uid else None

    async def _delete(self, secret: _Secret) -> None:
        metadata = secret.metadata
        with if_there():
            await self._edges.client.delete(SECRETS, metadata.name, namespace=metadata.namespace, uid=metadata.uid)


def _account_key(secret: _Secret) -> str:
    return key_of(secret.metadata.namespace, secret.metadata.annotations.get(NAME, ""))
