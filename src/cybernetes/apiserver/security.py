"""Builds who authenticates, authorizes and admits, from configuration and the caches."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any

import msgspec

from cybernetes.apiserver.admission import builtin
from cybernetes.apiserver.admission.builtin import Surroundings
from cybernetes.apiserver.admission.policy.nodes import Nodes
from cybernetes.apiserver.admission.quota_ledger import StoreLedger
from cybernetes.apiserver.admission.webhooks.call import HttpsCaller
from cybernetes.apiserver.admission.webhooks.equivalent import Equivalents
from cybernetes.apiserver.admission.webhooks.normalize import Normalizer
from cybernetes.apiserver.bootstrap import policy
from cybernetes.apiserver.config import ServerConfig
from cybernetes.apiserver.core import Core
from cybernetes.apiserver.registry import Registry
from cybernetes.apiserver.reviews import routes
from cybernetes.apiserver.reviews.documents import documents
from cybernetes.auth.authn import Authenticator
from cybernetes.auth.authz import Authorizer, Chain, PrivilegedGroup
from cybernetes.auth.certificates import Authorities
from cybernetes.auth.node import NodeAuthorizer, NodeGraph
from cybernetes.auth.order import Member, Order
from cybernetes.auth.rbac import Rbac
from cybernetes.auth.rules import Rule, parse_all
from cybernetes.auth.tokens import Issuer


class Security(msgspec.Struct, frozen=True):
    """admission: None for none. close: ends connections to webhooks."""

    authenticator: Any
    authorizer: Any
    admission: Any = None
    close: Callable[[], Awaitable[None]] | None = None


def build_security(core: Core, config: ServerConfig) -> Security:
    """Needs loaded caches: authorizers index what is there, and follow it from then on."""
    issuer = _issuer(core, config)
    authorities = Authorities(config.client_authorities, config.front_proxy_authorities)
    authenticator = Authenticator(
        core.lister,
        issuer,
        core.clock,
        authorities,
        config.fixed_tokens,
        config.others,
        lambda namespace, secret: core.legacy_token_used(namespace, secret),
    )
    rbac = Rbac(core.lister)
    order = config.order or Order()
    authorizer = _authorizer(core, rbac, order)
    core.virtual.update(routes.handlers(routes.Reviewers(authenticator, rbac, issuer, config.tokens, order)))
    core.token_documents = documents(issuer, config.advertise)
    caller = HttpsCaller(core.lister)
    around = Surroundings(
        core.lister,
        authorizer,
        rbac,
        StoreLedger(core),
        caller,
        Normalizer(core.registry),
        partial(_resource_of, core.registry),
        core.consistent,
        core.clock,
        core.random,
        Equivalents(core.registry),
        Nodes(core.registry),
    )
    admission = builtin.build(around)
    return Security(authenticator, authorizer, admission, caller.close)


def _issuer(core: Core, config: ServerConfig) -> Issuer:
    return Issuer(
        config.service_account_key,
        core.clock,
        core.random,
        url=config.issuer,
        audiences=config.audiences,
        former=config.former_keys,
        former_urls=config.former_issuers,
    )


def _authorizer(core: Core, rbac: Rbac, order: Order) -> Chain:
    """Follows the order; whatever that is, the members of system:masters come first."""
    own: dict[str, Authorizer] = {"Node": NodeAuthorizer(NodeGraph(core.lister), _node_rules()), "RBAC": rbac}
    chain = Chain(())
    order.follow(lambda members: chain.change((PrivilegedGroup(), *(_member(own, each) for each in members))))
    return chain


def _member(own: Mapping[str, Authorizer], member: Member) -> Authorizer:
    return own[member] if isinstance(member, str) else member


def _resource_of(registry: Registry, api_version: str, kind: str) -> tuple[str, str, bool] | None:
    group, _, version = api_version.rpartition("/")
    served = registry.find_kind(group, version, kind)
    return (*served.keeper, served.resource.namespaced) if served is not None else None


def _node_rules() -> tuple[Rule, ...]:
    for each in policy.load():
        if each["kind"] == "ClusterRole" and each["metadata"]["name"] == "system:node":
            return parse_all(each)
    raise LookupError("the bootstrap policy has no role system:node")
