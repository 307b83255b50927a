"""The webhooks of one kind of configuration, in order, and which of them a write concerns."""

from __future__ import annotations

from functools import partial
from typing import Any

import msgspec

from cybernetes.apiserver.admission import matching
from cybernetes.apiserver.admission.attributes import AdmissionAttributes
from cybernetes.apiserver.admission.scope import Failed, Rights, decided, namespace_of
from cybernetes.apiserver.admission.webhooks.equivalent import Equivalents
from cybernetes.auth.lister import Lister
from cybernetes.model.expressions import places

Object = dict[str, Any]


class Hook(msgspec.Struct, frozen=True):
    """One webhook. index: its place among all hooks of its kind, which names it in audit annotations."""

    name: str
    configuration: str
    index: int
    spec: Object

    @property
    def must_answer(self) -> bool:
        return bool(self.spec.get("failurePolicy", "Fail") != "Ignore")

    @property
    def may_be_asked_again(self) -> bool:
        return bool(self.spec.get("reinvocationPolicy") == "IfNeeded")


class Hooks:
    def __init__(self, lister: Lister, plural: str, equivalents: Equivalents, rights: Rights) -> None:
        self._lister = lister
        self._rights = rights
        self._equivalents = equivalents
        self._by_configuration: dict[str, list[Object]] = {}
        self.ordered: tuple[Hook, ...] = ()
        lister.subscribe(matching.GROUP, plural, self._changed)

    async def concerned(self, hook: Hook, attributes: AdmissionAttributes) -> AdmissionAttributes | None:
        """The write as the hook wants to see it; None where it does not.

        raises  ApiError where a condition of a hook that must answer can't be evaluated, an object not be converted
        """
        looked = self._matched(hook, attributes)
        if looked is None or not matching.selectors_match(hook.spec, attributes, self._lister):
            return None
        if looked is not attributes:
            await self._equivalents.convert(attributes, looked)
        if not hook.spec.get("matchConditions"):
            return looked
        return looked if await decided(partial(self._conditions_hold, hook, looked)) else None

    def _matched(self, hook: Hook, attributes: AdmissionAttributes) -> AdmissionAttributes | None:
        rules = hook.spec.get("rules") or ()
        if matching.rules_match(rules, attributes):
            return attributes
        if hook.spec.get("matchPolicy") == "Exact":
            return None
        return next((each for each in self._equivalents.of(attributes) if matching.rules_match(rules, each)), None)

    def _conditions_hold(self, hook: Hook, looked: AdmissionAttributes) -> bool:
        conditions = hook.spec["matchConditions"]
        values = {**matching.cel_values(looked), **self._rights.variables(looked)}
        values["namespaceObject"] = namespace_of(looked, self._lister)
        try:
            return matching.conditions_hold(conditions, values, places.admission())
        except Failed as wrong:
            if hook.must_answer:
                raise looked.forbidden(str(wrong)) from wrong
            return False

    def _changed(self, old: Object | None, new: Object | None) -> None:
        configuration = (new or old or {})["metadata"]["name"]
        self._by_configuration.pop(configuration, None)
        if new is not None:
            self._by_configuration[configuration] = list(new.get("webhooks") or ())
        flat = [(name, spec) for name in sorted(self._by_configuration) for spec in self._by_configuration[name]]
        self.ordered = tuple(Hook(spec.get("name", ""), name, i, spec) for i, (name, spec) in enumerate(flat))
