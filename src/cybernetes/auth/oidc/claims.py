"""From the claims of a token whose signature is good to a User, or why not. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cybernetes.auth.expressions import CLAIMS, USER, CelError, evaluate
from cybernetes.auth.oidc.config import ClaimRule, Jwt, Mappings, Prefixed
from cybernetes.auth.tokens import InvalidToken
from cybernetes.auth.user import AUTHENTICATED, User
from cybernetes.cel.environment import Environment

Claims = Mapping[str, Any]


def user_of(jwt: Jwt, claims: Claims) -> User:
    """Raises InvalidToken."""
    for rule in jwt.claim_validation_rules:
        _check_claim(rule, claims)
    mappings = jwt.claim_mappings
    user = User(_username(mappings.username, claims), _uid(mappings, claims), _groups(mappings.groups, claims))
    extra = _extra(mappings, claims)
    info = {"username": user.name, "uid": user.uid, "groups": list(user.groups), "extra": extra}
    for each in jwt.user_validation_rules:
        if _evaluated(each.expression, USER, {"user": info}) is not True:
            raise InvalidToken(_failed(each.expression, each.message))
    groups = user.groups if AUTHENTICATED in user.groups else (*user.groups, AUTHENTICATED)
    return User(user.name, user.uid, groups, extra)


def _check_claim(rule: ClaimRule, claims: Claims) -> None:
    if rule.expression:
        if _evaluated(rule.expression, CLAIMS, {"claims": dict(claims)}) is not True:
            raise InvalidToken(_failed(rule.expression, rule.message))
        return
    if rule.claim not in claims:
        raise InvalidToken(f"required claim {rule.claim} not present in ID token")
    if claims[rule.claim] != rule.required_value:
        raise InvalidToken(f"required claim {rule.claim} value does not match")


def _username(mapping: Prefixed, claims: Claims) -> str:
    if mapping.expression:
        found = _evaluated(mapping.expression, CLAIMS, {"claims": dict(claims)})
        if not isinstance(found, str) or not found:
            raise InvalidToken("the username of the token is no text, or empty")
        return found
    found = claims.get(mapping.claim)
    if not isinstance(found, str) or not found:
        raise InvalidToken(f"claim {mapping.claim} is missing, or no text")
    # A claim that says whether the address was looked at must say yes; without the claim it is not asked for.
    if mapping.claim == "email" and claims.get("email_verified", True) is not True:
        raise InvalidToken("email not verified")
    return f"{mapping.prefix}{found}"


def _groups(mapping: Prefixed, claims: Claims) -> tuple[str, ...]:
    if mapping.expression:
        return _texts(_evaluated(mapping.expression, CLAIMS, {"claims": dict(claims)}), "the groups of the token")
    if not mapping.claim or mapping.claim not in claims:
        return ()
    return tuple(f"{mapping.prefix}{each}" for each in _texts(claims[mapping.claim], f"claim {mapping.claim}"))


def _uid(mappings: Mappings, claims: Claims) -> str:
    uid = mappings.uid
    if uid.expression:
        found = _evaluated(uid.expression, CLAIMS, {"claims": dict(claims)})
    elif uid.claim:
        found = claims.get(uid.claim)
    else:
        return ""
    if not isinstance(found, str):
        raise InvalidToken("the uid of the token is no text")
    return found


def _extra(mappings: Mappings, claims: Claims) -> dict[str, list[str]]:
    extra: dict[str, list[str]] = {}
    for each in mappings.extra:
        values = _texts(_evaluated(each.value_expression, CLAIMS, {"claims": dict(claims)}), f"extra {each.key}")
        if values:
            extra[each.key] = list(values)
    return extra


def _texts(value: Any, what: str) -> tuple[str, ...]:
    """A text, a list of texts, or nothing."""
    if value is None or value == "":
        return ()
    if isinstance(value, str):
        return (value,)
    if not isinstance(value, list | tuple) or not all(isinstance(each, str) for each in value):
        raise InvalidToken(f"{what}: neither text nor list of texts")
    return tuple(value)


def _evaluated(expression: str, environment: Environment, values: Mapping[str, Any]) -> Any:
    try:
        return evaluate(environment, expression, values)
    except CelError as wrong:
        raise InvalidToken(f"expression '{expression}' resulted in error: {wrong}") from wrong


def _failed(expression: str, message: str) -> str:
    return f"validation expression '{expression}' failed" + (f": {message}" if message else "")
