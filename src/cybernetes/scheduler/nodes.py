"""One node against node selectors: the plain form, for the few places that look at single nodes."""

from __future__ import annotations

from cybernetes.scheduler.objects import NodeObject, NodeSelector
from cybernetes.scheduler.pods import PodEntry
from cybernetes.scheduler.selectors import accepts, compile_map, compile_requirement


def matches_selector(selector: NodeSelector, node: NodeObject) -> bool:
    """Whether any term matches; a term matches when all its conditions do and it has at least one."""
    labels = node.metadata.labels or {}
    fields = {"metadata.name": node.metadata.name}
    return any(
        (term.match_expressions or term.match_fields)
        and all(compile_requirement(each).accepts(labels.get(each.key)) for each in term.match_expressions or ())
        and all(compile_requirement(each).accepts(fields.get(each.key)) for each in term.match_fields or ())
        for term in selector.node_selector_terms or ()
    )


def matches_node(pod: PodEntry, node: NodeObject) -> bool:
    """Node selector and required node affinity of one pod against one node."""
    spec = pod.shape.spec
    if spec.node_selector and not accepts(compile_map(spec.node_selector), node.metadata.labels or {}):
        return False
    affinity = spec.affinity.node_affinity if spec.affinity else None
    return affinity is None or affinity.required is None or matches_selector(affinity.required, node)
