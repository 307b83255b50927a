"""How others check service account tokens: the issuer's configuration and its keys.

source  Kubernetes documentation "Configure Service Accounts for Pods", service account issuer discovery
"""

from __future__ import annotations

from collections.abc import Callable

from cybernetes.auth.tokens import Issuer
from cybernetes.wire.http.message import Request, Response

CONFIGURATION = "/.well-known/openid-configuration"
KEYS = "/openid/v1/jwks"
_CACHE = ("Cache-Control", "public, max-age=3600")


def documents(issuer: Issuer, address: str) -> Callable[[Request], Response | None]:
    """address  host:port at which this server is reached from outside"""

    def answer(request: Request) -> Response | None:
        path = request.path.rstrip("/")
        if path == CONFIGURATION:
            body = issuer.discovery(f"https://{address}{KEYS}")
            return Response(200, [_CACHE, ("Content-Type", "application/json")], body)
        if path == KEYS:
            return Response(200, [_CACHE, ("Content-Type", "application/jwk-set+json")], issuer.key_set())
        return None

    return answer
