"""Pods of services and services of pods, by index, so that one change never costs a look at everything."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from cybernetes.client.informer import Index
from cybernetes.controllers.informers import Informers, label_values, orphans_of
from cybernetes.controllers.objects import Pod, Selector, Service


def pods_of(informers: Informers, service: Service) -> list[Pod]:
    """The pods that the service's selector matches, in order of their names."""
    selector = service.spec.selector
    if not selector:
        return []
    fewest = _fewest(informers.pods_by_label, service.metadata.namespace, selector)
    found = [informers.pods.items[key] for key in sorted(fewest)]
    return [pod for pod in found if selector.items() <= pod.metadata.labels.items()]


def matching(informers: Informers, namespace: str, selector: Selector) -> list[Pod]:
    """The namespace's pods that a selector matches; those of one label's value are looked at, where it names one."""
    if selector.match_labels:
        keys = _fewest(informers.pods_by_label, namespace, selector.match_labels)
    else:
        keys = informers.pods_by_namespace.keys(namespace)
    return [pod for key in keys if selector.matches((pod := informers.pods.items[key]).metadata.labels)]


def orphans(informers: Informers, namespace: str, selector: Selector) -> list[Pod]:
    """The namespace's pods without a controller that a selector may match: those of one label's value, or all."""
    if selector.match_labels:
        keys = _fewest(informers.orphans_by_label, namespace, selector.match_labels)
    else:
        keys = informers.pods_by_controller.keys(orphans_of(namespace))
    return [informers.pods.items[key] for key in keys]


def _fewest(index: Index[Pod], namespace: str, labels: Mapping[str, str]) -> list[str]:
    """Keys of the pods that have the rarest of these labels."""
    value = min(label_values(namespace, labels), key=index.count)
    return index.keys(value)


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
