"""The order of authorizers, which may change while the server runs."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from cybernetes.auth.access_webhook import AccessWebhook
from cybernetes.auth.authz import Authorizer

# A name stands for an authorizer of the server's own: `Node`, `RBAC`.
Member = str | Authorizer


class Order:
    def __init__(self, members: Sequence[Member] = ("Node", "RBAC")) -> None:
        self._members = tuple(members)
        self._follow: Callable[[Sequence[Member]], None] = lambda members: None

    def change(self, members: Sequence[Member]) -> None:
        self._members = tuple(members)
        self._follow(self._members)

    @property
    def unforeseen(self) -> tuple[str, ...]:
        """What is wrong with a list of a user's rights: authorizers that can only be asked, one right at a time."""
        asked = any(isinstance(each, AccessWebhook) for each in self._members)
        return ("webhook authorizer does not support user rule resolution",) if asked else ()

    def follow(self, use: Callable[[Sequence[Member]], None]) -> None:
        """Have `use` called now, and whenever the order changes."""
        self._follow = use
        use(self._members)
