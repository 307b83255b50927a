"""What expressions about one write see: the objects, the request, its namespace, the requester's rights.

enters   the write, and who answers questions about rights
leaves   values of variables; results of expressions, with the words of the reference where they fail
fails    Failed
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from cybernetes.apiserver.admission.attributes import AdmissionAttributes
from cybernetes.auth.asking import Unanswered, settled
from cybernetes.auth.authz import Attributes, Authorizer, Verdict
from cybernetes.auth.lister import Lister
from cybernetes.auth.user import AUTHENTICATED, User, service_account, service_account_groups
from cybernetes.base.errors import ApiError
from cybernetes.cel.environment import CALL_LIMIT, Program
from cybernetes.cel.errors import CelError, CostExceeded
from cybernetes.model import selector
from cybernetes.model.expressions import authorization
from cybernetes.model.expressions.authorization import Answer, Question
from cybernetes.model.expressions.costs import OUT_OF_BUDGET, RUNTIME_BUDGET

Object = dict[str, Any]
T = TypeVar("T")


class Failed(Exception):
    """An expression could not be evaluated; the text is for the client."""


class OutOfBudget(CelError):
    """Expressions cost more than they may together; nothing catches it inside of an expression."""


async def decided(decide: Callable[[], T]) -> T:
    """What `decide` returns, which may need answers of authorizers on other servers; it must change nothing."""
    try:
        return decide()
    except Unanswered as first:
        return await settled(decide, first)


class Budget:
    """What expressions that belong together may still cost."""

    def __init__(self, left: int = RUNTIME_BUDGET) -> None:
        self.left = left

    def spend(self, cost: int) -> None:
        self.left -= cost
        if self.left < 0:
            raise OutOfBudget(OUT_OF_BUDGET)


class Rights:
    """Answers of the authorizer, for the variable of that name."""

    def __init__(self, authorizer: Authorizer) -> None:
        self._authorizer = authorizer

    def variables(self, attributes: AdmissionAttributes) -> Object:
        a = attributes
        own = Question(group=a.group, resource=a.plural, subresource=a.subresource, namespace=a.namespace, name=a.name)

        def ask(question: Question) -> Answer:
            return self._answer(a.user, question)

        return {
            "authorizer": authorization.authorizer(ask),
            "authorizer.requestResource": authorization.request_resource(ask, own),
        }

    def _answer(self, user: User, question: Question) -> Answer:
        if question.service_account is not None:
            user = _service_account(*question.service_account)
        try:
            fields = selector.parse_fields(question.field_selector) if question.field_selector else ()
            labels = selector.parse_labels(question.label_selector) if question.label_selector else ()
        except ApiError as wrong:
            return Answer(allowed=False, error=wrong.message)
        decision = self._authorizer.decide(
            Attributes(
                user,
                question.verb,
                group=question.group,
                version="*",
                resource=question.resource,
                subresource=question.subresource,
                namespace=question.namespace,
                name=question.name,
                path=question.path,
                is_resource=not question.path,
                field_selector=tuple((each.field, each.value) for each in fields if each.equal),
                field_exclusions=tuple((each.field, each.value) for each in fields if not each.equal),
                label_selector=labels,
            )
        )
        return Answer(allowed=decision.verdict is Verdict.ALLOW, reason=decision.reason)


def _service_account(namespace: str, name: str) -> User:
    return User(service_account(namespace, name), groups=(*service_account_groups(namespace), AUTHENTICATED))


def namespace_of(attributes: AdmissionAttributes, lister: Lister) -> Object | None:
    """The value of namespaceObject; None for what is in no namespace."""
    if not attributes.namespace or (attributes.group, attributes.plural) == ("", "namespaces"):
        return None
    return lister.get("", "namespaces", "", attributes.namespace)


def evaluate(program: Program, values: Mapping[str, Any], budget: Budget) -> Any:
    """Raises Failed, or OutOfBudget."""
    try:
        result, cost = program.evaluate(values, min(CALL_LIMIT, max(0, budget.left)))
    except OutOfBudget:
        raise
    except CostExceeded as wrong:
        if budget.left < CALL_LIMIT:
            raise OutOfBudget(OUT_OF_BUDGET) from wrong
        raise Failed(f"expression '{program.text}' resulted in error: {wrong}") from wrong
    except CelError as wrong:
        raise Failed(f"expression '{program.text}' resulted in error: {wrong}") from wrong
    budget.spend(cost)
    return result
