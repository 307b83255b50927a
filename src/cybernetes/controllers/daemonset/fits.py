"""Which nodes each DaemonSet wants, kept: only nodes and templates that changed are judged again."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import msgspec

from cybernetes.controllers.daemonset.eligible import Fit, Fitter, with_tolerations
from cybernetes.controllers.daemonset.objects import DaemonSet
from cybernetes.controllers.objects import Node, raw


class _Judged(msgspec.Struct):
    """template: JSON of which the nodes were judged. fits: by node name."""

    template: bytes
    fitter: Fitter
    fits: dict[str, Fit]


class Fits:
    """nodes: all there are, as they are now; `changed` must be told of each change of them."""

    def __init__(self, nodes: Callable[[], Mapping[str, Node]]) -> None:
        self._nodes = nodes
        self._judged: dict[str, _Judged] = {}

    def of(self, key: str, daemon_set: DaemonSet) -> Mapping[str, Fit]:
        """Node name -> whether it should run a pod of the set. O(nodes) for a template that was not seen before."""
        template = bytes(daemon_set.spec.template)
        judged = self._judged.get(key)
        if judged is None or judged.template != template:
            fitter = Fitter(with_tolerations(raw(daemon_set.spec.template).get("spec") or {}))
            fits = {name: fitter.fit(node) for name, node in sorted(self._nodes().items())}
            judged = self._judged[key] = _Judged(template, fitter, fits)
        return judged.fits

    def changed(self, name: str, node: Node | None) -> list[str]:
        """Judge a node anew; None: it is gone. The sets for which that makes a difference."""
        differing = []
        for key, judged in self._judged.items():
            before = judged.fits.get(name)
            after = judged.fitter.fit(node) if node is not None else None
            if after is None:
                judged.fits.pop(name, None)
            else:
                judged.fits[name] = after
            if after != before:
                differing.append(key)
        return differing

    def forget(self, key: str) -> None:
        self._judged.pop(key, None)
