"""The two plugins: mutating hooks one after the other, validating ones all at once."""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
import orjson

from cybernetes.apiserver.admission import matching
from cybernetes.apiserver.admission.attributes import AdmissionAttributes, Place
from cybernetes.apiserver.admission.chain import Mutating, Step, Validating
from cybernetes.apiserver.admission.scope import Rights
from cybernetes.apiserver.admission.webhooks.asking import MUTATION, VALIDATION, Asker
from cybernetes.apiserver.admission.webhooks.equivalent import Equivalents
from cybernetes.apiserver.admission.webhooks.hooks import Hook, Hooks
from cybernetes.apiserver.admission.webhooks.review import Verdict, internal
from cybernetes.auth.lister import Lister
from cybernetes.base.errors import ApiError
from cybernetes.model import patch

Object = dict[str, Any]
# Types checked and defaults filled in, after a hook patched an object; raises ApiError.
Normalize = Callable[[AdmissionAttributes, Object], Object]


class _Output(msgspec.Struct):
    """What the first round left. seen: the object; asked, again: hooks that were asked, that must be once more."""

    seen: bytes = b""
    asked: list[Hook] = []
    again: list[Hook] = []

    def changed(self) -> None:
        """A hook changed the object: those before it may want to see that."""
        self.again += [each for each in self.asked if each not in self.again]


class MutatingWebhooks(Mutating):
    name = "MutatingAdmissionWebhook"

    def __init__(
        self, lister: Lister, asker: Asker, equivalents: Equivalents, normalize: Normalize, rights: Rights
    ) -> None:
        self._hooks = Hooks(lister, "mutatingwebhookconfigurations", equivalents, rights)
        self._asker = asker
        self._equivalents = equivalents
        self._normalize = normalize

    def mutator(self, place: Place) -> Step | None:
        return None if matching.is_exempt(place.group, place.plural) else self._mutate

    def _mutate(self, attributes: AdmissionAttributes) -> Awaitable[None] | None:
        if attributes.again:
            return self._ask_again(attributes)
        return self._ask_all(attributes) if self._hooks.ordered else None

    async def _ask_all(self, attributes: AdmissionAttributes) -> None:
        """Each hook is matched on what the hooks before it have made of the object."""
        output = attributes.output = _Output()
        for hook in self._hooks.ordered:
            looked = await self._hooks.concerned(hook, attributes)
            if looked is None:
                continue
            if await self._ask(hook, looked, attributes):
                output.changed()
                attributes.reinvoke = True
            if hook.may_be_asked_again:
                output.asked.append(hook)
        output.seen = orjson.dumps(attributes.object) if output.asked else b""

    async def _ask_again(self, attributes: AdmissionAttributes) -> None:
        """A second round for those who want to see what came after them."""
        output = attributes.output
        if output is None or not output.asked:
            return
        if orjson.dumps(attributes.object) != output.seen:
            output.changed()
        for hook in output.asked:
            looked = await self._hooks.concerned(hook, attributes) if hook in output.again else None
            if looked is not None:
                await self._ask(hook, looked, attributes)

    async def _ask(self, hook: Hook, looked: AdmissionAttributes, attributes: AdmissionAttributes) -> bool:
        """Whether the hook changed the object. Raises its refusal."""
        verdict = await self._asker.ask(hook, looked, MUTATION)
        if verdict.refusal is not None:
            _note(hook, attributes, mutated=False)
            raise verdict.refusal
        changed = await self._apply(hook, verdict, looked, attributes)
        _note(hook, attributes, mutated=changed)
        return changed

    async def _apply(
        self, hook: Hook, verdict: Verdict, looked: AdmissionAttributes, attributes: AdmissionAttributes
    ) -> bool:
        if not verdict.patch:
            return False
        if looked.object is None or attributes.object is None:
            raise internal(
                f'admission webhook "{hook.name}" attempted to modify the object, which is not supported for this operation'
            )
        before = copy.deepcopy(looked.object)
        try:
            patched = self._normalize(looked, patch.json_patch(before, verdict.patch))
        except ApiError as wrong:
            # The hook's fault, not the client's.
            raise wrong if wrong.code >= 500 else internal(wrong.message) from wrong
        if patched == before:
            return False
        if looked is not attributes:
            patched = await self._equivalents.back(patched, looked, attributes)
        attributes.object.clear()
        attributes.object.update(patched)
        return True


def _note(hook: Hook, attributes: AdmissionAttributes, *, mutated: bool) -> None:
    key = f"{MUTATION}.webhook.admission.k8s.io/round_{int(attributes.again)}_index_{hook.index}"
    said = {"configuration": hook.configuration, "webhook": hook.name, "mutated": mutated}
    attributes.annotations[key] = orjson.dumps(said).decode()


class ValidatingWebhooks(Validating):
    name = "ValidatingAdmissionWebhook"

    def __init__(self, lister: Lister, asker: Asker, equivalents: Equivalents, rights: Rights) -> None:
        self._hooks = Hooks(lister, "validatingwebhookconfigurations", equivalents, rights)
        self._asker = asker

    def validator(self, place: Place) -> Step | None:
        return None if matching.is_exempt(place.group, place.plural) else self._validate

    def _validate(self, attributes: AdmissionAttributes) -> Awaitable[None] | None:
        return self._ask_all(attributes) if self._hooks.ordered else None

    async def _ask_all(self, attributes: AdmissionAttributes) -> None:
        looked = [(each, await self._hooks.concerned(each, attributes)) for each in self._hooks.ordered]
        asking = [self._refusal(hook, seen) for hook, seen in looked if seen is not None]
        if not asking:
            return
        results = await asyncio.gather(*asking)
        refusal = next((each for each in results if each is not None), None)
        if refusal is not None:
            raise refusal

    async def _refusal(self, hook: Hook, attributes: AdmissionAttributes) -> ApiError | None:
        try:
            return (await self._asker.ask(hook, attributes, VALIDATION)).refusal
        except ApiError as failed:
            return failed
