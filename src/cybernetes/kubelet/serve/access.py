"""Who asks the kubelet, and may they: client certificates or tokens, then SubjectAccessReviews.

source  kubernetes.io "Kubelet authentication/authorization"
"""

from __future__ import annotations

from collections.abc import Sequence

from cybernetes.auth.certificates import Authorities, Reader
from cybernetes.auth.user import User
from cybernetes.base.clock import Clock
from cybernetes.base.errors import ApiError, unauthorized
from cybernetes.client.api import ApiClient
from cybernetes.client.reviews import Reviews
from cybernetes.wire.http.message import Request

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
        self._reviews = Reviews(client, clock)
        self._reader = Reader(Authorities(authorities), clock)
        self._node_name = node_name

    def trust(self, authorities: bytes) -> None:
        """Believe the certificates of other authorities (PEM) from now on."""
        self._reader.trust(Authorities(authorities))

    async def check(self, request: Request) -> None:
        """Raises ApiError 401 or 403; EdgeError when the API server can't be asked."""
        user = await self._identify(request)
        subresources = subresources_of(request.path)
        verb = verb_of(request.method, request.path)
        for subresource in subresources:
            if await self._reviews.may(user, "resourceAttributes", self._attributes(verb, subresource)):
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
        return await self._reviews.user_of(token)

    def _attributes(self, verb: str, subresource: str) -> dict[str, str]:
        node = {"group": "", "version": "v1", "resource": "nodes", "name": self._node_name}
        return {**node, "verb": verb, "subresource": subresource}


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
