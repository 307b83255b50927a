"""Which other objects a pod refers to: what its node must be able to read. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

Object = dict[str, Any]
# (plural, namespace, name)
Reference = tuple[str, str, str]

# Volume sources that name a secret, and where in the source.
_SECRET_FIELDS = {
    "secret": ("secretName",),
    "azureFile": ("secretName",),
    "cephfs": ("secretRef", "name"),
    "cinder": ("secretRef", "name"),
    "flexVolume": ("secretRef", "name"),
    "rbd": ("secretRef", "name"),
    "iscsi": ("secretRef", "name"),
    "scaleIO": ("secretRef", "name"),
    "storageos": ("secretRef", "name"),
    "csi": ("nodePublishSecretRef", "name"),
}
_CONTAINERS = ("initContainers", "containers", "ephemeralContainers")


def of_pod(pod: Object) -> Iterator[Reference]:
    """References of a pod's spec to objects of its namespace; one may come more than once."""
    spec, namespace = pod["spec"], pod["metadata"].get("namespace", "")
    if spec.get("serviceAccountName"):
        yield "serviceaccounts", namespace, spec["serviceAccountName"]
    for _, name in secrets(spec):
        yield "secrets", namespace, name
    for name in config_maps(spec):
        yield "configmaps", namespace, name
    for name in _claims(pod):
        yield "persistentvolumeclaims", namespace, name
    for name in _resource_claims(pod):
        yield "resourceclaims", namespace, name


def secrets(spec: Object) -> Iterator[tuple[str, str]]:
    """(which part of the spec, name of the secret); "imagePullSecrets" for those of image pulls."""
    for each in spec.get("imagePullSecrets") or ():
        yield "imagePullSecrets", each.get("name", "")
    for container in _containers(spec):
        for name in _of_container(container, "secretRef", "secretKeyRef"):
            yield f'container "{container.get("name", "")}"', name
    for volume in spec.get("volumes") or ():
        for name in _secrets_of_volume(volume):
            yield f'volume "{volume.get("name", "")}"', name


def config_maps(spec: Object) -> Iterator[str]:
    for container in _containers(spec):
        yield from _of_container(container, "configMapRef", "configMapKeyRef")
    for volume in spec.get("volumes") or ():
        yield from _named(volume.get("configMap"))
        for each in (volume.get("projected") or {}).get("sources") or ():
            yield from _named(each.get("configMap"))


def _containers(spec: Object) -> Iterator[Object]:
    for kind in _CONTAINERS:
        yield from spec.get(kind) or ()


def _of_container(container: Object, whole: str, key: str) -> Iterator[str]:
    for each in container.get("envFrom") or ():
        yield from _named(each.get(whole))
    for each in container.get("env") or ():
        source = each.get("valueFrom")
        if source:
            yield from _named(source.get(key))


def _secrets_of_volume(volume: Object) -> Iterator[str]:
    # A volume has its name and one source: that is quicker than asking for each that there may be.
    for source, inner in volume.items():
        if source not in _SECRET_FIELDS:
            continue
        value: Any = inner
        for step in _SECRET_FIELDS[source]:
            value = (value or {}).get(step)
        if value:
            yield value
    for each in (volume.get("projected") or {}).get("sources") or ():
        yield from _named(each.get("secret"))


def _named(reference: Object | None) -> Iterator[str]:
    if reference and reference.get("name"):
        yield reference["name"]


def _claims(pod: Object) -> Iterator[str]:
    for volume in pod["spec"].get("volumes") or ():
        if volume.get("persistentVolumeClaim"):
            yield volume["persistentVolumeClaim"].get("claimName", "")
        elif volume.get("ephemeral"):
            yield f"{pod['metadata']['name']}-{volume.get('name', '')}"


def _resource_claims(pod: Object) -> Iterator[str]:
    for each in pod["spec"].get("resourceClaims") or ():
        if each.get("resourceClaimName"):
            yield each["resourceClaimName"]
