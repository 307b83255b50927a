"""Asks one webhook about one write: the review, the verdict, and what follows where there is none."""

from __future__ import annotations

from cybernetes.apiserver.admission.attributes import AdmissionAttributes
from cybernetes.apiserver.admission.webhooks.hooks import Hook
from cybernetes.apiserver.admission.webhooks.review import (
    Unreadable,
    Unusable,
    Verdict,
    failure,
    review_of,
    verdict_of,
    version_for,
)
from cybernetes.apiserver.crd.conversion import Caller, NotAsked
from cybernetes.base.errors import bad_request
from cybernetes.base.log import Log
from cybernetes.base.random import Random, uid

__all__ = ["Asker", "Caller"]

log = Log("apiserver.webhooks")

DEFAULT_TIMEOUT_S = 10
_DRY = ("None", "NoneOnDryRun")
MUTATION, VALIDATION = "mutation", "validating"


class Asker:
    def __init__(self, caller: Caller, random: Random) -> None:
        self._caller = caller
        self._random = random

    async def ask(self, hook: Hook, attributes: AdmissionAttributes, kind: str) -> Verdict:
        """kind is MUTATION or VALIDATION.

        raises  ApiError where the hook must answer and does not; one that need not is then as if it allowed
        """
        if attributes.dry_run and hook.spec.get("sideEffects") not in _DRY:
            raise bad_request(f'admission webhook "{hook.name}" does not support dry run')
        number = uid(self._random)
        version = version_for(hook.spec.get("admissionReviewVersions") or ())
        timeout_s = hook.spec.get("timeoutSeconds") or DEFAULT_TIMEOUT_S
        try:
            review = review_of(attributes, number, version)
            body = await self._caller.ask(hook.spec["clientConfig"], review, timeout_s)
            verdict = verdict_of(body, number, hook.name, version, mutating=kind == MUTATION)
        except (NotAsked, Unreadable) as failed:
            return _failed(hook, attributes, kind, f"failed to call webhook: {failed}")
        except Unusable as wrong:
            return _failed(hook, attributes, kind, f"received invalid webhook response: {wrong}")
        attributes.warnings.extend(verdict.warnings)
        attributes.annotations.update(verdict.annotations)
        return verdict


def _failed(hook: Hook, attributes: AdmissionAttributes, kind: str, why: str) -> Verdict:
    if hook.must_answer:
        raise failure(hook.name, why)
    log.warning("webhook.ignored", hook=hook.name, configuration=hook.configuration, why=why)
    round_ = int(attributes.again)
    key = f"failed-open.{kind}.webhook.admission.k8s.io/round_{round_}_index_{hook.index}"
    attributes.annotations[key] = hook.name
    return Verdict()
