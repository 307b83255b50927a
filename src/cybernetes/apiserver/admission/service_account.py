"""ServiceAccount: every pod has one, with its token where the pod's containers look for it."""

from __future__ import annotations

import hashlib
from typing import Any

import msgspec
import orjson

from cybernetes.apiserver.admission.attributes import AdmissionAttributes, Place
from cybernetes.apiserver.admission.chain import CatchUp, Step
from cybernetes.auth import references
from cybernetes.auth.lister import Lister
from cybernetes.base.clock import Clock
from cybernetes.base.random import NAME_ALPHABET, Random

Object = dict[str, Any]

MOUNT_PATH = "/var/run/secrets/kubernetes.io/serviceaccount"
VOLUME_PREFIX = "kube-api-access-"
# An hour, and seven seconds by which the API server knows that a pod's token may live longer.
TOKEN_SECONDS = 3607
# The controller makes a namespace's default account a moment after the namespace; a pod that comes with its namespace
# waits for it, up to two seconds, as in Kubernetes.
DEFAULT = "default"
DEFAULT_TRIES = 10
DEFAULT_PAUSE_S = 0.1
MIRROR = "kubernetes.io/config.mirror"
_ENFORCE_MOUNTABLE = "kubernetes.io/enforce-mountable-secrets"


class _Account(msgspec.Struct, frozen=True, gc=False):
    """What pods need to know of their account.

    mounts   whether its token is mounted; None where it does not say
    pulls    names of secrets for pulling images
    secrets  names of those that its pods may use, where `enforced`
    """

    mounts: bool | None
    pulls: tuple[str, ...]
    secrets: frozenset[str]
    enforced: bool


def _read(account: Object) -> _Account:
    annotations = account["metadata"].get("annotations") or {}
    return _Account(
        account.get("automountServiceAccountToken"),
        tuple(each.get("name", "") for each in account.get("imagePullSecrets") or ()),
        frozenset(each.get("name", "") for each in account.get("secrets") or ()),
        annotations.get(_ENFORCE_MOUNTABLE, "").lower() in ("true", "1", "t"),
    )


class ServiceAccount:
    """Follows the accounts: each pod asks for its own twice."""

    name = "ServiceAccount"

    def __init__(self, lister: Lister, catch_up: CatchUp, clock: Clock, random: Random) -> None:
        self._accounts: dict[tuple[str, str], _Account] = {}
        lister.subscribe("", "serviceaccounts", self._changed)
        self._catch_up = catch_up
        self._clock = clock
        self._random = random

    def mutator(self, place: Place) -> Step | None:
        return self._mutate if place.is_pod("CREATE") else None

    def validator(self, place: Place) -> Step | None:
        if place.is_pod("CREATE"):
            return self._validate
        if place.is_pod("UPDATE", subresource="ephemeralcontainers"):
            return self._check_ephemeral
        return None

    def _mutate(self, attributes: AdmissionAttributes) -> Any:
        pod = attributes.new
        if is_mirror(pod):
            return None
        spec = pod["spec"]
        if not spec.get("serviceAccountName"):
            spec["serviceAccountName"] = spec["serviceAccount"] = DEFAULT
        account = self._account(attributes)
        return self._mutate_late(attributes) if account is None else self._provide(spec, account)

    async def _mutate_late(self, attributes: AdmissionAttributes) -> None:
        await self._catch_up()
        account = self._account(attributes)
        name = attributes.new["spec"]["serviceAccountName"]
        for _ in range(DEFAULT_TRIES if name == DEFAULT else 0):
            if account is not None:
                break
            await self._clock.sleep(self._random.jitter(DEFAULT_PAUSE_S, 1.0))
            account = self._account(attributes)
        if account is None:
            raise attributes.forbidden(
                f'error looking up service account {attributes.namespace}/{name}: serviceaccount "{name}" not found'
            )
        self._provide(attributes.new["spec"], account)

    def _changed(self, old: Object | None, new: Object | None) -> None:
        metadata = (new or old or {})["metadata"]
        place = metadata["namespace"], metadata["name"]
        if new is None:
            self._accounts.pop(place, None)
        else:
            self._accounts[place] = _read(new)

    def _account(self, attributes: AdmissionAttributes) -> _Account | None:
        return self._accounts.get((attributes.namespace, attributes.new["spec"].get("serviceAccountName", "")))

    def _provide(self, spec: Object, account: _Account) -> None:
        if _automounts(spec, account):
            _mount_token(spec)
        if not spec.get("imagePullSecrets") and account.pulls:
            spec["imagePullSecrets"] = [{"name": each} for each in account.pulls]

    def _validate(self, attributes: AdmissionAttributes) -> None:
        pod = attributes.new
        if is_mirror(pod):
            _check_mirror(attributes)
            return
        # That the account exists was seen when the pod was mutated, a moment ago; a webhook may have named another.
        account = self._account(attributes)
        name = pod["spec"].get("serviceAccountName", "")
        if account is None:
            raise attributes.forbidden(
                f'error looking up service account {attributes.namespace}/{name}: serviceaccount "{name}" not found'
            )
        self._check_mountable(attributes, account)

    def _check_ephemeral(self, attributes: AdmissionAttributes) -> None:
        account = self._account(attributes)
        if account is not None:
            self._check_mountable(attributes, account)

    def _check_mountable(self, attributes: AdmissionAttributes, account: _Account) -> None:
        if not account.enforced:
            return
        spec = attributes.new["spec"]
        for where, secret in references.secrets(spec):
            if secret not in (account.pulls if where == "imagePullSecrets" else account.secrets):
                raise attributes.forbidden(
                    f'{where} references the secret "{secret}" which is not referenced by service account '
                    f'"{spec["serviceAccountName"]}"'
                )


def is_mirror(pod: Object) -> bool:
    return MIRROR in (pod["metadata"].get("annotations") or {})


def _automounts(spec: Object, account: _Account) -> bool:
    asked = spec.get("automountServiceAccountToken")
    if asked is None:
        asked = account.mounts
    return True if asked is None else bool(asked)


def _mount_token(spec: Object) -> None:
    volumes = spec.get("volumes") or []
    existing = next((each["name"] for each in volumes if each["name"].startswith(VOLUME_PREFIX)), "")
    volume = existing or VOLUME_PREFIX + _suffix(spec)
    mounted = False
    for containers in ("initContainers", "containers"):
        for container in spec.get(containers) or ():
            mounts = container.get("volumeMounts") or []
            if not any(each.get("mountPath") == MOUNT_PATH for each in mounts):
                mount = {"name": volume, "readOnly": True, "mountPath": MOUNT_PATH}
                container["volumeMounts"] = [*mounts, mount]
                mounted = True
    if mounted and not existing:
        spec["volumes"] = [*volumes, token_volume(volume)]


def _suffix(spec: Object) -> str:
    """Letters that depend on the spec alone: pods of one template stay alike, and are judged once (`model.memo`)."""
    digest = hashlib.sha256(orjson.dumps(spec)).digest()
    return "".join(NAME_ALPHABET[byte % len(NAME_ALPHABET)] for byte in digest[:5])


def token_volume(name: str) -> Object:
    namespace = {"path": "namespace", "fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.namespace"}}
    return {
        "name": name,
        "projected": {
            "sources": [
                {"serviceAccountToken": {"expirationSeconds": TOKEN_SECONDS, "path": "token"}},
                {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
                {"downwardAPI": {"items": [namespace]}},
            ],
            "defaultMode": 0o644,
        },
    }


def _check_mirror(attributes: AdmissionAttributes) -> None:
    spec = attributes.new["spec"]
    if spec.get("serviceAccountName"):
        raise attributes.forbidden("a mirror pod may not reference service accounts")
    if any(True for _ in references.secrets(spec)):
        raise attributes.forbidden("a mirror pod may not reference secrets")
    for volume in spec.get("volumes") or ():
        sources = (volume.get("projected") or {}).get("sources") or ()
        if any(each.get("serviceAccountToken") is not None for each in sources):
            raise attributes.forbidden("a mirror pod may not use ServiceAccountToken volume projections")
