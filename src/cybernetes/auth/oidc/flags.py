"""One issuer by the older flags: the same as a configuration with one, which this makes of them."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from cybernetes.auth.oidc.config import ClaimRule, ConfigError, Issuer, Jwt, Mappings, Prefixed, check


class Flags(msgspec.Struct, frozen=True):
    """--oidc-…, without that; required_claims: `claim=value`. username_prefix: "-" for none, "" for the usual one."""

    issuer_url: str
    client_id: str
    username_claim: str
    username_prefix: str
    groups_claim: str
    groups_prefix: str
    required_claims: tuple[str, ...]
    authority: str = ""


def issuer_of(flags: Flags, own_issuers: Sequence[str]) -> Jwt:
    """Raises ConfigError."""
    prefix = flags.username_prefix
    if not prefix and flags.username_claim != "email":
        # Addresses are unique in the world; other names only at their issuer.
        prefix = f"{flags.issuer_url}#"
    groups = Prefixed(flags.groups_claim, flags.groups_prefix) if flags.groups_claim else Prefixed()
    rules = []
    for each in flags.required_claims:
        claim, equals, value = each.partition("=")
        if not equals:
            raise ConfigError(f'oidc-required-claim: "{each}" is no claim=value')
        rules.append(ClaimRule(claim, value))
    jwt = Jwt(
        Issuer(flags.issuer_url, certificate_authority=flags.authority, audiences=(flags.client_id,)),
        Mappings(Prefixed(flags.username_claim, "" if prefix == "-" else prefix), groups),
        tuple(rules),
    )
    wrongs = list(check((jwt,), own_issuers))
    if wrongs:
        raise ConfigError("; ".join(wrongs))
    return jwt
