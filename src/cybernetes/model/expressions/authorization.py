"""The requester's rights in expressions: authorizer.group('').resource('pods').check('create').allowed().

source  Kubernetes documentation "Common Expression Language in Kubernetes", authorizer library
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from cybernetes.cel.errors import EvaluationError
from cybernetes.cel.functions import Overload, method
from cybernetes.cel.types import BOOL, STRING, Type, opaque

_PREFIX = "kubernetes.authorization."
AUTHORIZER = opaque(_PREFIX + "Authorizer")
PATH_CHECK = opaque(_PREFIX + "PathCheck")
GROUP_CHECK = opaque(_PREFIX + "GroupCheck")
RESOURCE_CHECK = opaque(_PREFIX + "ResourceCheck")
DECISION = opaque(_PREFIX + "Decision")


class Question(msgspec.Struct, frozen=True):
    """What is asked. service_account: (namespace, name) in place of the requester; path: where it is no resource."""

    verb: str = ""
    service_account: tuple[str, str] | None = None
    path: str = ""
    group: str = ""
    resource: str = ""
    subresource: str = ""
    namespace: str = ""
    name: str = ""
    field_selector: str = ""
    label_selector: str = ""


class Answer(msgspec.Struct, frozen=True):
    allowed: bool
    reason: str = ""
    error: str = ""


Ask = Callable[[Question], Answer]


class _Asking:
    """A question that is being put together."""

    __slots__ = ("ask", "cel_type", "question")

    def __init__(self, ask: Ask, question: Question, cel_type: Type) -> None:
        self.ask = ask
        self.question = question
        self.cel_type = cel_type

    def with_(self, cel_type: Type | None = None, **fields: Any) -> _Asking:
        return _Asking(self.ask, msgspec.structs.replace(self.question, **fields), cel_type or self.cel_type)


class _Decision:
    __slots__ = ("answer",)
    cel_type = DECISION

    def __init__(self, answer: Answer) -> None:
        self.answer = answer


def authorizer(ask: Ask) -> Any:
    """The value of the variable `authorizer`."""
    return _Asking(ask, Question(), AUTHORIZER)


def request_resource(ask: Ask, question: Question) -> Any:
    """The value of the variable `authorizer.requestResource`."""
    return _Asking(ask, question, RESOURCE_CHECK)


def overloads() -> list[Overload]:
    resource = [RESOURCE_CHECK, STRING]
    return [
        method("path", "authorizer_path", [AUTHORIZER, STRING], PATH_CHECK, _path),
        method("group", "authorizer_group", [AUTHORIZER, STRING], GROUP_CHECK, _field("group", GROUP_CHECK)),
        method("serviceAccount", "authorizer_serviceaccount", [AUTHORIZER, STRING, STRING], AUTHORIZER, _service_account),
        method("resource", "groupcheck_resource", [GROUP_CHECK, STRING], RESOURCE_CHECK, _field("resource", RESOURCE_CHECK)),
        method("subresource", "resourcecheck_subresource", resource, RESOURCE_CHECK, _field("subresource")),
        method("namespace", "resourcecheck_namespace", resource, RESOURCE_CHECK, _field("namespace")),
        method("name", "resourcecheck_name", resource, RESOURCE_CHECK, _field("name")),
        method("fieldSelector", "authorizer_fieldselector", resource, RESOURCE_CHECK, _field("field_selector")),
        method("labelSelector", "authorizer_labelselector", resource, RESOURCE_CHECK, _field("label_selector")),
        method("check", "pathcheck_check", [PATH_CHECK, STRING], DECISION, _check),
        method("check", "resourcecheck_check", resource, DECISION, _check),
        method("allowed", "decision_allowed", [DECISION], BOOL, lambda value: value.answer.allowed),
        method("reason", "decision_reason", [DECISION], STRING, lambda value: value.answer.reason),
        method("errored", "decision_errored", [DECISION], BOOL, lambda value: bool(value.answer.error)),
        method("error", "decision_error", [DECISION], STRING, lambda value: value.answer.error),
    ]  # fmt: skip


def _path(asking: _Asking, path: str) -> _Asking:
    if not path:
        raise EvaluationError("path must not be empty")
    return asking.with_(PATH_CHECK, path=path)


def _field(name: str, cel_type: Type | None = None) -> Callable[[_Asking, str], _Asking]:
    return lambda asking, value: asking.with_(cel_type, **{name: value})


def _service_account(asking: _Asking, namespace: str, name: str) -> _Asking:
    return asking.with_(service_account=(namespace, name))


def _check(asking: _Asking, verb: str) -> _Decision:
    return _Decision(asking.ask(asking.with_(verb=verb).question))
