"""Tokens that another server knows: a TokenReview by webhook.

source  Kubernetes documentation "Webhook Token Authentication"
"""

from __future__ import annotations

import hashlib

import msgspec

from cybernetes.auth.asking import answer
from cybernetes.auth.tokens import InvalidToken
from cybernetes.auth.user import AUTHENTICATED, User
from cybernetes.auth.webhook import Post, Remembered, review, status
from cybernetes.base.clock import Clock
from cybernetes.base.errors import EdgeError
from cybernetes.base.log import Log

log = Log("auth.webhook")

GROUP, KIND = "authentication.k8s.io", "TokenReview"

Found = tuple[User, tuple[str, ...]]


class _UserInfo(msgspec.Struct, frozen=True):
    username: str | None = None
    uid: str | None = None
    groups: list[str] | None = None
    extra: dict[str, list[str] | None] | None = None


class _Status(msgspec.Struct, frozen=True):
    authenticated: bool | None = None
    user: _UserInfo | None = None
    audiences: list[str] | None = None
    error: str | None = None


class TokenWebhook:
    """audiences  those of the API server, which a webhook that names none speaks for"""

    def __init__(self, post: Post, audiences: tuple[str, ...], ttl_s: float, clock: Clock) -> None:
        self._post = post
        self._audiences = audiences
        self._ttl_s = ttl_s
        self._known = Remembered(clock)

    def user(self, token: str, audiences: tuple[str, ...]) -> Found:
        """(whose the token is, for which audiences). Raises InvalidToken; Unanswered while it is asked for."""
        wanted = audiences or self._audiences
        question = hashlib.sha256("\0".join((token, *wanted)).encode("utf-8", "surrogateescape")).digest()
        found = self._known.get(question)
        if found is None:

            async def ask() -> Found | InvalidToken:
                return await self._ask(token, wanted, question)

            found = answer((id(self), question), ask)
        if isinstance(found, InvalidToken):
            raise found
        known: Found = found
        return known

    async def _ask(self, token: str, audiences: tuple[str, ...], question: bytes) -> Found | InvalidToken:
        asked = review(KIND, GROUP, {"token": token, "audiences": audiences})
        try:
            told = msgspec.convert(status(await self._post(asked), KIND, GROUP), _Status)
        except (EdgeError, msgspec.ValidationError) as failed:
            # Not remembered: the next request asks again.
            log.warning("webhook.token_not_reviewed", why=str(failed))
            return InvalidToken("the webhook gave no answer")
        found = _found(told, audiences, self._audiences)
        self._known.keep(question, found, self._ttl_s)
        return found


def _found(told: _Status, audiences: tuple[str, ...], own: tuple[str, ...]) -> Found | InvalidToken:
    user = told.user
    if not told.authenticated or user is None or not user.username:
        return InvalidToken(told.error or "")
    named = told.audiences or own
    good_for = tuple(each for each in audiences if each in named)
    if not good_for:
        return InvalidToken("the token is for other audiences")
    groups = tuple(user.groups or ())
    groups = groups if AUTHENTICATED in groups else (*groups, AUTHENTICATED)
    extra = {key: values or [] for key, values in (user.extra or {}).items()}
    return User(user.username, user.uid or "", groups, extra), good_for
