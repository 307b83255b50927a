"""DefaultStorageClass, DefaultIngressClass, RuntimeClass: what an object's class gives it, and which class it has.

Also PersistentVolumeClaimResize, which asks a claim's class whether the claim may grow.
"""

from __future__ import annotations

from typing import Any

from cybernetes.apiserver.admission.attributes import AdmissionAttributes, Place
from cybernetes.apiserver.admission.chain import CatchUp, Mutating, Step, Validating
from cybernetes.apiserver.admission.kept import Cluster
from cybernetes.auth.lister import Lister
from cybernetes.model import quantity

Object = dict[str, Any]

_STORAGE_DEFAULT = ("storageclass.kubernetes.io/is-default-class", "storageclass.beta.kubernetes.io/is-default-class")
_STORAGE_CLASS = "volume.beta.kubernetes.io/storage-class"
_INGRESS_DEFAULT = "ingressclass.kubernetes.io/is-default-class"
_INGRESS_CLASS = "kubernetes.io/ingress.class"


def _annotation(obj: Object, name: str) -> str | None:
    found: str | None = (obj["metadata"].get("annotations") or {}).get(name)
    return found


class DefaultStorageClass(Mutating):
    name = "DefaultStorageClass"

    def __init__(self, classes: Cluster) -> None:
        self._classes = classes

    def mutator(self, place: Place) -> Step | None:
        return self._default if place.is_("", "persistentvolumeclaims", "CREATE") else None

    def _default(self, attributes: AdmissionAttributes) -> None:
        claim = attributes.new
        if claim["spec"].get("storageClassName") is not None or _annotation(claim, _STORAGE_CLASS) is not None:
            return
        default = self._classes.default(*_STORAGE_DEFAULT)
        if default is not None:
            claim["spec"]["storageClassName"] = default["metadata"]["name"]


class PersistentVolumeClaimResize(Validating):
    name = "PersistentVolumeClaimResize"

    def __init__(self, classes: Cluster) -> None:
        self._classes = classes

    def validator(self, place: Place) -> Step | None:
        return self._check if place.is_("", "persistentvolumeclaims", "UPDATE") else None

    def _check(self, attributes: AdmissionAttributes) -> None:
        new, old = attributes.new, attributes.before
        if quantity.compare(_size(new), _size(old)) <= 0:
            return
        if not self._may_grow(_class_of(new), _class_of(old)):
            raise attributes.forbidden(
                "only dynamically provisioned pvc can be resized and the storageclass that provisions the pvc "
                "must support resize"
            )

    def _may_grow(self, name: str, before: str) -> bool:
        found = self._classes.get(name) if name and name == before else None
        return found is not None and bool(found.get("allowVolumeExpansion"))


def _size(claim: Object) -> str:
    requests = (claim["spec"].get("resources") or {}).get("requests") or {}
    return str(requests.get("storage", "0"))


def _class_of(claim: Object) -> str:
    return _annotation(claim, _STORAGE_CLASS) or claim["spec"].get("storageClassName") or ""


class DefaultIngressClass(Mutating):
    name = "DefaultIngressClass"

    def __init__(self, lister: Lister) -> None:
        self._classes = Cluster(lister, "networking.k8s.io", "ingressclasses")

    def mutator(self, place: Place) -> Step | None:
        return self._default if place.is_("networking.k8s.io", "ingresses", "CREATE") else None

    def _default(self, attributes: AdmissionAttributes) -> None:
        ingress = attributes.new
        if ingress["spec"].get("ingressClassName") is not None or _annotation(ingress, _INGRESS_CLASS) is not None:
            return
        default = self._classes.default(_INGRESS_DEFAULT)
        if default is not None:
            ingress["spec"]["ingressClassName"] = default["metadata"]["name"]


class RuntimeClass:
    name = "RuntimeClass"

    def __init__(self, lister: Lister, catch_up: CatchUp) -> None:
        self._classes = Cluster(lister, "node.k8s.io", "runtimeclasses")
        self._catch_up = catch_up

    def mutator(self, place: Place) -> Step | None:
        return self._mutate if place.is_pod("CREATE") else None

    def validator(self, place: Place) -> Step | None:
        return self._validate if place.is_pod("CREATE") else None

    def _mutate(self, attributes: AdmissionAttributes) -> Any:
        name = attributes.new["spec"].get("runtimeClassName")
        if name is None:
            return None
        found = self._classes.get(name)
        return self._mutate_late(attributes, name) if found is None else _take_over(attributes, found)

    async def _mutate_late(self, attributes: AdmissionAttributes, name: str) -> None:
        await self._catch_up()
        found = self._classes.get(name)
        if found is None:
            raise attributes.forbidden(f'pod rejected: RuntimeClass "{name}" not found')
        _take_over(attributes, found)

    def _validate(self, attributes: AdmissionAttributes) -> None:
        spec = attributes.new["spec"]
        name = spec.get("runtimeClassName")
        found = self._classes.get(name) if name is not None else None
        if name is not None and found is None:
            raise attributes.forbidden(f'pod rejected: RuntimeClass "{name}" not found')
        fixed = ((found or {}).get("overhead") or {}).get("podFixed")
        if fixed:
            _check_overhead(attributes, fixed)
        elif spec.get("overhead"):
            raise attributes.forbidden(
                "pod rejected: Pod Overhead set without corresponding RuntimeClass defined Overhead"
            )


def _take_over(attributes: AdmissionAttributes, found: Object) -> None:
    spec = attributes.new["spec"]
    fixed = (found.get("overhead") or {}).get("podFixed")
    if fixed:
        if spec.get("overhead"):
            _check_overhead(attributes, fixed)
        spec["overhead"] = dict(fixed)
    scheduling = found.get("scheduling") or {}
    _merge_selector(attributes, scheduling.get("nodeSelector") or {})
    tolerations = spec.get("tolerations") or []
    added = [each for each in scheduling.get("tolerations") or () if each not in tolerations]
    if added:
        spec["tolerations"] = [*tolerations, *added]


def _check_overhead(attributes: AdmissionAttributes, fixed: Object) -> None:
    has = attributes.new["spec"].get("overhead") or {}
    if has.keys() != fixed.keys() or any(quantity.compare(has[name], fixed[name]) for name in fixed):
        raise attributes.forbidden("pod rejected: Pod's Overhead doesn't match RuntimeClass's defined Overhead")


def _merge_selector(attributes: AdmissionAttributes, selector: Object) -> None:
    spec = attributes.new["spec"]
    has = spec.get("nodeSelector") or {}
    for key, value in selector.items():
        if has.get(key, value) != value:
            raise attributes.forbidden(
                f"conflict: runtimeClass.scheduling.nodeSelector[{key}] = {value}; "
                f"pod.spec.nodeSelector[{key}] = {has[key]}"
            )
    if selector:
        spec["nodeSelector"] = {**has, **selector}
