"""LimitRanger: a namespace's limit ranges give containers what they did not ask for, and bound what they ask for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from cybernetes.apiserver.admission.attributes import AdmissionAttributes, Place
from cybernetes.apiserver.admission.chain import Step
from cybernetes.apiserver.admission.kept import ByNamespace
from cybernetes.auth.authz import joined
from cybernetes.auth.lister import Lister
from cybernetes.model import pod_resources, quantity

Object = dict[str, Any]
Amounts = Mapping[str, str]

ANNOTATION = "kubernetes.io/limit-ranger"


class LimitRanger:
    name = "LimitRanger"

    def __init__(self, lister: Lister) -> None:
        self._ranges = ByNamespace(lister, "", "limitranges")

    def mutator(self, place: Place) -> Step | None:
        if place.is_pod("CREATE") or place.is_pod("UPDATE", subresource="resize"):
            return self._default
        return None

    def validator(self, place: Place) -> Step | None:
        if place.is_pod("CREATE") or place.is_pod("UPDATE", subresource="resize"):
            return self._check_pod
        if place.is_("", "persistentvolumeclaims", "CREATE", "UPDATE"):
            return self._check_claim
        return None

    def _default(self, attributes: AdmissionAttributes) -> None:
        for each in self._ranges.of(attributes.namespace):
            set_defaults(attributes.new, each["spec"].get("limits") or ())

    def _check_pod(self, attributes: AdmissionAttributes) -> None:
        for each in self._ranges.of(attributes.namespace):
            _refuse(attributes, check_pod(attributes.new["spec"], each["spec"].get("limits") or ()))

    def _check_claim(self, attributes: AdmissionAttributes) -> None:
        if attributes.old is not None and attributes.old["metadata"].get("deletionTimestamp"):
            return
        for each in self._ranges.of(attributes.namespace):
            _refuse(attributes, check_claim(attributes.new["spec"], each["spec"].get("limits") or ()))


def _refuse(attributes: AdmissionAttributes, errors: Iterator[str]) -> None:
    listed = list(errors)
    if listed:
        raise attributes.forbidden(joined(listed))


def set_defaults(pod: Object, limits: Any) -> None:
    """Give containers the requests and limits that they lack, and say so in an annotation."""
    rows = [each for each in limits if each.get("type") == "Container"]
    requests = {k: v for each in rows for k, v in (each.get("defaultRequest") or {}).items()}
    upper = {k: v for each in rows for k, v in (each.get("default") or {}).items()}
    if not requests and not upper:
        return
    said: list[str] = []
    for kind, word in (("containers", "container"), ("initContainers", "init container")):
        for container in pod["spec"].get(kind) or ():
            said += _fill(container, "requests", requests, f"request for {word}")
            said += _fill(container, "limits", upper, f"limit for {word}")
    if said:
        annotations = pod["metadata"].setdefault("annotations", {})
        annotations[ANNOTATION] = "LimitRanger plugin set: " + "; ".join(said)


def _fill(container: Object, kind: str, defaults: Amounts, what: str) -> list[str]:
    resources = container.setdefault("resources", {})
    has = resources.get(kind) or {}
    lacking = sorted(name for name in defaults if name not in has)
    if not lacking:
        return []
    resources[kind] = {**has, **{name: defaults[name] for name in lacking}}
    return [f"{', '.join(lacking)} {what} {container['name']}"]


def check_pod(spec: Object, limits: Any) -> Iterator[str]:
    """What a pod violates, as texts."""
    for limit in limits:
        kind = limit.get("type")
        if kind == "Container":
            for container in (*(spec.get("containers") or ()), *(spec.get("initContainers") or ())):
                resources = container.get("resources") or {}
                yield from _violated(limit, resources.get("requests") or {}, resources.get("limits") or {})
        elif kind == "Pod":
            requests = pod_resources.requests(spec, overhead=False)
            yield from _violated(limit, requests, pod_resources.limits(spec, overhead=False))


def check_claim(spec: Object, limits: Any) -> Iterator[str]:
    requests = (spec.get("resources") or {}).get("requests") or {}
    for limit in limits:
        if limit.get("type") != "PersistentVolumeClaim":
            continue
        for name, bound in sorted((limit.get("min") or {}).items()):
            yield from _below(limit["type"], name, bound, requests.get(name), None)
        for name, bound in sorted((limit.get("max") or {}).items()):
            head = f"maximum {name} usage per {limit['type']} is {bound}"
            if name not in requests:
                yield f"{head}.  No request is specified"
            elif quantity.compare(requests[name], bound) > 0:
                yield f"{head}, but request is {requests[name]}"


def _violated(limit: Object, requests: Amounts, limits: Amounts) -> Iterator[str]:
    kind = limit["type"]
    for name, bound in sorted((limit.get("min") or {}).items()):
        yield from _below(kind, name, bound, requests.get(name), limits.get(name))
    for name, bound in sorted((limit.get("max") or {}).items()):
        yield from _above(kind, name, bound, requests.get(name), limits.get(name))
    for name, bound in sorted((limit.get("maxLimitRequestRatio") or {}).items()):
        yield from _too_far_apart(kind, name, bound, requests.get(name), limits.get(name))


def _below(kind: str, name: str, bound: str, request: str | None, limit: str | None) -> Iterator[str]:
    head = f"minimum {name} usage per {kind} is {bound}"
    if request is None:
        yield f"{head}.  No request is specified"
    elif quantity.compare(request, bound) < 0:
        yield f"{head}, but request is {request}"
    elif limit is not None and quantity.compare(limit, bound) < 0:
        yield f"{head}, but limit is {limit}"


def _above(kind: str, name: str, bound: str, request: str | None, limit: str | None) -> Iterator[str]:
    head = f"maximum {name} usage per {kind} is {bound}"
    if limit is None:
        yield f"{head}.  No limit is specified"
    elif quantity.compare(limit, bound) > 0:
        yield f"{head}, but limit is {limit}"
    elif request is not None and quantity.compare(request, bound) > 0:
        yield f"{head}, but request is {request}"


def _too_far_apart(kind: str, name: str, bound: str, request: str | None, limit: str | None) -> Iterator[str]:
    head = f"{name} max limit to request ratio per {kind} is {bound}"
    asked, allowed = quantity.nano(request or "0"), quantity.nano(limit or "0")
    if asked == 0:
        yield f"{head}, but no request is specified or request is 0"
    elif allowed == 0:
        yield f"{head}, but no limit is specified or limit is 0"
    elif allowed * quantity.NANO > quantity.nano(bound) * asked:
        yield f"{head}, but provided ratio is {allowed / asked:f}"
