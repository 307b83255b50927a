"""Pods out of manifests: pods themselves, and those that workloads would make of their templates."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import orjson

from cybernetes.model.schema import compile as schema_compile
from cybernetes.model.schema import decode as schema_decode
from cybernetes.model.schema import default as schema_default
from cybernetes.scheduler.snapshot import Priority
from cybernetes.wire import negotiate

Object = dict[str, Any]

# Kind -> where the number of pods is; None where there is one for each node or one at a time.
REPLICAS = {
    "Deployment": "replicas",
    "ReplicaSet": "replicas",
    "ReplicationController": "replicas",
    "StatefulSet": "replicas",
    "Job": "parallelism",
}
POD = "io.k8s.api.core.v1.Pod"


class NotPods(ValueError):
    """A manifest that makes no pods."""


def pods_of(manifests: Iterable[Object], namespace: str) -> Iterator[Object]:
    """Pods with a name, a namespace and a uid. Raises NotPods."""
    for manifest in manifests:
        kind, meta = manifest.get("kind", ""), manifest.get("metadata") or {}
        space = meta.get("namespace") or namespace
        if kind == "List" or kind.endswith("List"):
            yield from pods_of(manifest.get("items") or (), namespace)
        elif kind == "Pod":
            yield _named(manifest, meta.get("name") or meta.get("generateName", "pod-"), space)
        elif kind in REPLICAS:
            count = (manifest.get("spec") or {}).get(REPLICAS[kind], 1)
            for n in range(count):
                yield _named(manifest["spec"]["template"], f"{meta.get('name', kind.lower())}-{n}", space)
        else:
            known = ", ".join(["Pod", *REPLICAS])
            raise NotPods(f"{kind or 'a document without kind'} {meta.get('name', '')} makes no pods; known: {known}")


def _named(template: Object, name: str, namespace: str) -> Object:
    metadata = {**(template.get("metadata") or {}), "name": name, "namespace": namespace}
    metadata.setdefault("uid", f"dry-run-{namespace}-{name}")
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": template.get("spec") or {}, "status": {}}


def completed(pod: Object, priorities: dict[str, Priority]) -> Object:
    """As the API server would store it: Kubernetes' defaults, and the number of its priority class.

    raises   NotPods for an unknown priority class; ApiError for what is no pod
    """
    node = schema_compile.node(POD)
    read = schema_decode.decode(
        node, orjson.dumps(pod), negotiate.JSON, kind="Pod", api_version="v1", field_validation="Strict"
    )
    pod = read.object
    schema_default.default(node, pod)
    spec, name = pod["spec"], pod["spec"].get("priorityClassName", "")
    found = priorities.get(name) if name else next((each for each in priorities.values() if each.global_default), None)
    if found is not None:
        spec["priority"] = found.value
        spec.setdefault("preemptionPolicy", found.preemption_policy)
    elif name and name not in SYSTEM_PRIORITIES:
        raise NotPods(f"pod {pod['metadata']['name']}: no PriorityClass with name {name} was found")
    elif name:
        spec["priority"] = SYSTEM_PRIORITIES[name]
    return pod


# What API servers make themselves; a saved cluster may have been saved without them.
SYSTEM_PRIORITIES = {"system-cluster-critical": 2_000_000_000, "system-node-critical": 2_000_001_000}
