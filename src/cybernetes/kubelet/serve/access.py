"""Who asks the kubelet, and may they: client certificates or tokens, then SubjectAccessReviews.

source  kubelet contract 20; kubernetes.io "Kubelet authentication/authorization"
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

from cybernetes.auth.certificates import Authorities, Reader
from cybernetes.auth.user import User
from cybernetes.base.clock import Clock
from cybernetes.base.errors import ApiError, unauthorized
from cybernetes.client.api import ApiClient
from cybernetes.client.target import Target
from cybernetes.wire.http.message import Request

ACCESS_REVIEWS = Target("authorization.k8s.io", "v1", "subjectaccessreviews", "SubjectAccessReview", namespaced=False)
TOKEN_REVIEWS = Target("authentication.k8s.io", "v1", "tokenreviews", "TokenReview", namespaced=False)

# As upstream's webhook caches: a right that was taken away is believed for this long.
ALLOWED_FOR_S = 300.0
DENIED_FOR_S = 30.0
TOKEN_FOR_S = 120.0
ANSWERS_MAX = 1024

_VERBS = {"POST": "create", "GET": "get", "HEAD": "get", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}
_SESSIONS = ("exec", "attach", "portForward", "run")
_SUBRESOURCES = (
    ("/stats", ("stats",)),
    ("/metrics", ("metrics",)),
    ("/logs", ("log",)),
    ("/checkpoint", ("checkpoint",)),
    ("/pods", ("pods", "proxy")),
    ("/runningpods", ("pods", "proxy")),
    ("/healthz", ("healthz", "proxy")),
    ("/configz", ("configz", "proxy")),
)


class Access:
    def __init__(self, client: ApiClient, authorities: bytes, node_name: str, clock: Clock) -> None:
        self._client = client
        self._reader = Reader(Authorities(authorities), clock)
        self._node_name = node_name
        self._clock = clock
        self._answers: OrderedDict[Any, tuple[Any, float]] = OrderedDict()

    def trust(self, authorities: bytes) -> None:
        """Believe the certificates of other authorities (PEM) from now on."""
        self._reader.trust(Authorities(authorities))

    async def check(self, request: Request) -> None:
        """Raises ApiError 401 or 403; EdgeError when the API server can't be asked."""
        user = await self._identify(request)
        subresources = subresources_of(request.path)
        verb = verb_of(request.method, request.path)
        for subresource in subresources:
            if await self._may(user, verb, subresource):
                return
        wanted = f"user={user.name}, verb={verb}, resource=nodes, subresource(s)=[{' '.join(subresources)}]"
        raise ApiError(403, "Forbidden", f"Forbidden ({wanted})")

    async def _identify(self, request: Request) -> User:
        if request.certificate is not None:
            user = self._reader.user(request.certificate, {})
            if user is not None:
                return user
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        if not token or token == request.headers.get("authorization"):
            raise unauthorized()
        return await self._of_token(token)

    async def _of_token(self, token: str) -> User:
        known = self._remembered(("token", token))
        if known is None:
            answer = await self._client.create(TOKEN_REVIEWS, {"spec": {"token": token}})
            status = answer.get("status") or {}
            known = status.get("user") or {} if status.get("authenticated") else {}
            self._remember(("token", token), known, TOKEN_FOR_S)
        if not known:
            raise unauthorized()
        return User(known["username"], known.get("uid", ""), tuple(known.get("groups") or ()), known.get("extra") or {})

    async def _may(self, user: User, verb: str, subresource: str) -> bool:
        key = (user.name, user.groups, verb, subresource)
        known = self._remembered(key)
        if known is not None:
            return bool(known)
        attributes = {
            "verb": verb,
            "group": "",
            "version": "v1",
            "resource": "nodes",
            "subresource": subresource,
            "name": self._node_name,
        }
        spec = {
            "user": user.name,
            "uid": user.uid,
            "groups": list(user.groups),
            "extra": dict(user.extra),
            "resourceAttributes": attributes,
        }
        answer = await self._client.create(ACCESS_REVIEWS, {"spec": spec})
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


def verb_of(method: str, path: str) -> str:
    """The verb that is asked for. What runs something in a container is `create`, even by GET, as WebSockets begin.

    source  k/k#136550: a right to read nodes/proxy must not be one to run commands
    """
    if path.split("/")[1:2] and path.split("/")[1] in _SESSIONS:
        return "create"
    return _VERBS.get(method, method.lower())


def subresources_of(path: str) -> Sequence[str]:
    """Subresources of nodes, any of which allows the request."""
    for prefix, names in _SUBRESOURCES:
        if path == prefix or path.startswith(f"{prefix}/"):
            return names
    return ("proxy",)
