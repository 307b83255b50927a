"""Builds who authenticates, authorizes and admits, from configuration and the caches."""

from __future__ import annotations

from typing import Any

import msgspec

from cybernetes.apiserver.config import ServerConfig
from cybernetes.apiserver.core import Core
from cybernetes.auth.authn import Authenticator
from cybernetes.auth.authz import Chain, PrivilegedGroup
from cybernetes.auth.certificates import Authorities
from cybernetes.auth.rbac import Rbac
from cybernetes.auth.tokens import Issuer


class Security(msgspec.Struct, frozen=True):
    """admission: None for none."""

    authenticator: Any
    authorizer: Any
    admission: Any = None


def build_security(core: Core, config: ServerConfig) -> Security:
    issuer = Issuer(config.service_account_key, core.clock, core.random, url=config.issuer, former=config.former_keys)
    authorities = Authorities(config.client_authorities, config.front_proxy_authorities)
    authenticator = Authenticator(core.lister, issuer, core.clock, authorities)
    authorizer = Chain((PrivilegedGroup(), Rbac(core.lister)))
    return Security(authenticator, authorizer)
