"""Small kinds that many writes ask for, kept decoded: limit ranges, quotas, classes."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from cybernetes.auth.lister import Lister

Object = dict[str, Any]


class ByNamespace:
    """Objects of one namespaced kind; there are few of them, and reading them costs nothing. Not to be changed."""

    def __init__(self, lister: Lister, group: str, plural: str) -> None:
        self._objects: dict[str, dict[str, Object]] = {}
        lister.subscribe(group, plural, self._changed)

    def of(self, namespace: str) -> Collection[Object]:
        found = self._objects.get(namespace)
        return found.values() if found else ()

    def _changed(self, old: Object | None, new: Object | None) -> None:
        metadata = (new or old or {})["metadata"]
        namespace, name = metadata["namespace"], metadata["name"]
        if new is not None:
            self._objects.setdefault(namespace, {})[name] = new
            return
        objects = self._objects.get(namespace, {})
        objects.pop(name, None)
        if not objects:
            self._objects.pop(namespace, None)


class Cluster:
    """Objects of one cluster-scoped kind of which there are few: classes. Not to be changed."""

    def __init__(self, lister: Lister, group: str, plural: str) -> None:
        self._objects: dict[str, Object] = {}
        lister.subscribe(group, plural, self._changed)

    def get(self, name: str) -> Object | None:
        return self._objects.get(name)

    def all(self) -> list[Object]:
        """In the order of their names."""
        return [self._objects[name] for name in sorted(self._objects)]

    def default(self, *annotations: str) -> Object | None:
        """The newest of those that one of the annotations marks as default; of equally new ones the first by name."""
        marked = [each for each in self._objects.values() if _is_marked(each, annotations)]
        marked.sort(key=lambda each: each["metadata"]["name"])
        return max(marked, key=lambda each: each["metadata"].get("creationTimestamp", ""), default=None)

    def _changed(self, old: Object | None, new: Object | None) -> None:
        if new is not None:
            self._objects[new["metadata"]["name"]] = new
        elif old is not None:
            self._objects.pop(old["metadata"]["name"], None)


def _is_marked(obj: Object, annotations: tuple[str, ...]) -> bool:
    has = obj["metadata"].get("annotations") or {}
    return any(has.get(each) == "true" for each in annotations)
