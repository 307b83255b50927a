"""Asks the API server who a token belongs to and what somebody may, for components that are asked themselves.

enters   tokens; users and attributes of requests
leaves   TokenReviews, SubjectAccessReviews; answers are remembered for a while, as upstream's webhooks do
fails    ApiError 401 for tokens that nobody has; EdgeError when the API server can't be asked
source   kubernetes.io "Kubelet authentication/authorization"; apiserver library, delegating authentication
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

from cybernetes.auth.user import User
from cybernetes.base.clock import Clock
from cybernetes.base.errors import unauthorized
from cybernetes.client.api import ApiClient
from cybernetes.client.target import Target

ACCESS_REVIEWS = Target("authorization.k8s.io", "v1", "subjectaccessreviews", "SubjectAccessReview", namespaced=False)
TOKEN_REVIEWS = Target("authentication.k8s.io", "v1", "tokenreviews", "TokenReview", namespaced=False)

# A right that was taken away is believed for this long.
ALLOWED_FOR_S = 300.0
DENIED_FOR_S = 30.0
TOKEN_FOR_S = 120.0
ANSWERS_MAX = 1024


class Reviews:
    def __init__(self, client: ApiClient, clock: Clock) -> None:
        self._client = client
        self._clock = clock
        self._answers: OrderedDict[Any, tuple[Any, float]] = OrderedDict()

    async def user_of(self, token: str) -> User:
        known = self._remembered(("token", token))
        if known is None:
            answer = await self._client.create(TOKEN_REVIEWS, {"spec": {"token": token}})
            status = answer.get("status") or {}
            known = status.get("user") or {} if status.get("authenticated") else {}
            self._remember(("token", token), known, TOKEN_FOR_S)
        if not known:
            raise unauthorized()
        return User(known["username"], known.get("uid", ""), tuple(known.get("groups") or ()), known.get("extra") or {})

    async def may(self, user: User, kind: str, attributes: Mapping[str, str]) -> bool:
        """kind: `resourceAttributes` or `nonResourceAttributes`."""
        key = (user.name, user.groups, kind, *sorted(attributes.items()))
        known = self._remembered(key)
        if known is not None:
            return bool(known)
        spec = {"user": user.name, "uid": user.uid, "groups": list(user.groups), "extra": dict(user.extra)}
        answer = await self._client.create(ACCESS_REVIEWS, {"spec": {**spec, kind: dict(attributes)}})
        allowed = bool((answer.get("status") or {}).get("allowed"))
        self._remember(key, allowed, ALLOWED_FOR_S if allowed else DENIED_FOR_S)
        return allowed

    def _remembered(self, key: Any) -> Any:
        found = self._answers.get(key)
        return found[0] if found is not None and found[1] > self._clock.monotonic() else None

    def _remember(self, key: Any, value: Any, seconds: float) -> None:
        self._answers[key] = (value, self._clock.monotonic() + seconds)
        self._answers.move_to_end(key)
        if len(self._answers) > ANSWERS_MAX:
            self._answers.popitem(last=False)
