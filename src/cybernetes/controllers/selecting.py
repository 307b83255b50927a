"""Pods of services and services of pods, by index, so that one change never costs a look at everything."""

from __future__ import annotations

from collections.abc import Iterable

from cybernetes.controllers.informers import Informers, label_values
from cybernetes.controllers.objects import Pod, Service


def pods_of(informers: Informers, service: Service) -> list[Pod]:
    """The pods that the service's selector matches, in order of their names."""
    selector = service.spec.selector
    if not selector:
        return []
    values = label_values(service.metadata.namespace, selector)
    fewest = min((informers.pods_by_label.keys(value) for value in values), key=len)
    found = [informers.pods.items[key] for key in sorted(fewest)]
    return [pod for pod in found if selector.items() <= pod.metadata.labels.items()]


def services_of(informers: Informers, pods: Iterable[Pod | None]) -> list[str]:
    """Keys of the services that select any of the pods, each once, in the order found."""
    found: dict[str, None] = {}
    for pod in pods:
        if pod is None:
            continue
        labels = pod.metadata.labels
        for value in label_values(pod.metadata.namespace, labels):
            for service in informers.services_by_selector.get(value):
                if service.spec.selector.items() <= labels.items():
                    found[service.metadata.key] = None
    return list(found)
