"""Reads what pods use from metrics.k8s.io, where a metrics server is installed."""

from __future__ import annotations

from cybernetes.client.api import ApiClient
from cybernetes.controllers.podautoscaler import answers
from cybernetes.controllers.podautoscaler.objects import Sample


async def read(client: ApiClient, namespace: str, selector: str, resource: str, container: str) -> dict[str, Sample]:
    """Samples by pod. container: "" for whole pods. Raises ApiError, EdgeError when there is no metrics server."""
    path = f"/apis/metrics.k8s.io/v1beta1/namespaces/{namespace}/pods"
    found = {}
    for pod in (await answers.read(client, path, answers.PodMetricsList, {"labelSelector": [selector]})).items or ():
        used = _used(pod, resource, container)
        if used is not None:
            found[pod.metadata.name] = Sample(used, pod.timestamp or 0.0, pod.window)
    return found


def _used(pod: answers.PodMetrics, resource: str, container: str) -> int | None:
    """Nano units; None when some container that counts has no value."""
    counted = [each.usage.get(resource) for each in pod.containers if not container or each.name == container]
    known = [each for each in counted if each is not None]
    return sum(known) if counted and len(known) == len(counted) else None
