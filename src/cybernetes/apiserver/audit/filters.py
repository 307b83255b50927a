"""What the chain has more when requests are audited: nothing of it runs when they are not."""

from __future__ import annotations

import asyncio

from cybernetes.apiserver import chain
from cybernetes.apiserver.chain import Filter, Next, Passage
from cybernetes.apiserver.core import Core
from cybernetes.wire.http.message import Response

DECISION, REASON = "authorization.k8s.io/decision", "authorization.k8s.io/reason"


async def audit(core: Core, passage: Passage, following: Next) -> Response:
    """Outermost: sees the final answer, and gives it to the trail that `begin` made."""
    passage.received = core.clock.now()
    try:
        response = await following(passage)
    except asyncio.CancelledError:
        if passage.trail is not None:
            _annotate(passage)
            passage.trail.left()
        raise
    if passage.user is None and passage.trail is None:
        return await _unauthenticated(core, passage, response)
    if passage.trail is None:
        return response
    _annotate(passage)
    long = chain.is_long(passage)
    answered: Response = passage.trail.answered(response, passage.failure, long=long, panicked=passage.panicked)
    return answered


async def begin(core: Core, passage: Passage, following: Next) -> Response:
    """Behind authentication, for rules name users."""
    passage.trail = await core.audit.begin(
        passage.request, passage.info, passage.user, passage.audit_id, passage.received
    )
    return await following(passage)


async def impersonated(core: Core, passage: Passage, following: Next) -> Response:
    if passage.trail is not None and "impersonate-user" in passage.request.headers:
        passage.trail.impersonated(passage.user)
    return await following(passage)


def _annotate(passage: Passage) -> None:
    if passage.decision is not None:
        allowed = passage.decision.allowed
        passage.trail.annotate({DECISION: "allow" if allowed else "forbid", REASON: passage.decision.reason})
    passage.trail.annotate(passage.annotations)


async def _unauthenticated(core: Core, passage: Passage, response: Response) -> Response:
    trail = await core.audit.begin(passage.request, passage.info, None, passage.audit_id, passage.received)
    if trail is not None:
        trail.unauthenticated(response.status, _attempted(passage))
    return response


def _attempted(passage: Passage) -> str:
    headers = passage.request.headers
    tried = [
        name for name, there in (("x509", passage.request.certificate), ("bearer", "authorization" in headers)) if there
    ]
    if not tried:
        return "Authentication failed, no credentials provided"
    return f"Authentication failed, attempted: {', '.join(tried)}"


def audited(filters: tuple[Filter, ...]) -> tuple[Filter, ...]:
    """The chain with auditing in its places."""
    found: list[Filter] = [audit]
    for each in filters:
        found.append(each)
        if each is chain.authenticate:
            found.append(begin)
        elif each is chain.impersonate:
            found.append(impersonated)
    return tuple(found)
