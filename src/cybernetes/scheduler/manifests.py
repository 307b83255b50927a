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

# Kind -> where the number of pods is.
REPLICAS = {
    "Deployment": "replicas",
    "ReplicaSet": "replicas",
    "ReplicationController": "replicas",
    "StatefulSet": "replicas",
    "Job": "parallelism",
}
# Kind -> how many pods it makes, which no manifest says.
UNCOUNTED = {"DaemonSet": "one on each node that it fits", "CronJob": "those of a Job at a time; give that Job"}
POD = "io.k8s.api.core.v1.Pod"


class NotPods(ValueError):
    """A manifest of which nobody can say what pods it makes."""


def objects_of(documents: Iterable[Any]) -> Iterator[Object]:
    """The objects of documents, those of lists one by one. Raises NotPods for a document that is none."""
    for document in documents:
        kind = document.get("kind") if isinstance(document, dict) else None
        if not isinstance(kind, str):
            raise NotPods("a document without kind is no manifest")
        if kind.endswith("List"):
            yield from objects_of(document.get("items") or ())
        else:
            yield document


def makes_pods(manifest: Object) -> bool:
    return manifest["kind"] == "Pod" or manifest["kind"] in REPLICAS or manifest["kind"] in UNCOUNTED


def pods_of(manifest: Object, namespace: str) -> Iterator[Object]:
    """Pods with a name, a namespace and a uid; of what `makes_pods`. Raises NotPods."""
    kind, meta, spec = manifest["kind"], manifest.get("metadata") or {}, manifest.get("spec") or {}
    space = meta.get("namespace") or namespace
    if kind in UNCOUNTED:
        raise NotPods(f"{kind} {meta.get('name', '')} makes {UNCOUNTED[kind]}")
    if kind == "Pod":
        yield _named(manifest, meta.get("name") or meta.get("generateName", "pod-"), space)
        return
    count = spec.get(REPLICAS[kind], 1)
    if not isinstance(count, int) or "template" not in spec:
        raise NotPods(f"{kind} {meta.get('name', '')} needs a number of {REPLICAS[kind]} and a template")
    for n in range(count):
        yield _named(spec["template"], f"{meta.get('name', kind.lower())}-{n}", space)


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
