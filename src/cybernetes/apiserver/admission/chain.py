"""Runs the admission plugins that a write concerns, in order."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

import msgspec

from cybernetes.apiserver.admission.attributes import AdmissionAttributes, Place
from cybernetes.auth.asking import Unanswered, settled

__all__ = ["Admission", "AdmissionAttributes", "CatchUp", "Plugin", "Step"]

# A step is done when it returns None, or when what it returned was awaited. It refuses by raising ApiError.
Step = Callable[[AdmissionAttributes], "Awaitable[None] | None"]
# Waits until the Lister has everything that was acknowledged before.
CatchUp = Callable[[], Awaitable[None]]


class Plugin(Protocol):
    """`mutators` and `validators` give the plugin's step for writes at a place, None where it has nothing to say.

    Both are asked once for each place; what decides by the object's content is for the step.
    """

    name: str

    def mutator(self, place: Place) -> Step | None: ...

    def validator(self, place: Place) -> Step | None: ...


class _Steps(msgspec.Struct, frozen=True):
    mutators: tuple[Step, ...]
    validators: tuple[Step, ...]


class Admission:
    """plugins  in their order, which is that of both phases"""

    def __init__(self, plugins: Sequence[Plugin]) -> None:
        self._plugins = tuple(plugins)
        self._steps: dict[tuple[str, str, str, str], _Steps] = {}

    async def mutate(self, attributes: AdmissionAttributes) -> None:
        """Change the object in place. Raises ApiError when a plugin refuses.

        What webhooks and policies add is for the built-in plugins to complete: they look once more then.
        """
        await _run(self._at(attributes).mutators, attributes)
        if attributes.reinvoke:
            attributes.again = True
            await _run(self._at(attributes).mutators, attributes)

    async def validate(self, attributes: AdmissionAttributes) -> None:
        """Raises ApiError when a plugin refuses; the object is final."""
        await _run(self._at(attributes).validators, attributes)

    def _at(self, attributes: AdmissionAttributes) -> _Steps:
        key = (attributes.operation, attributes.group, attributes.plural, attributes.subresource)
        steps = self._steps.get(key)
        if steps is None:
            steps = self._steps[key] = self._collect(Place(*key))
        return steps

    def _collect(self, place: Place) -> _Steps:
        mutators = (each.mutator(place) for each in self._plugins)
        validators = (each.validator(place) for each in self._plugins)
        return _Steps(
            tuple(each for each in mutators if each is not None),
            tuple(each for each in validators if each is not None),
        )


async def _run(steps: Sequence[Step], attributes: AdmissionAttributes) -> None:
    for step in steps:
        try:
            pending = step(attributes)
        except Unanswered as first:
            # Of a check that asks authorizers: it changed nothing yet, so it may be made again.
            pending = await settled(lambda step=step: step(attributes), first)  # type: ignore[misc]
        if pending is not None:
            await pending


class Mutating:
    """A plugin that only mutates; validates nothing."""

    def validator(self, place: Place) -> Step | None:
        return None


class Validating:
    """A plugin that only validates; mutates nothing."""

    def mutator(self, place: Place) -> Step | None:
        return None
