"""Templates, their hashes, and the annotations that `kubectl rollout` reads.

source  Kubernetes documentation "Deployments", rolling back; `kubectl rollout history`
"""

from __future__ import annotations

import functools
from collections.abc import Iterable
from typing import Any

import msgspec
import orjson

from cybernetes.base.random import NAME_ALPHABET
from cybernetes.controllers.objects import Deployment, ReplicaSet

HASH_LABEL = "pod-template-hash"
REVISION = "deployment.kubernetes.io/revision"
HISTORY = "deployment.kubernetes.io/revision-history"
DESIRED = "deployment.kubernetes.io/desired-replicas"
MAX = "deployment.kubernetes.io/max-replicas"
# Former revisions are kept in an annotation; the oldest go when it would grow beyond this.
HISTORY_CHARACTERS_MAX = 2000
_NOT_COPIED = frozenset(
    {
        "kubectl.kubernetes.io/last-applied-configuration",
        REVISION,
        HISTORY,
        DESIRED,
        MAX,
        "deprecated.deployment.rollback.to",
    }
)


@functools.lru_cache(maxsize=1024)
def _canonical(template: bytes) -> bytes:
    """The template with keys in order and without the hash label: equal templates are equal bytes."""
    decoded = orjson.loads(template)
    metadata = decoded.get("metadata") or {}
    metadata.pop("creationTimestamp", None)
    labels = metadata.get("labels") or {}
    labels.pop(HASH_LABEL, None)
    return orjson.dumps(decoded, option=orjson.OPT_SORT_KEYS)


def same_template(a: msgspec.Raw, b: msgspec.Raw) -> bool:
    return a == b or _canonical(bytes(a)) == _canonical(bytes(b))


def template_hash(template: msgspec.Raw, collisions: int | None) -> str:
    """FNV-1a over the canonical template and the number of collisions, spelled with letters that make no words."""
    data = _canonical(bytes(template))
    if collisions is not None:
        data += collisions.to_bytes(8, "little", signed=True)
    return safe_encode(str(fnv1a(data)))


def fnv1a(data: bytes) -> int:
    """The 32-bit FNV-1a hash."""
    value = 2166136261
    for byte in data:
        value = ((value ^ byte) * 16777619) & 0xFFFFFFFF
    return value


def safe_encode(text: str) -> str:
    return "".join(NAME_ALPHABET[ord(each) % len(NAME_ALPHABET)] for each in text)


def number(annotations: dict[str, str], name: str) -> int | None:
    """An annotation that is a number; None when it is absent or no number."""
    try:
        return int(annotations[name])
    except (KeyError, ValueError):
        return None


def latest(sets: Iterable[ReplicaSet]) -> int:
    return max((number(each.metadata.annotations, REVISION) or 0 for each in sets), default=0)


def set_annotations(
    deployment: Deployment, old: dict[str, str], revision: int, sizes: tuple[int, int] | None
) -> dict[str, str]:
    """Annotations of the new ReplicaSet. sizes: (desired, max) where they are to be set."""
    copied = {name: value for name, value in deployment.metadata.annotations.items() if name not in _NOT_COPIED}
    wanted = {**old, **copied}
    before = number(old, REVISION)
    if before is None or before < revision:
        wanted[REVISION] = str(revision)
        if before is not None:
            wanted[HISTORY] = _remember(old.get(HISTORY, ""), str(before))
    if sizes is not None:
        wanted[DESIRED], wanted[MAX] = str(sizes[0]), str(sizes[1])
    return wanted


def _remember(history: str, revision: str) -> str:
    entries = [each for each in history.split(",") if each]
    entries.append(revision)
    while len(",".join(entries)) > HISTORY_CHARACTERS_MAX:
        entries.pop(0)
    return ",".join(entries)


def with_hash(template: dict[str, Any], value: str) -> dict[str, Any]:
    """The template with the hash label."""
    metadata = template.get("metadata") or {}
    labels = {**(metadata.get("labels") or {}), HASH_LABEL: value}
    return {**template, "metadata": {**metadata, "labels": labels}}
