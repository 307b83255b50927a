"""TokenReview: whose is this token. SelfSubjectReview: who am I, to the server."""

from __future__ import annotations

from cybernetes.apiserver import body, managed, respond
from cybernetes.apiserver.core import Call, Core, Object
from cybernetes.apiserver.options import write_options
from cybernetes.auth.asking import settled
from cybernetes.auth.authn import Authenticator
from cybernetes.auth.tokens import InvalidToken
from cybernetes.base.clock import rfc3339
from cybernetes.base.errors import bad_request
from cybernetes.wire.http.message import Response


async def review_token(core: Core, call: Call, authenticator: Authenticator) -> Response:
    options = write_options(call.request, "CreateOptions")
    asked = body.read(call, body.shape_of(call), options)
    spec = asked.get("spec") or {}
    if not spec.get("token"):
        raise bad_request("token is required for TokenReview in authentication")
    managed.track_create(call, asked, options, core.clock.now())
    audiences = tuple(spec.get("audiences") or ())
    status = await settled(lambda: token_status(spec["token"], audiences, authenticator))
    return respond.plain(call, {**asked, "status": status}, 201)


def token_status(token: str, audiences: tuple[str, ...], authenticator: Authenticator) -> Object:
    try:
        found = authenticator.review(token, audiences)
    except InvalidToken as wrong:
        why = str(wrong)
        return {"user": {}, "error": f"[invalid bearer token, {why}]" if why else "invalid bearer token"}
    return {"authenticated": True, "user": found.user.info(), "audiences": list(found.audiences)}


async def review_self(core: Core, call: Call) -> Response:
    body.read(call, body.shape_of(call), write_options(call.request, "CreateOptions"))
    return respond.plain(
        call,
        {
            "kind": "SelfSubjectReview",
            "apiVersion": "authentication.k8s.io/v1",
            "metadata": {"creationTimestamp": rfc3339(core.clock.now())},
            "status": {"userInfo": call.user.info()},
        },
        201,
    )
