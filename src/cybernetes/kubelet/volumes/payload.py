"""The files of configMap, secret, downwardAPI and projected volumes. Pure.

source  kubernetes.io "Projected Volumes"
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import msgspec

from cybernetes.kubelet import env, pods, resources, security
from cybernetes.kubelet.credentials import (
    BundleWanted,
    CertificateWanted,
    PodCertificate,
    bundle_wanted,
    certificate_wanted,
)
from cybernetes.kubelet.env import Sources
from cybernetes.kubelet.pods import Object
from cybernetes.kubelet.volumes.errors import ImageVolumeError, VolumeError

__all__ = ["File", "ImageVolumeError", "PayloadContext", "TokenRequest", "VolumeError", "files", "references"]

DEFAULT_MODE = 0o644
# The API server's default; the kubelet never asks for more than a day without being told.
TOKEN_EXPIRATION_S = 3600
PAYLOAD_KINDS = ("configMap", "secret", "downwardAPI", "projected")


class File(msgspec.Struct, frozen=True):
    """owner is None where the file stays root's."""

    data: bytes
    mode: int
    owner: int | None = None


class TokenRequest(msgspec.Struct, frozen=True):
    audience: str
    expiration_s: int


class PayloadContext(msgspec.Struct, frozen=True):
    sources: Sources
    tokens: Mapping[TokenRequest, str]
    node_allocatable: Mapping[str, int]
    certificates: Mapping[CertificateWanted, PodCertificate] = {}
    bundles: Mapping[BundleWanted, bytes | None] = {}


def references(volume: Object) -> Iterator[tuple[str, str]]:
    """(kind, name) of every ConfigMap and Secret that the volume is made from."""
    if "configMap" in volume:
        yield "ConfigMap", volume["configMap"].get("name", "")
    elif "secret" in volume:
        yield "Secret", volume["secret"].get("secretName", "")
    elif "projected" in volume:
        for source in volume["projected"].get("sources") or ():
            if "configMap" in source:
                yield "ConfigMap", source["configMap"].get("name", "")
            elif "secret" in source:
                yield "Secret", source["secret"].get("name", "")


def token_requests(volume: Object) -> Iterator[TokenRequest]:
    for source in (volume.get("projected") or {}).get("sources") or ():
        if "serviceAccountToken" in source:
            yield _token_request(source["serviceAccountToken"])


def certificates_wanted(volume: Object) -> Iterator[CertificateWanted]:
    for source in (volume.get("projected") or {}).get("sources") or ():
        if "podCertificate" in source:
            yield certificate_wanted(source["podCertificate"])


def bundles_wanted(volume: Object) -> Iterator[BundleWanted]:
    for source in (volume.get("projected") or {}).get("sources") or ():
        if "clusterTrustBundle" in source:
            yield bundle_wanted(source["clusterTrustBundle"])


def _token_request(projection: Object) -> TokenRequest:
    return TokenRequest(
        projection.get("audience") or "", int(projection.get("expirationSeconds") or TOKEN_EXPIRATION_S)
    )


def files(pod: Object, volume: Object, context: PayloadContext) -> dict[str, File]:
    """Path below the volume -> file. Raises VolumeError with Kubernetes' words."""
    if "configMap" in volume:
        spec = volume["configMap"]
        return _of_object(pod, "ConfigMap", spec.get("name", ""), spec, _mode(spec), context)
    if "secret" in volume:
        spec = volume["secret"]
        return _of_object(pod, "Secret", spec.get("secretName", ""), spec, _mode(spec), context)
    if "downwardAPI" in volume:
        spec = volume["downwardAPI"]
        return _downward(pod, spec.get("items") or (), _mode(spec), context)
    return _projected(pod, volume["projected"], context)


def _mode(spec: Object) -> int:
    mode = spec.get("defaultMode")
    return DEFAULT_MODE if mode is None else int(mode)


def _projected(pod: Object, spec: Object, context: PayloadContext) -> dict[str, File]:
    mode = _mode(spec)
    result: dict[str, File] = {}
    for source in spec.get("sources") or ():
        if "configMap" in source:
            part = source["configMap"]
            result.update(_of_object(pod, "ConfigMap", part.get("name", ""), part, mode, context))
        elif "secret" in source:
            part = source["secret"]
            result.update(_of_object(pod, "Secret", part.get("name", ""), part, mode, context))
        elif "downwardAPI" in source:
            result.update(_downward(pod, source["downwardAPI"].get("items") or (), mode, context))
        elif "serviceAccountToken" in source:
            part = source["serviceAccountToken"]
            result[part["path"]] = _private(pod, context.tokens[_token_request(part)].encode(), mode)
        elif "podCertificate" in source:
            part = source["podCertificate"]
            found = _certificate_files(part, context.certificates[certificate_wanted(part)])
            result.update({path: _private(pod, data, mode) for path, data in found.items()})
        elif "clusterTrustBundle" in source:
            part = source["clusterTrustBundle"]
            result[part["path"]] = _private(pod, _bundle(part, context), mode)
        else:
            raise VolumeError(f"projected source {'/'.join(sorted(source))} is not supported by this node")
    return result


def _certificate_files(spec: Object, own: PodCertificate) -> dict[str, bytes]:
    contents = {
        "credentialBundlePath": own.key + own.chain,
        "keyPath": own.key,
        "certificateChainPath": own.chain,
    }
    return {spec[field]: data for field, data in contents.items() if spec.get(field)}


def _bundle(spec: Object, context: PayloadContext) -> bytes:
    wanted = bundle_wanted(spec)
    found = context.bundles[wanted]
    if found is None:
        if spec.get("optional"):
            return b""
        raise VolumeError(f'clustertrustbundle "{wanted.name or wanted.signer}" not found')
    return found


def _of_object(pod: Object, kind: str, name: str, spec: Object, mode: int, context: PayloadContext) -> dict[str, File]:
    namespace, optional = pod["metadata"]["namespace"], bool(spec.get("optional"))
    obj = context.sources.get(kind, namespace, name)
    if obj is None:
        if optional:
            return {}
        raise VolumeError(f'{kind.lower()} "{name}" not found')
    data = env.payload(kind, obj)
    items = spec.get("items")
    if not items:
        return {key: File(value, mode) for key, value in data.items()}
    result = {}
    for item in items:
        if item["key"] in data:
            chosen = item.get("mode")
            result[item["path"]] = File(data[item["key"]], mode if chosen is None else int(chosen))
        elif not optional:
            word = "config" if kind == "ConfigMap" else "secret"
            raise VolumeError(f"references non-existent {word} key: {item['key']}")
    return result


def _downward(
    pod: Object, items: Iterator[Object] | tuple[Object, ...], mode: int, context: PayloadContext
) -> dict[str, File]:
    result = {}
    for item in items:
        chosen = item.get("mode")
        value = _downward_value(pod, item, context)
        result[item["path"]] = File(value.encode(), mode if chosen is None else int(chosen))
    return result


def _downward_value(pod: Object, item: Object, context: PayloadContext) -> str:
    if "fieldRef" in item:
        try:
            return env.field_value(pod, item["fieldRef"].get("fieldPath", ""))
        except env.ConfigError as wrong:
            raise VolumeError(str(wrong)) from wrong
    reference = item["resourceFieldRef"]
    found = pods.find_container(pod, reference.get("containerName", ""))
    if found is None:
        raise VolumeError(f"container {reference.get('containerName', '')} not found")
    divisor = str(reference.get("divisor") or "")
    return resources.resource_field(found[1], reference["resource"], divisor, context.node_allocatable)


def _private(pod: Object, data: bytes, mode: int) -> File:
    """Credentials are for the pod's user and group only, where all containers have one; else as the volume says."""
    own = [*pods.init_containers(pod), *pods.containers(pod)]
    users = {security.effective(pod, container, "runAsUser") for container in own}
    if len(users) == 1 and None not in users:
        return File(data, 0o600, int(users.pop()))
    grouped = security.context_of(pod["spec"]).get("fsGroup") is not None
    return File(data, 0o600 if grouped else mode)
