"""Which handler answers which review."""

from __future__ import annotations

import msgspec

from cybernetes.apiserver.core import Call, Core, Handler
from cybernetes.apiserver.reviews import access, identity, token_request
from cybernetes.auth.authn import Authenticator
from cybernetes.auth.order import Order
from cybernetes.auth.rbac import Rbac
from cybernetes.auth.tokens import Issuer, TokenTerms
from cybernetes.wire.http.message import Response

_AUTHORIZATION = "authorization.k8s.io"
_AUTHENTICATION = "authentication.k8s.io"


class Reviewers(msgspec.Struct, frozen=True):
    """Who knows the answers, besides the server's authorizer."""

    authenticator: Authenticator
    rbac: Rbac
    issuer: Issuer
    tokens: TokenTerms = TokenTerms()
    order: Order | None = None


def handlers(reviewers: Reviewers) -> dict[tuple[str, str, str], Handler]:
    """(group, plural, subresource) -> the handler of its create."""

    async def token_review(core: Core, call: Call) -> Response:
        return await identity.review_token(core, call, reviewers.authenticator)

    async def rules_review(core: Core, call: Call) -> Response:
        unforeseen = reviewers.order.unforeseen if reviewers.order is not None else ()
        return await access.review_rules(core, call, reviewers.rbac, unforeseen)

    async def request_token(core: Core, call: Call) -> Response:
        return await token_request.request_token(core, call, reviewers.issuer, reviewers.tokens)

    return {
        (_AUTHENTICATION, "tokenreviews", ""): token_review,
        (_AUTHENTICATION, "selfsubjectreviews", ""): identity.review_self,
        (_AUTHORIZATION, "subjectaccessreviews", ""): access.review,
        (_AUTHORIZATION, "localsubjectaccessreviews", ""): access.review_local,
        (_AUTHORIZATION, "selfsubjectaccessreviews", ""): access.review_own,
        (_AUTHORIZATION, "selfsubjectrulesreviews", ""): rules_review,
        ("", "serviceaccounts", "token"): request_token,
    }
