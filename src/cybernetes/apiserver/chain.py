"""The road of a request: an ordered list of filters, each of which answers itself or asks the next.

identify -> time limit -> authenticate -> impersonate -> take turn -> authorize -> route

Errors of the API become Statuses in the outermost filter; anything else that escapes is a bug, logged and
answered with 500.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec

from cybernetes.apiserver import respond
from cybernetes.apiserver.core import Core
from cybernetes.apiserver.request import RequestInfo, parse
from cybernetes.auth import authz, impersonation
from cybernetes.auth.asking import Unanswered, settled
from cybernetes.auth.authz import Attributes, Decision
from cybernetes.base import duration, random
from cybernetes.base.errors import ApiError, EdgeError, bad_request, unauthorized
from cybernetes.base.log import Log
from cybernetes.model.selector import Requirements, parse_fields, parse_labels
from cybernetes.wire.http.message import Request, Response

log = Log("apiserver")

# Longer than any number of a request that a client may want to find in the audit log again.
AUDIT_ID_MAX = 128
_LONG_SUBRESOURCES = frozenset(("log", "exec", "attach", "portforward", "proxy"))


class Passage(msgspec.Struct):
    """A request on its way through the filters; each fills in what it finds out.

    headers      of the answer, whatever it will be
    annotations  what authorization and admission tell the audit log; failure: the error that became the answer
    received     when it came, and trail: its events; both for audited requests only
    """

    request: Request
    info: RequestInfo
    user: Any = None
    warnings: list[str] = []
    headers: list[tuple[str, str]] = []
    audit_id: str = ""
    annotations: dict[str, str] = {}
    decision: Decision | None = None
    failure: ApiError | None = None
    panicked: bool = False
    received: float = 0.0
    trail: Any = None


Pairs = tuple[tuple[str, str], ...]
Next = Callable[[Passage], Awaitable[Response]]
Filter = Callable[[Core, Passage, Next], Awaitable[Response]]


async def answer_errors(core: Core, passage: Passage, following: Next) -> Response:
    asked = passage.request.headers.get("audit-id")
    passage.audit_id = asked if asked and _is_audit_id(asked) else random.uid(core.random)
    try:
        response = await following(passage)
    except ApiError as error:
        response = _failed(passage, error)
    except EdgeError as error:
        log.warning("request.failed", path=passage.info.path, why=str(error))
        response = _failed(passage, internal(str(error)))
    except (Exception, Unanswered) as bug:
        log.error("request.panicked", bug, method=passage.request.method, path=passage.info.path)
        passage.panicked = True
        response = _failed(passage, internal(f"{type(bug).__name__}: {bug}"))
    response.headers.append(("Audit-Id", passage.audit_id))
    response.headers.extend(passage.headers)
    return response


def _is_audit_id(text: str) -> bool:
    """What may go into a header and a log as it came."""
    return len(text) <= AUDIT_ID_MAX and text.isascii() and text.isprintable()


def _failed(passage: Passage, error: ApiError) -> Response:
    passage.failure = error
    return respond.failure(passage.request, error, passage.warnings)


def internal(text: str) -> ApiError:
    return ApiError(500, "InternalError", f"Internal error occurred: {text}", {"causes": [{"message": text}]})


async def limit_time(core: Core, passage: Passage, following: Next) -> Response:
    """Ordinary requests end in time; watches, logs and connections live as long as their own options say."""
    if is_long(passage):
        return await following(passage)
    seconds = _asked_timeout(passage.request, core.time_limit.seconds)
    try:
        if seconds == core.time_limit.seconds:
            with core.time_limit.hold():
                return await following(passage)
        async with asyncio.timeout(seconds):
            return await following(passage)
    except TimeoutError as late:
        message = "Timeout: request did not complete within the allotted timeout"
        raise ApiError(504, "Timeout", message) from late


def is_long(passage: Passage) -> bool:
    info = passage.info
    return info.verb == "watch" or info.subresource in _LONG_SUBRESOURCES or passage.request.flag("watch")


def _asked_timeout(request: Request, most_s: float) -> float:
    """Seconds. Raises ApiError 400 when `timeout` is no duration."""
    text = request.param("timeout")
    if not text or not request.path.startswith(("/api/", "/apis/")):
        return most_s
    if text == "0":
        return most_s
    try:
        seconds = duration.parse(text)
    except ValueError as wrong:
        raise bad_request(f"invalid timeout specified in the request URL - {wrong}") from wrong
    return min(seconds, most_s) if seconds > 0 else most_s


async def authenticate(core: Core, passage: Passage, following: Next) -> Response:
    if passage.user is None:
        if core.authenticator is None:
            raise unauthorized()
        try:
            passage.user = core.authenticator.identify(passage.request)
        except Unanswered as first:
            passage.user = await settled(lambda: core.authenticator.identify(passage.request), first)
    return await following(passage)


async def take_turn(core: Core, passage: Passage, following: Next) -> Response:
    """Wait until it is this request's turn (`flowcontrol`).

    A watch has its turn until it began; sessions and logs, which cost little and last, have none.
    """
    if core.fairness is None or (is_long(passage) and passage.info.verb != "watch"):
        return await following(passage)
    answered: Response = await core.fairness.admit(
        passage.request, passage.info, passage.user, passage.headers, lambda: following(passage)
    )
    return answered


async def impersonate(core: Core, passage: Passage, following: Next) -> Response:
    asked = impersonation.wanted(passage.request.headers)
    if asked is not None:
        sender, action = passage.user, attributes_of(passage)
        passage.user = await settled(lambda: impersonation.impersonate(sender, asked, core.authorizer, action))
    return await following(passage)


async def authorize(core: Core, passage: Passage, following: Next) -> Response:
    attributes = attributes_of(passage)
    try:
        decision = core.authorizer.decide(attributes)
    except Unanswered as first:
        decision = await settled(lambda: core.authorizer.decide(attributes), first)
    passage.decision = decision
    if not decision.allowed:
        raise authz.refusal(attributes, decision)
    return await following(passage)


def attributes_of(passage: Passage) -> Attributes:
    info = passage.info
    if not info.is_resource:
        return Attributes(passage.user, info.verb, path=info.path, is_resource=False)
    query = passage.request.query
    selected = info.verb in _SELECTING and ("fieldSelector" in query or "labelSelector" in query)
    fields, exclusions, labels = selectors_of(passage.request) if selected else ((), (), ())
    return Attributes(
        passage.user,
        info.verb,
        info.group,
        info.version,
        info.resource,
        info.subresource,
        info.namespace,
        info.name,
        info.path,
        True,
        fields,
        exclusions,
        labels,
    )


_SELECTING = frozenset(("list", "watch", "deletecollection"))


def selectors_of(request: Request) -> tuple[Pairs, Pairs, Requirements]:
    """Of a collection's request (fields that must be, fields that must not be, labels).

    A selector that can't be read narrows nothing: the request is refused later, by who may know why.
    """
    try:
        terms = parse_fields(request.param("fieldSelector"))
    except ApiError:
        terms = ()
    try:
        labels = parse_labels(request.param("labelSelector"))
    except ApiError:
        labels = ()
    equal = tuple((each.field, each.value) for each in terms if each.equal)
    return equal, tuple((each.field, each.value) for each in terms if not each.equal), labels


FILTERS: tuple[Filter, ...] = (answer_errors, limit_time, authenticate, impersonate, take_turn, authorize)


def chain(core: Core, filters: tuple[Filter, ...], route: Next) -> Next:
    """One function that passes a request through the filters, outermost first, and then routes it."""
    following = route
    for each in reversed(filters):
        following = _link(core, each, following)
    return following


def _link(core: Core, each: Filter, following: Next) -> Next:
    def linked(passage: Passage) -> Awaitable[Response]:
        return each(core, passage, following)

    return linked


def passage_of(request: Request) -> Passage:
    return Passage(request, parse(request))
