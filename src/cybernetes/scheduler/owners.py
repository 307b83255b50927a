"""What selects a pod together with its like: Services, and the controller that owns it.

Pods without spread constraints of their own are spread over nodes and zones by what selects them.

source  Kubernetes documentation "Pod Topology Spread Constraints", built-in default constraints
"""

from __future__ import annotations

from collections.abc import Callable

from cybernetes.client.informer import split_key
from cybernetes.client.target import REPLICA_SETS, REPLICATION_CONTROLLERS, SERVICES, STATEFUL_SETS
from cybernetes.scheduler.objects import MapSelectorObject, SelectorObject
from cybernetes.scheduler.pods import PodEntry
from cybernetes.scheduler.selectors import Selector, accepts, compile_map, compile_selector

# (resource, whether its selector is a plain map)
OWNERS = ((SERVICES, True), (REPLICATION_CONTROLLERS, True), (REPLICA_SETS, False), (STATEFUL_SETS, False))

# Selectors by pod template; cleared with every change of an owner, so it needs no other limit than this.
FOUND_MAX = 4096


class Owners:
    def __init__(self) -> None:
        self._services: dict[str, dict[str, Selector]] = {}
        self._controllers: dict[tuple[str, str], Selector] = {}
        self._found: dict[tuple[str, tuple[str, str], tuple[str, bytes, bool]], Selector] = {}

    def changer(self, kind: str) -> Callable[[str, object, object], None]:
        """The handler of one kind's informer."""

        def change(key: str, old: object, new: object) -> None:
            self._found.clear()
            selector = _selector(new)
            if kind == "Service":
                namespace, name = split_key(key)
                services = self._services.setdefault(namespace, {})
                services.pop(name, None)
                if selector:
                    services[name] = selector
            elif selector is None:
                self._controllers.pop((kind, key), None)
            else:
                self._controllers[kind, key] = selector

        return change

    def selector(self, pod: PodEntry) -> Selector | None:
        """All conditions of the Services that select the pod and of its controller; None or () when there are none."""
        key = (pod.namespace, pod.owner, pod.label_set.key)
        found = self._found.get(key)
        if found is None:
            if len(self._found) >= FOUND_MAX:
                self._found.clear()
            found = self._found[key] = self._combined(pod)
        return found

    def _combined(self, pod: PodEntry) -> Selector:
        kind, name = pod.owner
        parts = [each for each in self._services.get(pod.namespace, {}).values() if accepts(each, pod.labels)]
        parts.append(self._controllers.get((kind, f"{pod.namespace}/{name}"), ()))
        return tuple(sorted({requirement for part in parts for requirement in part}))


def _selector(found: object) -> Selector | None:
    match found:
        case MapSelectorObject():
            return compile_map(found.spec.selector or {})
        case SelectorObject():
            return compile_selector(found.spec.selector)
    return None
