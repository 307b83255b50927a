"""Rights that another server knows: a SubjectAccessReview by webhook.

source  Kubernetes documentation "Webhook Mode"; authorization.k8s.io/v1 SubjectAccessReview
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import msgspec
import orjson

from cybernetes.auth.asking import answer
from cybernetes.auth.authz import NO_OPINION, Attributes, Decision, Verdict
from cybernetes.auth.webhook import QUESTION_MAX_BYTES, Post, Remembered, review, status
from cybernetes.base.clock import Clock
from cybernetes.base.errors import EdgeError
from cybernetes.base.log import Log

log = Log("auth.webhook")

Object = dict[str, Any]

GROUP, KIND = "authorization.k8s.io", "SubjectAccessReview"
_OPERATORS = {
    "in": "In",
    "=": "In",
    "==": "In",
    "notin": "NotIn",
    "!=": "NotIn",
    "exists": "Exists",
    "!": "DoesNotExist",
}


class Terms(msgspec.Struct, frozen=True):
    """How an authorizer asks its webhook.

    deny_on_failure  refuse what the webhook gave no answer to, rather than ask the next authorizer
    conditions       expressions over `request`, all of which must be true before it is asked
    allowed_s, other_s  how long its answers are remembered; 0: not at all
    """

    name: str
    timeout_s: float = 3.0
    allowed_s: float = 300.0
    other_s: float = 30.0
    deny_on_failure: bool = False
    conditions: tuple[str, ...] = ()


class AccessWebhook:
    def __init__(self, terms: Terms, post: Post, clock: Clock) -> None:
        self.terms = terms
        self._post = post
        self._known = Remembered(clock)

    def decide(self, attributes: Attributes) -> Decision:
        """Raises Unanswered while it is asked."""
        spec = spec_of(attributes)
        if self.terms.conditions:
            concerned = self._concerned(spec)
            if concerned is not None:
                return concerned
        question = orjson.dumps(spec, option=orjson.OPT_SORT_KEYS)
        found = self._known.get(question)
        if found is None:

            async def ask() -> Decision:
                return await self._ask(spec, question)

            found = answer((id(self), question), ask)
        decision: Decision = found
        return decision

    def _concerned(self, spec: Object) -> Decision | None:
        """None when the webhook is to be asked."""
        failed = ""
        for each in self.terms.conditions:
            try:
                if not _holds(each, spec):
                    return NO_OPINION
            except ValueError as wrong:
                failed = failed or str(wrong)
        return self._failure(f"a match condition failed: {failed}") if failed else None

    async def _ask(self, spec: Object, question: bytes) -> Decision:
        try:
            async with asyncio.timeout(self.terms.timeout_s):
                found = decision_of(status(await self._post(review(KIND, GROUP, spec)), KIND, GROUP))
        except (EdgeError, TimeoutError) as failed:
            # Not remembered: the next request asks again.
            log.warning("webhook.access_not_reviewed", name=self.terms.name, why=str(failed) or "no answer in time")
            return self._failure("the webhook gave no answer")
        if len(question) <= QUESTION_MAX_BYTES:
            self._known.keep(question, found, self.terms.allowed_s if found.allowed else self.terms.other_s)
        return found

    def _failure(self, why: str) -> Decision:
        verdict = Verdict.DENY if self.terms.deny_on_failure else Verdict.NO_OPINION
        return Decision(verdict, f"authorizer {self.terms.name}: {why}")


def _holds(expression: str, spec: Object) -> bool:
    """Raises ValueError when it can't be said."""
    # Where no webhook has conditions, nobody pays for expressions.
    from cybernetes.auth.expressions import REQUEST, evaluate

    found = evaluate(REQUEST, expression, {"request": spec})
    if not isinstance(found, bool):
        raise ValueError(f"'{expression}' is neither true nor false")
    return found


def decision_of(answered: Object) -> Decision:
    """Raises EdgeError for an answer that says both."""
    reason = str(answered.get("reason") or "")
    allowed, denied = answered.get("allowed") is True, answered.get("denied") is True
    if allowed and denied:
        raise EdgeError("ask", KIND, "the webhook both allows and denies")
    if allowed:
        return Decision(Verdict.ALLOW, reason)
    return Decision(Verdict.DENY if denied else Verdict.NO_OPINION, reason)


def spec_of(attributes: Attributes) -> Object:
    """The spec of the review of an action."""
    user = attributes.user
    spec: Object = {}
    if attributes.is_resource:
        spec["resourceAttributes"] = _resource(attributes)
    else:
        spec["nonResourceAttributes"] = {"path": attributes.path, "verb": attributes.verb}
    spec["user"] = user.name
    if user.groups:
        spec["groups"] = list(user.groups)
    if user.extra:
        spec["extra"] = {key: list(values) for key, values in user.extra.items()}
    if user.uid:
        spec["uid"] = user.uid
    return spec


def _resource(attributes: Attributes) -> Object:
    names = ("namespace", "verb", "group", "version", "resource", "subresource", "name")
    found: Object = {name: getattr(attributes, name) for name in names if getattr(attributes, name)}
    fields = [{"key": key, "operator": "In", "values": [value]} for key, value in attributes.field_selector]
    fields += [{"key": key, "operator": "NotIn", "values": [value]} for key, value in attributes.field_exclusions]
    if fields:
        found["fieldSelector"] = {"requirements": fields}
    labels = [_label(each.key, each.operator, each.values) for each in attributes.label_selector]
    if any(labels):
        found["labelSelector"] = {"requirements": [each for each in labels if each]}
    return found


def _label(key: str, operator: str, values: Sequence[str]) -> Object:
    """{} for comparisons of numbers, which reviews don't have: leaving one out asks for more."""
    if operator not in _OPERATORS:
        return {}
    found: Object = {"key": key, "operator": _OPERATORS[operator]}
    return {**found, "values": list(values)} if values else found
