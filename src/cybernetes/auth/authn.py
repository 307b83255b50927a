"""Who sends a request: a client certificate, a bearer token, or nobody where nobody may ask.

enters   a Request; service accounts, pods, nodes and secrets through a Lister
leaves   a User, or ApiError 401
holds    a wrong credential is never taken for none; a token ends with the objects it is bound to

source  Kubernetes documentation "Authenticating"
"""

from __future__ import annotations

import hashlib
import hmac
from base64 import b64decode, urlsafe_b64decode
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec
import orjson

from cybernetes.auth import certificates
from cybernetes.auth.lister import Lister
from cybernetes.auth.token_webhook import TokenWebhook
from cybernetes.auth.tokens import TOKEN_MAX_BYTES, Claims, InvalidToken, Issuer, Reference
from cybernetes.auth.user import (
    AUTHENTICATED,
    CREDENTIAL_ID,
    NODE_NAME,
    NODE_UID,
    POD_NAME,
    POD_UID,
    User,
    anonymous,
    service_account,
    service_account_groups,
)
from cybernetes.base.clock import Clock, parse_rfc3339
from cybernetes.base.errors import unauthorized
from cybernetes.wire.http.message import Request

if TYPE_CHECKING:
    # Expressions, which issuers need, take long to import; most clusters have none.
    from cybernetes.auth.oidc.issuer import JwtIssuer

Object = dict[str, Any]

# Paths that tell whether the server lives, for load balancers without a credential; and what a machine that wants to join must know before it can trust anybody; whether
# there is such an object and who may read it, authorization says.
ANONYMOUS_PATHS = frozenset(("/healthz", "/livez", "/readyz", "/api/v1/namespaces/kube-public/configmaps/cluster-info"))
# How long a token that was checked is believed without looking at its objects again; as Kubernetes has it.
TOKEN_CACHE_S = 10.0
TOKEN_CACHE_MAX = 4096
# A pod that is being deleted still finishes its work with its token for this long.
DELETED_GRACE_S = 60.0
# The label of a Secret whose token, one without an end, is believed no more.
INVALID_SINCE = "kubernetes.io/legacy-token-invalid-since"
BOOTSTRAP_TYPE = "bootstrap.kubernetes.io/token"
BOOTSTRAPPERS = "system:bootstrappers"


class Authenticated(msgspec.Struct, frozen=True):
    """audiences  which of those asked for the token is good for"""

    user: User
    audiences: tuple[str, ...] = ()


class Nobody(msgspec.Struct, frozen=True):
    """Where requests without a credential may go. paths: None for everywhere, where `enabled`."""

    enabled: bool = True
    paths: frozenset[str] | None = ANONYMOUS_PATHS

    def may_ask(self, path: str) -> bool:
        return self.enabled and (self.paths is None or path in self.paths)


class Others:
    """Who knows users besides the cluster itself; may be changed while the server runs.

    issuers  by their URL
    """

    def __init__(
        self, issuers: Sequence[JwtIssuer] = (), webhook: TokenWebhook | None = None, nobody: Nobody | None = None
    ) -> None:
        self.webhook = webhook
        self.change(issuers, nobody or Nobody())

    def change(self, issuers: Sequence[JwtIssuer], nobody: Nobody) -> None:
        self.issuers = {each.url: each for each in issuers}
        self.nobody = nobody
        # Who was believed under the former configuration is looked at again.
        self.number = getattr(self, "number", 0) + 1


def _unnoticed(namespace: str, secret: str) -> None:
    """Nobody wants to know."""


class Authenticator:
    """static: SHA-256 of a token in hex -> its user; for a cluster's own fixed tokens.

    legacy_used  is told of the namespace and name of a Secret whose token was used, when that is looked at
    """

    def __init__(
        self,
        lister: Lister,
        issuer: Issuer,
        clock: Clock,
        authorities: certificates.Authorities,
        static: Mapping[str, User] | None = None,
        others: Others | None = None,
        legacy_used: Callable[[str, str], None] = _unnoticed,
    ) -> None:
        self._legacy_used = legacy_used
        self._lister = lister
        self._issuer = issuer
        self._clock = clock
        self._certificates = certificates.Reader(authorities, clock)
        self._static = dict(static or {})
        self._others = others or Others()
        self._number = self._others.number
        # SHA-256 of the token and the audiences -> (who, until when)
        self._checked: OrderedDict[bytes, tuple[Authenticated, float]] = OrderedDict()

    def renew(self, authorities: certificates.Authorities, key: bytes, former: Sequence[bytes]) -> None:
        """Believe other authorities, and sign tokens with another key, from now on."""
        self._certificates.trust(authorities)
        self._issuer.change(key, former)
        self._checked.clear()

    def identify(self, request: Request) -> User:
        """Raises ApiError 401 when the request's credential is wrong, or when it needs one and has none.

        Raises Unanswered while others are asked for a token.
        """
        if request.certificate is not None:
            found = self._certificates.user(request.certificate, request.headers)
            if found is not None:
                return found
        token = _bearer(request.headers)
        if token is not None:
            try:
                return self.review(token).user
            except InvalidToken:
                raise unauthorized() from None
        if request.certificate is None and self._others.nobody.may_ask(request.path):
            return anonymous()
        raise unauthorized()

    def review(self, token: str, audiences: tuple[str, ...] = ()) -> Authenticated:
        """Who a bearer token is, for the API server or for `audiences`. Raises InvalidToken, Unanswered."""
        if self._number != self._others.number:
            self._checked.clear()
            self._number = self._others.number
        key = hashlib.sha256("\0".join((token, *audiences)).encode("utf-8", "surrogateescape")).digest()
        now = self._clock.monotonic()
        known = self._checked.get(key)
        if known is not None and known[1] > now:
            return known[0]
        self._checked.pop(key, None)
        found = self._check(token, audiences)
        self._checked[key] = found, now + TOKEN_CACHE_S
        if len(self._checked) > TOKEN_CACHE_MAX:
            self._checked.popitem(last=False)
        return found

    def _check(self, token: str, audiences: tuple[str, ...]) -> Authenticated:
        user = self._static.get(hashlib.sha256(token.encode("utf-8", "surrogateescape")).hexdigest())
        if user is not None:
            return self._for_server(_authenticated(user), audiences)
        issuer = self._others.issuers.get(_issuer_of(token)) if self._others.issuers else None
        if issuer is not None:
            return self._for_server(issuer.user(token)[0], audiences)
        try:
            return self._check_own(token, audiences)
        except InvalidToken:
            if self._others.webhook is None:
                raise
        found, good_for = self._others.webhook.user(token, audiences)
        return Authenticated(found, good_for)

    def _check_own(self, token: str, audiences: tuple[str, ...]) -> Authenticated:
        """Tokens of this cluster: of bootstrapping nodes, and of service accounts."""
        if token.count(".") == 1:
            return self._for_server(_authenticated(self._bootstrap(token)), audiences)
        claims = self._issuer.read(token, audiences)
        self._check_objects(claims)
        return Authenticated(_service_account_user(claims), claims.audiences)

    def _for_server(self, user: User, audiences: tuple[str, ...]) -> Authenticated:
        """Of tokens that name no audience of ours, or one of their own: they are for the API server."""
        good_for = tuple(each for each in audiences if each in self._issuer.audiences)
        if audiences and not good_for:
            raise InvalidToken("token is valid for the API server only")
        return Authenticated(user, good_for or self._issuer.audiences)

    def _check_objects(self, claims: Claims) -> None:
        namespace, bound = claims.namespace, claims.bound
        self._alive("serviceaccounts", namespace, claims.account)
        if bound.pod is not None:
            self._alive("pods", namespace, bound.pod)
        if bound.secret is not None:
            secret = self._alive("secrets", namespace, bound.secret)
            if claims.expires is None:
                self._check_legacy(namespace, secret)
        if bound.node is not None and bound.pod is None:
            self._alive("nodes", "", bound.node)

    def _check_legacy(self, namespace: str, secret: Mapping[str, Any]) -> None:
        """Of a token without an end: it may be marked as invalid, and that it was used is told."""
        metadata = secret["metadata"]
        if INVALID_SINCE in (metadata.get("labels") or {}):
            raise InvalidToken(f"the token in secret {namespace}/{metadata['name']} has been marked invalid")
        self._legacy_used(namespace, metadata["name"])

    def _alive(self, plural: str, namespace: str, reference: Reference) -> Mapping[str, Any]:
        obj = self._lister.get("", plural, namespace, reference.name)
        if obj is None:
            raise InvalidToken(f"one of {plural} that the token is bound to is gone")
        metadata = obj["metadata"]
        if reference.uid and metadata.get("uid") != reference.uid:
            raise InvalidToken(f"one of {plural} that the token is bound to was replaced")
        deleted = metadata.get("deletionTimestamp")
        if deleted and self._clock.now() - parse_rfc3339(deleted) > DELETED_GRACE_S:
            raise InvalidToken(f"one of {plural} that the token is bound to was deleted")
        return obj

    def _bootstrap(self, token: str) -> User:
        """source  Kubernetes documentation "Authenticating with Bootstrap Tokens" """
        token_id, _, secret = token.partition(".")
        found = self._lister.get("", "secrets", "kube-system", f"bootstrap-token-{token_id}") if token_id else None
        if found is None or found.get("type") != BOOTSTRAP_TYPE or found["metadata"].get("deletionTimestamp"):
            raise InvalidToken("no such bootstrap token")
        data = {key: b64decode(value) for key, value in (found.get("data") or {}).items()}
        same_secret = hmac.compare_digest(data.get("token-secret", b""), secret.encode("utf-8", "surrogateescape"))
        if not secret or not same_secret or data.get("token-id") != token_id.encode("utf-8", "surrogateescape"):
            raise InvalidToken("no such bootstrap token")
        if data.get("usage-bootstrap-authentication") != b"true" or self._bootstrap_is_over(data):
            raise InvalidToken("the bootstrap token can't be used any more")
        named = data.get("auth-extra-groups", b"").decode().split(",")
        groups = [each for each in named if each.startswith(f"{BOOTSTRAPPERS}:")]
        return User(f"system:bootstrap:{token_id}", groups=(BOOTSTRAPPERS, *groups))

    def _bootstrap_is_over(self, data: Mapping[str, bytes]) -> bool:
        expiration = data.get("expiration")
        if not expiration:
            return False
        try:
            return parse_rfc3339(expiration.decode()) <= self._clock.now()
        except ValueError:
            return True


def _issuer_of(token: str) -> str:
    """What a token says of its issuer, before anybody checked it; "" where it says nothing."""
    parts = token.split(".")
    if len(parts) != 3 or len(token) > TOKEN_MAX_BYTES:
        return ""
    try:
        said = orjson.loads(urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except ValueError:
        return ""
    found = said.get("iss") if isinstance(said, dict) else None
    return found if isinstance(found, str) else ""


def _bearer(headers: Mapping[str, str]) -> str | None:
    """The token of the request, None when it has none; of a WebSocket, which has no header for it, the protocol's."""
    scheme, _, token = headers.get("authorization", "").strip().partition(" ")
    if scheme.lower() == "bearer" and token.strip():
        return token.strip()
    for protocol in headers.get("sec-websocket-protocol", "").split(","):
        name, _, encoded = protocol.strip().partition("base64url.bearer.authorization.k8s.io.")
        if not name and encoded:
            return _unpadded(encoded)
    return None


def _unpadded(encoded: str) -> str:
    try:
        return b64decode(encoded + "=" * (-len(encoded) % 4), altchars="-_", validate=True).decode()
    except ValueError:
        raise unauthorized() from None


def _authenticated(user: User) -> User:
    if AUTHENTICATED in user.groups:
        return user
    return msgspec.structs.replace(user, groups=(*user.groups, AUTHENTICATED))


def _service_account_user(claims: Claims) -> User:
    extra: dict[str, list[str]] = {}
    if claims.jti:
        extra[CREDENTIAL_ID] = [f"JTI={claims.jti}"]
    if claims.bound.node is not None:
        extra[NODE_NAME], extra[NODE_UID] = [claims.bound.node.name], [claims.bound.node.uid]
    if claims.bound.pod is not None:
        extra[POD_NAME], extra[POD_UID] = [claims.bound.pod.name], [claims.bound.pod.uid]
    return User(
        service_account(claims.namespace, claims.account.name),
        claims.account.uid,
        (*service_account_groups(claims.namespace), AUTHENTICATED),
        extra,
    )
