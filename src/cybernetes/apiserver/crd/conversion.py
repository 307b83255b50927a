"""The two ways from one version of a custom resource to another: by name only, or by asking a webhook."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from cybernetes.apiserver.crd import review
from cybernetes.base.errors import ApiError
from cybernetes.base.random import Random, uid

Object = dict[str, Any]

# Upstream's client of conversion webhooks waits as long; definitions can't say otherwise.
TIMEOUT_S = 30


class NotAsked(Exception):
    """The hook gave no answer; the text says why, as refusals repeat it."""


class Caller(Protocol):
    async def ask(self, client_config: Object, body: bytes, timeout_s: int) -> bytes:
        """The body of the hook's answer. Raises NotAsked."""
        ...


class Converter(Protocol):
    async def convert(self, objects: Sequence[Object], api_version: str) -> list[Object]:
        """Whole objects in another version, in the same order. Raises ApiError 500."""
        ...


class ByName:
    """The strategy None: versions differ in nothing but their name."""

    async def convert(self, objects: Sequence[Object], api_version: str) -> list[Object]:
        return [{**each, "apiVersion": api_version} for each in objects]


class ByWebhook:
    """webhook  spec.conversion.webhook of the definition"""

    def __init__(self, caller: Caller, random: Random, webhook: Object) -> None:
        self._caller = caller
        self._random = random
        self._webhook = webhook

    async def convert(self, objects: Sequence[Object], api_version: str) -> list[Object]:
        about = f"conversion webhook for {objects[0]['apiVersion']}, Kind={objects[0]['kind']}"
        number = uid(self._random)
        try:
            version = review.review_version(self._webhook.get("conversionReviewVersions") or ())
            asked = review.review_of(objects, api_version, number, version)
            answer = await self._caller.ask(self._webhook["clientConfig"], asked, TIMEOUT_S)
            return review.converted(answer, objects, api_version, number, version)
        except NotAsked as failed:
            raise ApiError(500, "", f"{about} failed: {failed}") from failed
        except review.Unusable as wrong:
            raise ApiError(500, "", f"{about} {wrong}") from wrong
