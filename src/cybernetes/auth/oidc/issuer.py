"""One issuer: its keys, fetched when a token names one that is not known, and the check of its tokens."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, Protocol
from urllib.parse import urlsplit

import jwt as pyjwt
import orjson

from cybernetes.auth.asking import answer
from cybernetes.auth.oidc.claims import user_of
from cybernetes.auth.oidc.config import Jwt
from cybernetes.auth.tokens import CLOCK_SKEW_S, TOKEN_MAX_BYTES, InvalidToken
from cybernetes.auth.user import CREDENTIAL_ID, User
from cybernetes.base.clock import Clock
from cybernetes.base.errors import EdgeError
from cybernetes.base.log import Log

log = Log("auth.oidc")

# Signatures by keys that are public in part only: never by a secret that both sides would have to know.
ALGORITHMS = ("RS256", "RS384", "RS512", "ES256", "ES384", "ES512", "PS256", "PS384", "PS512", "EdDSA")
# A stranger who sends tokens of unknown keys must not make us ask the issuer each time.
FETCH_PAUSE_S = 10.0
# Keys that the issuer took back are forgotten after this.
KEYS_LAST_S = 3600.0
DOCUMENT_MAX_BYTES = 1 << 20
TIMEOUT_S = 10.0
DISCOVERY = "/.well-known/openid-configuration"


class Fetch(Protocol):
    """GET of a URL over TLS. Raises EdgeError."""

    async def __call__(self, url: str) -> bytes: ...


class JwtIssuer:
    """fetch  trusts the authorities of the configuration; algorithms: those that tokens may be signed with"""

    def __init__(self, jwt: Jwt, fetch: Fetch, clock: Clock, algorithms: Sequence[str] = ALGORITHMS) -> None:
        self.jwt = jwt
        self.url = jwt.issuer.url
        self._fetch = fetch
        self._clock = clock
        self._algorithms = tuple(algorithms)
        self._keys: dict[str, pyjwt.PyJWK] = {}
        self._fetched = float("-inf")
        self._tried = float("-inf")
        self._fetching = asyncio.Lock()

    def user(self, token: str) -> tuple[User, tuple[str, ...]]:
        """(whose the token is, which audiences of ours it is for). Raises InvalidToken; Unanswered while keys are fetched."""
        if len(token) > TOKEN_MAX_BYTES:
            raise InvalidToken("too long")
        claims = self._verified(token)
        _check_times(claims, self._clock.now())
        audiences = _audiences(claims, self.jwt.issuer.audiences)
        found = user_of(self.jwt, claims)
        jti = claims.get("jti")
        if isinstance(jti, str) and jti and CREDENTIAL_ID not in found.extra:
            extra = {**found.extra, CREDENTIAL_ID: [f"JTI={jti}"]}
            found = User(found.name, found.uid, found.groups, extra)
        return found, audiences

    def _verified(self, token: str) -> dict[str, Any]:
        try:
            header = pyjwt.get_unverified_header(token)
            key = self._key(str(header.get("kid", "")))
            # A key says which algorithm it is for; where it does not, the token may choose among those for its type.
            algorithms = [each for each in self._algorithms if _fits(key, each)]
            unchecked = dict.fromkeys(("verify_exp", "verify_nbf", "verify_iat", "verify_aud", "verify_iss"), False)
            claims: dict[str, Any] = pyjwt.decode(token, key.key, algorithms, unchecked)  # type: ignore[arg-type]
        except (pyjwt.PyJWTError, ValueError, TypeError) as wrong:
            raise InvalidToken("failed to verify signature") from wrong
        if claims.get("iss") != self.url:
            raise InvalidToken("issued by another issuer")
        return claims

    def _key(self, key_id: str) -> pyjwt.PyJWK:
        now = self._clock.monotonic()
        known = self._named(key_id)
        if known is not None and now - self._fetched < KEYS_LAST_S:
            return known
        if now - self._tried >= FETCH_PAUSE_S:
            answer((self.url, "keys", self._tried), self._fetch_keys)
            known = self._named(key_id)
        if known is None:
            raise InvalidToken("signed with a key that the issuer does not have")
        return known

    def _named(self, key_id: str) -> pyjwt.PyJWK | None:
        if not key_id and len(self._keys) == 1:
            return next(iter(self._keys.values()))
        return self._keys.get(key_id)

    async def _fetch_keys(self) -> None:
        """Failures leave the keys that are known; the token is refused for want of its key then."""
        async with self._fetching:
            if self._clock.monotonic() - self._tried < FETCH_PAUSE_S:
                return
            try:
                async with asyncio.timeout(TIMEOUT_S):
                    self._keys = await self._published()
                self._fetched = self._clock.monotonic()
            except (EdgeError, TimeoutError, ValueError, KeyError, TypeError) as failed:
                log.warning("oidc.keys_not_fetched", issuer=self.url, why=str(failed) or type(failed).__name__)
            finally:
                self._tried = self._clock.monotonic()

    async def _published(self) -> dict[str, pyjwt.PyJWK]:
        discovery = self.jwt.issuer.discovery_url or self.url.rstrip("/") + DISCOVERY
        document = _document(await self._fetch(discovery))
        if document.get("issuer") != self.url:
            raise ValueError("the discovery document is of another issuer")
        where = document["jwks_uri"]
        if urlsplit(where).scheme != "https":
            raise ValueError("keys are not published over TLS")
        found: dict[str, pyjwt.PyJWK] = {}
        for each in _document(await self._fetch(where))["keys"]:
            if each.get("use", "sig") != "sig" or each.get("kty") == "oct":
                continue
            try:
                found[str(each.get("kid", ""))] = pyjwt.PyJWK(each)
            except pyjwt.PyJWTError:
                # Of a kind that is not known here; others are.
                continue
        return found


def _fits(key: pyjwt.PyJWK, algorithm: str) -> bool:
    named = key._jwk_data.get("alg")
    if named:
        return bool(named == algorithm)
    kinds = {"RSA": ("RS", "PS"), "EC": ("ES",), "OKP": ("Ed",)}
    return algorithm.startswith(kinds.get(str(key.key_type), ()))


def _document(body: bytes) -> dict[str, Any]:
    if len(body) > DOCUMENT_MAX_BYTES:
        raise ValueError("the document is too large")
    found = orjson.loads(body)
    if not isinstance(found, dict):
        raise ValueError("the document is no object")
    return found


def _audiences(claims: dict[str, Any], wanted: Sequence[str]) -> tuple[str, ...]:
    has = claims.get("aud")
    listed = (has,) if isinstance(has, str) else tuple(has or ())
    found = tuple(each for each in wanted if each in listed)
    if not found:
        raise InvalidToken(f"expected audience in {list(wanted)}")
    return found


def _check_times(claims: dict[str, Any], now: float) -> None:
    expires, starts = claims.get("exp"), claims.get("nbf", 0)
    if not isinstance(expires, int | float) or not isinstance(starts, int | float):
        raise InvalidToken("without times")
    if now >= expires:
        raise InvalidToken("token is expired")
    if now < starts - CLOCK_SKEW_S:
        raise InvalidToken("not valid yet")
