"""Whom a change of a pod concerns: its controller, the one that it had, or those that may adopt it."""

from __future__ import annotations

from typing import Generic, Protocol, TypeVar

from cybernetes.client.expectations import Expectations
from cybernetes.client.informer import Informer, key_of
from cybernetes.client.queue import WorkQueue
from cybernetes.client.target import Target
from cybernetes.controllers.objects import Meta, Pod, Selector


class _Selecting(Protocol):
    @property
    def selector(self) -> Selector: ...


class Selecting(Protocol):
    """An object that owns the pods of its namespace that its selector matches."""

    @property
    def metadata(self) -> Meta: ...

    @property
    def spec(self) -> _Selecting: ...


O = TypeVar("O", bound=Selecting)  # noqa: E741 -- an owner


class PodOwners(Generic[O]):
    """Puts the keys of concerned owners of one kind into their queue, and crosses off what was expected of pods.

    on_pod   the handler of an informer of pods
    """

    def __init__(self, target: Target, owners: Informer[O], queue: WorkQueue, expected: Expectations) -> None:
        self._target = target
        self._queue = queue
        self._expected = expected
        self._by_namespace = owners.index(lambda each: (each.metadata.namespace,))

    def on_pod(self, key: str, old: Pod | None, new: Pod | None) -> None:
        was, now = self.owner(old), self.owner(new)
        if now is not None and new is not None:
            if old is None:
                self._expected.created(now)
            if new.metadata.deletion_timestamp:
                self._expected.deleted(now, new.metadata.uid)
            self._queue.add(now)
        if was is not None and old is not None and was != now:
            self._expected.deleted(was, old.metadata.uid)
            self._queue.add(was)
        if new is not None and new.metadata.controller is None:
            for each in self.selecting(new):
                self._queue.add(each.metadata.key)

    def owner(self, pod: Pod | None) -> str | None:
        """Key of the pod's controller, if it is of this kind."""
        controller = pod.metadata.controller if pod else None
        if pod is None or controller is None or controller.kind != self._target.kind:
            return None
        if controller.api_version.rpartition("/")[0] != self._target.group:
            return None
        return key_of(pod.metadata.namespace, controller.name)

    def selecting(self, orphan: Pod) -> list[O]:
        """Owners that would adopt the pod; an empty selector selects nothing."""
        found = self._by_namespace.get(orphan.metadata.namespace)
        selectors = [(each, each.spec.selector) for each in found]
        return [each for each, by in selectors if not by.empty and by.matches(orphan.metadata.labels)]
