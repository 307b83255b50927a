"""The AuthenticationConfiguration file: decoded strictly, checked as upstream checks it.

source  Kubernetes reference, apiserver.config.k8s.io/v1 AuthenticationConfiguration
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Literal
from urllib.parse import urlsplit

import msgspec
from cryptography import x509

from cybernetes.auth.expressions import CLAIMS, USER, wrong

_EXTRA_KEY = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*/[a-z0-9][-a-z0-9_.%/]*\Z")


class ConfigError(ValueError):
    """The configuration can't be used; the text names the place."""


class _Part(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    pass


class Issuer(_Part, frozen=True):
    url: str
    discovery_url: str = msgspec.field(default="", name="discoveryURL")
    certificate_authority: str = ""
    audiences: tuple[str, ...] = ()
    audience_match_policy: Literal["", "MatchAny"] = ""
    egress_selector_type: str = ""


class Prefixed(_Part, frozen=True):
    """A claim with a prefix, or an expression."""

    claim: str = ""
    prefix: str | None = None
    expression: str = ""


class Unprefixed(_Part, frozen=True):
    claim: str = ""
    expression: str = ""


class Extra(_Part, frozen=True):
    key: str
    value_expression: str


class Mappings(_Part, frozen=True):
    username: Prefixed
    groups: Prefixed = Prefixed()
    uid: Unprefixed = Unprefixed()
    extra: tuple[Extra, ...] = ()


class ClaimRule(_Part, frozen=True):
    """A claim and the value that it must have, or an expression that must be true."""

    claim: str = ""
    required_value: str = ""
    expression: str = ""
    message: str = ""


class UserRule(_Part, frozen=True):
    expression: str
    message: str = ""


class Jwt(_Part, frozen=True):
    issuer: Issuer
    claim_mappings: Mappings
    claim_validation_rules: tuple[ClaimRule, ...] = ()
    user_validation_rules: tuple[UserRule, ...] = ()


class Condition(_Part, frozen=True):
    path: str


class Anonymous(_Part, frozen=True):
    """conditions: paths that nobody known may ask for; () for all."""

    enabled: bool = False
    conditions: tuple[Condition, ...] = ()


class Configuration(_Part, frozen=True):
    api_version: Literal["apiserver.config.k8s.io/v1", "apiserver.config.k8s.io/v1beta1"]
    kind: Literal["AuthenticationConfiguration"]
    jwt: tuple[Jwt, ...] = ()
    anonymous: Anonymous | None = None


def parse(text: bytes, own_issuers: Sequence[str] = ()) -> Configuration:
    """own_issuers: of service account tokens, which no other may call itself. Raises ConfigError."""
    try:
        found = msgspec.yaml.decode(text, type=Configuration)
    except (msgspec.MsgspecError, ValueError) as wrong:
        raise ConfigError(str(wrong)) from wrong
    wrongs = list(check(found.jwt, own_issuers))
    if found.anonymous is not None and found.anonymous.conditions and not found.anonymous.enabled:
        wrongs.append("anonymous.conditions: enabled should be set to true when conditions are defined")
    if wrongs:
        raise ConfigError("; ".join(wrongs))
    return found


def check(jwts: Sequence[Jwt], own_issuers: Sequence[str]) -> Iterator[str]:
    """What is wrong with issuers, each with its place."""
    for i, jwt in enumerate(jwts):
        others = [each.issuer for at, each in enumerate(jwts) if at < i]
        wrongs = [
            *_wrong_issuer(jwt.issuer, others, own_issuers),
            *_wrong_mappings(jwt.claim_mappings),
            *_wrong_claim_rules(jwt.claim_validation_rules),
            *_wrong_user_rules(jwt.user_validation_rules),
            *_unverified_email(jwt),
        ]
        yield from (f"jwt[{i}].{each}" for each in wrongs)


def _wrong_issuer(issuer: Issuer, others: Sequence[Issuer], own: Sequence[str]) -> Iterator[str]:
    yield from (f"issuer.url: {each}" for each in _wrong_url(issuer.url))
    if issuer.url in own:
        yield "issuer.url: must not be an issuer of service account tokens"
    if any(each.url == issuer.url for each in others):
        yield f'issuer.url: "{issuer.url}" is there twice'
    if issuer.discovery_url:
        yield from (f"issuer.discoveryURL: {each}" for each in _wrong_url(issuer.discovery_url))
        if issuer.discovery_url.rstrip("/") == issuer.url.rstrip("/"):
            yield "issuer.discoveryURL: must be different from url"
        if any(each.discovery_url == issuer.discovery_url for each in others):
            yield f'issuer.discoveryURL: "{issuer.discovery_url}" is there twice'
    if not issuer.audiences or "" in issuer.audiences:
        yield "issuer.audiences: at least one is needed, and none may be empty"
    if len(set(issuer.audiences)) > 1 and issuer.audience_match_policy != "MatchAny":
        yield "issuer.audienceMatchPolicy: must be MatchAny for multiple audiences"
    if issuer.egress_selector_type:
        yield "issuer.egressSelectorType: not supported: there is no egress selector"
    if issuer.certificate_authority:
        try:
            x509.load_pem_x509_certificates(issuer.certificate_authority.encode())
        except ValueError:
            yield "issuer.certificateAuthority: no certificate in PEM"


def _wrong_url(url: str) -> Iterator[str]:
    try:
        parts = urlsplit(url)
    except ValueError as wrong:
        yield str(wrong)
        return
    if not url:
        yield "required"
    elif parts.scheme != "https" or not parts.netloc:
        yield "scheme must be https"
    elif parts.username is not None or parts.query or parts.fragment:
        yield "must not contain a username, password, query or fragment"


def _wrong_mappings(mappings: Mappings) -> Iterator[str]:
    username, groups, uid = mappings.username, mappings.groups, mappings.uid
    if not username.claim and not username.expression:
        yield "claimMappings.username: claim or expression is required"
    for name, each in (("username", username), ("groups", groups)):
        if each.claim and each.prefix is None:
            yield f'claimMappings.{name}.prefix: required with a claim; "" for none'
        if each.expression and each.prefix is not None:
            yield f"claimMappings.{name}.prefix: must not be set with an expression"
    for name, claim, expression, kinds in (
        ("username", username.claim, username.expression, ("string",)),
        ("groups", groups.claim, groups.expression, ("string", "list")),
        ("uid", uid.claim, uid.expression, ("string",)),
    ):
        if claim and expression:
            yield f"claimMappings.{name}: claim and expression can't both be set"
        said = wrong(CLAIMS, expression, *kinds) if expression else ""
        if said:
            yield f"claimMappings.{name}.expression: {said}"
    keys = [each.key for each in mappings.extra]
    for i, extra in enumerate(mappings.extra):
        place = f"claimMappings.extra[{i}]"
        if not _EXTRA_KEY.match(extra.key):
            yield f'{place}.key: "{extra.key}" must be a domain-prefixed path in lower case'
        domain = f".{extra.key.partition('/')[0]}"
        if domain.endswith((".kubernetes.io", ".k8s.io")):
            yield f"{place}.key: k8s.io, kubernetes.io and their subdomains are reserved for Kubernetes use"
        if extra.key in keys[:i]:
            yield f'{place}.key: "{extra.key}" is there twice'
        said = wrong(CLAIMS, extra.value_expression, "string", "list", "null")
        if said:
            yield f"{place}.valueExpression: {said}"


def _wrong_claim_rules(rules: Sequence[ClaimRule]) -> Iterator[str]:
    for i, rule in enumerate(rules):
        place = f"claimValidationRules[{i}]"
        if bool(rule.claim) == bool(rule.expression):
            yield f"{place}: either claim or expression must be set"
        if rule.expression and rule.required_value:
            yield f"{place}.requiredValue: must not be set with an expression"
        if rule.claim and rule.message:
            yield f"{place}.message: must not be set with a claim"
        said = wrong(CLAIMS, rule.expression, "bool") if rule.expression else ""
        if said:
            yield f"{place}.expression: {said}"


def _wrong_user_rules(rules: Sequence[UserRule]) -> Iterator[str]:
    for i, rule in enumerate(rules):
        said = wrong(USER, rule.expression, "bool")
        if said:
            yield f"userValidationRules[{i}].expression: {said}"


def _unverified_email(jwt: Jwt) -> Iterator[str]:
    """Who lets people choose their own address must look whether it is theirs."""
    if "claims.email" not in jwt.claim_mappings.username.expression.replace("claims.email_verified", ""):
        return
    looked_at = [jwt.claim_mappings.username.expression]
    looked_at += [each.value_expression for each in jwt.claim_mappings.extra]
    looked_at += [each.expression for each in jwt.claim_validation_rules]
    if not any("email_verified" in each for each in looked_at):
        yield (
            "claimMappings.username.expression: claims.email_verified must be used in claimMappings.username.expression "
            "or claimMappings.extra[*].valueExpression or claimValidationRules[*].expression when claims.email is used "
            "in claimMappings.username.expression"
        )
