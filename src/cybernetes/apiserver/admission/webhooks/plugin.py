"""The two plugins: mutating hooks one after the other, validating ones all at once."""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

import msgspec

from cybernetes.apiserver.admission import matching
from cybernetes.apiserver.admission.attributes import AdmissionAttributes, Place
from cybernetes.apiserver.admission.chain import Mutating, Step, Validating
from cybernetes.apiserver.admission.webhooks.call import NotAsked
from cybernetes.apiserver.admission.webhooks.review import Unusable, Verdict, failure, review_of, verdict_of
from cybernetes.auth.lister import Lister
from cybernetes.base.errors import ApiError, bad_request
from cybernetes.base.random import Random, uid
from cybernetes.model import cel, patch

Object = dict[str, Any]
# Types checked and defaults filled in, after a hook patched an object; raises ApiError.
Normalize = Callable[[AdmissionAttributes, Object], Object]

DEFAULT_TIMEOUT_S = 10
_DRY = ("None", "NoneOnDryRun")


class Caller(Protocol):
    async def ask(self, client_config: Object, body: bytes, timeout_s: int) -> bytes:
        """The body of the hook's answer. Raises NotAsked."""
        ...


class Hook(msgspec.Struct, frozen=True):
    """One webhook. configuration and index order hooks and name them in audit annotations."""

    name: str
    configuration: str
    index: int
    spec: Object

    @property
    def must_answer(self) -> bool:
        return bool(self.spec.get("failurePolicy", "Fail") != "Ignore")


class _Hooks:
    """Hooks of one kind of configuration, in order."""

    def __init__(self, lister: Lister, plural: str) -> None:
        self._lister = lister
        self._by_configuration: dict[str, tuple[Hook, ...]] = {}
        self.ordered: tuple[Hook, ...] = ()
        lister.subscribe(matching.GROUP, plural, self._changed)

    def concerns(self, hook: Hook, attributes: AdmissionAttributes) -> bool:
        """Raises ApiError where a condition of a hook that must answer can't be evaluated."""
        return (
            matching.rules_match(hook.spec.get("rules") or (), attributes)
            and matching.selectors_match(hook.spec, attributes, self._namespace_labels)
            and _conditions_hold(hook, attributes)
        )

    def _namespace_labels(self, name: str) -> Object | None:
        namespace = self._lister.get("", "namespaces", "", name)
        return (namespace["metadata"].get("labels") or {}) if namespace else None

    def _changed(self, old: Object | None, new: Object | None) -> None:
        configuration = (new or old or {})["metadata"]["name"]
        self._by_configuration.pop(configuration, None)
        if new is not None:
            hooks = enumerate(new.get("webhooks") or ())
            self._by_configuration[configuration] = tuple(
                Hook(s.get("name", ""), configuration, i, s) for i, s in hooks
            )
        self.ordered = tuple(each for name in sorted(self._by_configuration) for each in self._by_configuration[name])


def _conditions_hold(hook: Hook, attributes: AdmissionAttributes) -> bool:
    conditions = hook.spec.get("matchConditions")
    if not conditions:
        return True
    try:
        return matching.conditions_hold(conditions, matching.cel_values(attributes))
    except cel.CelError as wrong:
        if hook.must_answer:
            raise attributes.forbidden(str(wrong)) from wrong
        return False


class _Asker:
    def __init__(self, caller: Caller, random: Random, kind: str) -> None:
        self._caller = caller
        self._random = random
        self._kind = kind

    async def ask(self, hook: Hook, attributes: AdmissionAttributes, round_: int) -> Verdict:
        """Raises ApiError where the hook must answer and does not; one that need not is then as if it allowed."""
        if attributes.dry_run and hook.spec.get("sideEffects") not in _DRY:
            raise bad_request(f'admission webhook "{hook.name}" does not support dry run')
        number = uid(self._random)
        timeout_s = hook.spec.get("timeoutSeconds") or DEFAULT_TIMEOUT_S
        try:
            body = await self._caller.ask(hook.spec["clientConfig"], review_of(attributes, number), timeout_s)
            verdict = verdict_of(body, number, hook.name)
        except (NotAsked, Unusable) as failed:
            if hook.must_answer:
                doing = (
                    "failed to call webhook" if isinstance(failed, NotAsked) else "received invalid webhook response"
                )
                raise failure(hook.name, f"{doing}: {failed}") from failed
            key = f"failed-open.{self._kind}.webhook.admission.k8s.io/round_{round_}_index_{hook.index}"
            attributes.annotations[key] = hook.name
            return Verdict()
        attributes.warnings.extend(verdict.warnings)
        attributes.annotations.update(verdict.annotations)
        return verdict


class MutatingWebhooks(Mutating):
    name = "MutatingAdmissionWebhook"

    def __init__(self, lister: Lister, caller: Caller, random: Random, normalize: Normalize) -> None:
        self._hooks = _Hooks(lister, "mutatingwebhookconfigurations")
        self._asker = _Asker(caller, random, "mutation")
        self._normalize = normalize

    def mutator(self, place: Place) -> Step | None:
        return None if matching.is_exempt(place.group, place.plural) else self._mutate

    def _mutate(self, attributes: AdmissionAttributes) -> Awaitable[None] | None:
        return self._ask_all(attributes) if self._hooks.ordered else None

    async def _ask_all(self, attributes: AdmissionAttributes) -> None:
        """A second round for those who want to see what hooks after them changed."""
        again: list[Hook] = []
        asked: list[Hook] = []
        # Each hook is matched on what the hooks before it have made of the object.
        for hook in self._hooks.ordered:
            if not self._hooks.concerns(hook, attributes):
                continue
            if await self._ask(hook, attributes, 0):
                again += [each for each in asked if each not in again]
            asked.append(hook)
        for hook in again:
            if hook.spec.get("reinvocationPolicy") == "IfNeeded":
                await self._ask(hook, attributes, 1)

    async def _ask(self, hook: Hook, attributes: AdmissionAttributes, round_: int) -> bool:
        """Whether the hook changed the object."""
        verdict = await self._asker.ask(hook, attributes, round_)
        if verdict.refusal is not None:
            raise verdict.refusal
        if not verdict.patch or attributes.object is None:
            return False
        before = copy.deepcopy(attributes.object)
        patched = self._normalize(attributes, patch.json_patch(before, verdict.patch))
        changed = patched != before
        attributes.object.clear()
        attributes.object.update(patched)
        return changed


class ValidatingWebhooks(Validating):
    name = "ValidatingAdmissionWebhook"

    def __init__(self, lister: Lister, caller: Caller, random: Random) -> None:
        self._hooks = _Hooks(lister, "validatingwebhookconfigurations")
        self._asker = _Asker(caller, random, "validation")

    def validator(self, place: Place) -> Step | None:
        return None if matching.is_exempt(place.group, place.plural) else self._validate

    def _validate(self, attributes: AdmissionAttributes) -> Awaitable[None] | None:
        return self._ask_all(attributes) if self._hooks.ordered else None

    async def _ask_all(self, attributes: AdmissionAttributes) -> None:
        hooks = [each for each in self._hooks.ordered if self._hooks.concerns(each, attributes)]
        if not hooks:
            return
        results = await asyncio.gather(*(self._refusal(hook, attributes) for hook in hooks))
        refusal = next((each for each in results if each is not None), None)
        if refusal is not None:
            raise refusal

    async def _refusal(self, hook: Hook, attributes: AdmissionAttributes) -> ApiError | None:
        try:
            return (await self._asker.ask(hook, attributes, 0)).refusal
        except ApiError as failed:
            return failed
