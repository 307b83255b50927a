"""Follows bootstrap tokens.

source  Kubernetes documentation "Authenticating with Bootstrap Tokens"
"""

from __future__ import annotations

import base64

from cybernetes.base.clock import parse_rfc3339
from cybernetes.client.api import if_there
from cybernetes.client.reflector import Selection
from cybernetes.client.target import SECRETS
from cybernetes.controllers.informers import decoder
from cybernetes.controllers.loop import Edges, work
from cybernetes.controllers.objects import Meta, View

NAMESPACE = "kube-system"
TYPE = "bootstrap.kubernetes.io/token"


class Token(View, frozen=True, gc=False):
    metadata: Meta
    data: dict[str, str] = {}


class TokenCleaner:
    def __init__(self, edges: Edges) -> None:
        self._edges = edges
        selection = Selection(namespace=NAMESPACE, fields=f"type={TYPE}")
        self._tokens = edges.informers.make(SECRETS, decoder(Token), selection=selection)
        self._queue = edges.queue()
        self._tokens.on_change(lambda key, old, new: self._queue.add(key))

    async def run(self) -> None:
        await self._edges.informers.wait_synced()
        await work("token-cleaner", self._queue, self.sync)

    async def sync(self, key: str) -> float | None:
        token = self._tokens.items.get(key)
        if token is None or token.metadata.deletion_timestamp:
            return None
        left_s = left(token, self._edges.clock.now())
        if left_s is None or left_s > 0:
            return left_s
        metadata = token.metadata
        with if_there():
            await self._edges.client.delete(SECRETS, metadata.name, namespace=metadata.namespace, uid=metadata.uid)
        return None


def left(token: Token, now: float) -> float | None:
    """Seconds for which the token can still be used; None for one that never ends."""
    encoded = token.data.get("expiration", "")
    if not encoded:
        return None
    try:
        return parse_rfc3339(base64.b64decode(encoded).decode()) - now
    except ValueError:
        return 0.0
