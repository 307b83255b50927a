"""May this user do that: the questions, the answers, and the chain of those who answer."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from typing import Protocol

import msgspec

from cybernetes.auth.user import MASTERS, User
from cybernetes.base.errors import ApiError, forbidden
from cybernetes.model.selector import Requirements


class Attributes(msgspec.Struct, frozen=True, gc=False):
    """What is to be done.

    path            for requests that are about no resource
    field_selector  (key, value) of each `=` requirement, for lists, watches and deletes of collections
    field_exclusions, label_selector  the other requirements of those, likewise
    """

    user: User
    verb: str
    group: str = ""
    version: str = ""
    resource: str = ""
    subresource: str = ""
    namespace: str = ""
    name: str = ""
    path: str = ""
    is_resource: bool = True
    field_selector: tuple[tuple[str, str], ...] = ()
    field_exclusions: tuple[tuple[str, str], ...] = ()
    label_selector: Requirements = ()


class Verdict(enum.Enum):
    ALLOW = "allow"
    DENY = "deny"
    # Nothing said; the next authorizer is asked, and when all say nothing the request is refused.
    NO_OPINION = "no opinion"


class Decision(msgspec.Struct, frozen=True, gc=False):
    verdict: Verdict
    reason: str = ""

    @property
    def allowed(self) -> bool:
        return self.verdict is Verdict.ALLOW


NO_OPINION = Decision(Verdict.NO_OPINION)


class Authorizer(Protocol):
    def decide(self, attributes: Attributes) -> Decision: ...


class PrivilegedGroup:
    """Members of system:masters may do everything; no rule can take that away."""

    _ALLOWED = Decision(Verdict.ALLOW)

    def decide(self, attributes: Attributes) -> Decision:
        return self._ALLOWED if MASTERS in attributes.user.groups else NO_OPINION


class Always:
    """For chains that end in a word that holds for all."""

    def __init__(self, decision: Decision) -> None:
        self._decision = decision

    def decide(self, attributes: Attributes) -> Decision:
        return self._decision


class Chain:
    """Asks authorizers in order; the first that allows or denies is followed."""

    def __init__(self, authorizers: Sequence[Authorizer]) -> None:
        self.change(authorizers)

    def change(self, authorizers: Sequence[Authorizer]) -> None:
        self._authorizers = tuple(authorizers)

    def decide(self, attributes: Attributes) -> Decision:
        reasons: list[str] = []
        for each in self._authorizers:
            decision = each.decide(attributes)
            if decision.verdict is not Verdict.NO_OPINION:
                return decision
            if decision.reason:
                reasons.append(decision.reason)
        return Decision(Verdict.NO_OPINION, "\n".join(reasons)) if reasons else NO_OPINION


def joined(errors: Sequence[str]) -> str:
    """Several errors as one text: `[a, b]`; one as itself."""
    distinct = list(dict.fromkeys(errors))
    return distinct[0] if len(distinct) == 1 else f"[{', '.join(distinct)}]" if distinct else ""


def check(authorizer: Authorizer, attributes: Attributes) -> None:
    """Raises ApiError 403 with Kubernetes' words when the request is not allowed."""
    decision = authorizer.decide(attributes)
    if not decision.allowed:
        raise refusal(attributes, decision)


def refusal(attributes: Attributes, decision: Decision) -> ApiError:
    why = _what(attributes)
    if decision.reason:
        why += f": {decision.reason}"
    if not attributes.is_resource:
        return ApiError(403, "Forbidden", f"forbidden: {why}", {})
    return forbidden(attributes.group, attributes.resource, attributes.name, why)


def _what(attributes: Attributes) -> str:
    user = f'User "{attributes.user.name}" cannot {attributes.verb}'
    if not attributes.is_resource:
        return f'{user} path "{attributes.path}"'
    resource = attributes.resource
    if attributes.subresource:
        resource += f"/{attributes.subresource}"
    what = f'{user} resource "{resource}" in API group "{attributes.group}"'
    if attributes.namespace:
        return f'{what} in the namespace "{attributes.namespace}"'
    return f"{what} at the cluster scope"
