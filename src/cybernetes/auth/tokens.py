"""Service account tokens: issued, read back, and the documents by which others can check them.

A token is a JWT signed with ES256 (RS256 where the key is RSA). Reading proves signature, issuer, times and audiences;
whether its service account still lives is for `authn` to find out.

source  Kubernetes documentation "Managing Service Accounts", bound tokens; "Configure Service Accounts for Pods",
        issuer discovery
"""

from __future__ import annotations

import hashlib
from base64 import urlsafe_b64encode
from collections.abc import Sequence
from typing import Any

import jwt
import msgspec
import orjson
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from cybernetes.base.clock import Clock
from cybernetes.base.random import Random, uid
from cybernetes.model.field import quoted

DEFAULT_ISSUER = "https://kubernetes.default.svc.cluster.local"
LEGACY_ISSUER = "kubernetes/serviceaccount"
PRIVATE = "kubernetes.io"
# A token that could not be one of ours is refused before anything is computed over it.
TOKEN_MAX_BYTES = 16 * 1024
CLOCK_SKEW_S = 60


class InvalidToken(Exception):
    """The token was not issued here (no text), is over, or is for someone else; the text never holds the token."""


class Reference(msgspec.Struct, frozen=True, gc=False):
    name: str
    uid: str

    def claim(self) -> dict[str, str]:
        return {"name": self.name, "uid": self.uid}


class Bound(msgspec.Struct, frozen=True):
    """The objects that a token lives and dies with, beside its service account."""

    pod: Reference | None = None
    node: Reference | None = None
    secret: Reference | None = None


class Claims(msgspec.Struct, frozen=True):
    """What a token says. expires is None for tokens that never end; jti "" where a token has no number."""

    namespace: str
    account: Reference
    audiences: tuple[str, ...]
    bound: Bound = Bound()
    jti: str = ""
    expires: float | None = None


class TokenTerms(msgspec.Struct, frozen=True):
    """How long tokens last that are asked for.

    longest_s  what is asked for beyond this is shortened, so that a stolen token ends
    extend     whether tokens of pods last a year: for programs that read theirs once, and never again
    """

    longest_s: int = 24 * 3600
    extend: bool = False


class Issuer:
    """Signs with `key`; reads what `key` or one of `former` (public keys, PEM) signed.

    audiences    those of the API server; the issuer's URL when not given
    former_urls  names that it had before, whose tokens are still read
    """

    def __init__(
        self,
        key: bytes,
        clock: Clock,
        random: Random,
        *,
        url: str = DEFAULT_ISSUER,
        audiences: Sequence[str] = (),
        former: Sequence[bytes] = (),
        former_urls: Sequence[str] = (),
    ) -> None:
        self.url = url
        self.urls = (url, *former_urls)
        self.audiences = tuple(audiences) or self.urls
        self._clock = clock
        self._random = random
        self.change(key, former)

    def change(self, key: bytes, former: Sequence[bytes]) -> None:
        """Sign with another key from now on."""
        self._private = serialization.load_pem_private_key(key, password=None)
        publics = [self._private.public_key(), *(serialization.load_pem_public_key(each) for each in former)]
        self._publics = {_key_id(each): each for each in publics}
        self._key_id = _key_id(publics[0])

    def issue(
        self,
        namespace: str,
        account: Reference,
        bound: Bound,
        audiences: Sequence[str],
        lifetime_s: int,
        *,
        warn_after_s: int = 0,
        jti: str = "",
    ) -> str:
        """warn_after_s: when its bearer should have come for another one; 0 for tokens whose end is meant."""
        now = int(self._clock.now())
        private: dict[str, Any] = {"namespace": namespace}
        for name, reference in (("node", bound.node), ("pod", bound.pod), ("secret", bound.secret)):
            if reference is not None:
                private[name] = reference.claim()
        private["serviceaccount"] = account.claim()
        if warn_after_s:
            private["warnafter"] = now + warn_after_s
        claims = {
            "aud": list(audiences),
            "exp": now + lifetime_s,
            "iat": now,
            "iss": self.url,
            "jti": jti or uid(self._random),
            PRIVATE: private,
            "nbf": now,
            "sub": f"system:serviceaccount:{namespace}:{account.name}",
        }
        return self._sign(claims)

    def issue_legacy(self, namespace: str, account: Reference, secret: str) -> str:
        """The token of a Secret of type kubernetes.io/service-account-token; it has no end."""
        prefix = f"{LEGACY_ISSUER}/"
        claims = {
            "iss": LEGACY_ISSUER,
            f"{prefix}namespace": namespace,
            f"{prefix}secret.name": secret,
            f"{prefix}service-account.name": account.name,
            f"{prefix}service-account.uid": account.uid,
            "sub": f"system:serviceaccount:{namespace}:{account.name}",
        }
        return self._sign(claims)

    def _sign(self, claims: dict[str, Any]) -> str:
        headers = {"kid": self._key_id, "typ": None}
        return jwt.encode(claims, self._private, _algorithm(self._private.public_key()), headers)  # type: ignore[arg-type]

    def read(self, token: str, audiences: Sequence[str] = ()) -> Claims:
        """The claims of a token for one of `audiences` (default: the API server's). Raises InvalidToken."""
        wanted = tuple(audiences) or self.audiences
        claims = self._verified(token)
        if claims.get("iss") == LEGACY_ISSUER:
            return _legacy_claims(claims, self.audiences, wanted)
        if claims.get("iss") not in self.urls:
            raise InvalidToken("unknown issuer")
        self._check_times(claims)
        return _claims(claims, wanted)

    def _verified(self, token: str) -> dict[str, Any]:
        if len(token) > TOKEN_MAX_BYTES:
            raise InvalidToken("too long")
        unchecked = {"verify_exp": False, "verify_nbf": False, "verify_iat": False, "verify_aud": False}
        try:
            public = self._publics.get(str(jwt.get_unverified_header(token).get("kid")))
            if public is None:
                raise InvalidToken
            # The algorithm is the key's, never the token's own choice.
            found: dict[str, Any] = jwt.decode(token, public, [_algorithm(public)], unchecked)  # type: ignore[arg-type]
        except jwt.PyJWTError as wrong:
            raise InvalidToken from wrong
        return found

    def _check_times(self, claims: dict[str, Any]) -> None:
        now = self._clock.now()
        expires, starts = claims.get("exp"), claims.get("nbf")
        if not isinstance(expires, int | float) or not isinstance(starts, int | float):
            raise InvalidToken("without times")
        if now >= expires:
            raise InvalidToken("token has expired")
        if now < starts - CLOCK_SKEW_S:
            raise InvalidToken("not valid yet")

    def key_set(self) -> bytes:
        """The JSON Web Key Set of /openid/v1/jwks."""
        return orjson.dumps({"keys": [_jwk(key_id, key) for key_id, key in self._publics.items()]})

    def discovery(self, key_set_url: str) -> bytes:
        """The document of /.well-known/openid-configuration; `key_set_url` is where key_set() is served."""
        algorithms = list(dict.fromkeys(_algorithm(key) for key in self._publics.values()))
        return orjson.dumps(
            {
                "issuer": self.url,
                "jwks_uri": key_set_url,
                "response_types_supported": ["id_token"],
                "subject_types_supported": ["public"],
                "id_token_signing_alg_values_supported": algorithms,
            }
        )


def _listed(names: Sequence[str]) -> str:
    """As Go prints a list of quoted strings."""
    return f"[{' '.join(map(quoted, names))}]"


def _claims(claims: dict[str, Any], wanted: Sequence[str]) -> Claims:
    has = claims.get("aud")
    listed = (has,) if isinstance(has, str) else tuple(has or ())
    audiences = tuple(each for each in wanted if each in listed)
    if not audiences:
        raise InvalidToken(f"token audiences {_listed(listed)} is invalid for the target audiences {_listed(wanted)}")
    try:
        private = claims[PRIVATE]
        bound = Bound(*(_reference(private.get(name)) for name in ("pod", "node", "secret")))
        account = _reference(private["serviceaccount"])
        namespace = private["namespace"]
    except (KeyError, TypeError, AttributeError) as wrong:
        raise InvalidToken("claims are incomplete") from wrong
    if account is None or claims.get("sub") != f"system:serviceaccount:{namespace}:{account.name}":
        raise InvalidToken("subject and service account differ")
    return Claims(namespace, account, audiences, bound, claims.get("jti", ""), claims["exp"])


def _legacy_claims(claims: dict[str, Any], own: Sequence[str], wanted: Sequence[str]) -> Claims:
    audiences = tuple(each for each in wanted if each in own)
    if not audiences:
        raise InvalidToken("token is valid for the API server only")
    prefix = f"{LEGACY_ISSUER}/"
    try:
        namespace, secret = claims[f"{prefix}namespace"], claims[f"{prefix}secret.name"]
        account = Reference(claims[f"{prefix}service-account.name"], claims[f"{prefix}service-account.uid"])
    except KeyError as missing:
        raise InvalidToken("claims are incomplete") from missing
    if claims.get("sub") != f"system:serviceaccount:{namespace}:{account.name}":
        raise InvalidToken("subject and service account differ")
    return Claims(namespace, account, audiences, Bound(secret=Reference(secret, "")))


def _reference(claim: Any) -> Reference | None:
    return Reference(claim["name"], claim["uid"]) if claim else None


def _key_id(public: Any) -> str:
    """SHA-256 of the key's DER, as Kubernetes numbers keys."""
    der = public.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return urlsafe_b64encode(hashlib.sha256(der).digest()).rstrip(b"=").decode()


def _algorithm(public: Any) -> str:
    match public:
        case ec.EllipticCurvePublicKey(curve=ec.SECP256R1()):
            return "ES256"
        case rsa.RSAPublicKey():
            return "RS256"
    raise ValueError("service account keys are P-256 or RSA")


def _jwk(key_id: str, public: Any) -> dict[str, str]:
    algorithm = _algorithm(public)
    from jwt.algorithms import ECAlgorithm, RSAAlgorithm

    kind = ECAlgorithm if algorithm == "ES256" else RSAAlgorithm
    numbers = kind.to_jwk(public, as_dict=True)
    return {
        "use": "sig",
        "kid": key_id,
        "alg": algorithm,
        **{k: v for k, v in numbers.items() if k not in ("key_ops",)},
    }
