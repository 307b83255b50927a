"""Every built-in resource, one file each; the folder is the API group.

enters   nothing
leaves   `load()`: every RESOURCE of this folder, in discovery order
holds    a resource is added by adding a file: no list to extend
"""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache

from cybernetes.model.resource import Resource

# Order of the groups in discovery documents of the reference; groups not named come last.
GROUP_ORDER = (
    "",
    "apiregistration.k8s.io",
    "apps",
    "events.k8s.io",
    "authentication.k8s.io",
    "authorization.k8s.io",
    "autoscaling",
    "batch",
    "certificates.k8s.io",
    "networking.k8s.io",
    "policy",
    "rbac.authorization.k8s.io",
    "storage.k8s.io",
    "admissionregistration.k8s.io",
    "apiextensions.k8s.io",
    "scheduling.k8s.io",
    "coordination.k8s.io",
    "node.k8s.io",
    "discovery.k8s.io",
    "resource.k8s.io",
    "flowcontrol.apiserver.k8s.io",
)


@cache
def load() -> tuple[Resource, ...]:
    """All built-in resources, by group in discovery order, newest version first, then plural name."""
    found = []
    for package in pkgutil.iter_modules(__path__, f"{__name__}."):
        module = importlib.import_module(package.name)
        for each in pkgutil.iter_modules(module.__path__, f"{package.name}."):
            found.append(importlib.import_module(each.name).RESOURCE)
    return tuple(sorted(found, key=_discovery_order))


def _discovery_order(resource: Resource) -> tuple[int, str, int, str]:
    known = resource.group in GROUP_ORDER
    group = GROUP_ORDER.index(resource.group) if known else len(GROUP_ORDER)
    return group, resource.group, -int(resource.version.removeprefix("v")), resource.plural
