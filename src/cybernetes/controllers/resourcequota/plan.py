"""What is used of a quota.

source  Kubernetes documentation "Resource Quotas"
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from cybernetes.model import quota
from cybernetes.model.pod_resources import Amounts, total

Object = dict[str, Any]
Resource = tuple[str, str]

_NAMED: tuple[Resource, ...] = (
    ("", "pods"),
    ("", "services"),
    ("", "persistentvolumeclaims"),
    ("", "secrets"),
    ("", "configmaps"),
    ("", "replicationcontrollers"),
    ("", "resourcequotas"),
    ("resource.k8s.io", "resourceclaims"),
)
_COUNT = "count/"


def resources(hard: Iterable[str]) -> list[Resource]:
    """(group, plural) of everything that the names of a quota count."""
    names = list(hard)
    found = dict.fromkeys(each for each in _NAMED if quota.relevant(*each, names))
    for name in names:
        if name.startswith(_COUNT):
            plural, _, group = name.removeprefix(_COUNT).partition(".")
            found[(group, plural)] = None
    return list(found)


def used(wanted: Object, objects: Mapping[Resource, Iterable[Object]], now: float) -> Amounts:
    """Amounts by the names of the quota's spec.hard; zero where nothing counts."""
    hard = wanted["spec"].get("hard") or {}
    counted: list[Amounts] = [dict.fromkeys(hard, "0")]
    for (group, plural), listed in objects.items():
        names = set(quota.relevant(group, plural, hard))
        for obj in listed:
            if quota.in_scope(wanted, group, plural, obj):
                usage = quota.usage(group, plural, obj, now)
                counted.append({name: amount for name, amount in usage.items() if name in names})
    return total(counted)


def known(amounts: Amounts, unserved: Iterable[Resource]) -> Amounts:
    """Without the counts of resources that could not be counted."""
    unknown = {quota.count_name(*each) for each in unserved}
    return {name: amount for name, amount in amounts.items() if name not in unknown}
