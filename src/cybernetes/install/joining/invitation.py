"""What the API must hold for machines to join: a bootstrap token, what they may read and ask for.

source  Kubernetes documentation "Authenticating with Bootstrap Tokens"; kubeadm's cluster-info
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from typing import Any

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from cybernetes.base.clock import rfc3339
from cybernetes.base.random import Random
from cybernetes.client.api import ApiClient
from cybernetes.client.kubeconfig import Access, build
from cybernetes.client.target import CONFIG_MAPS, SECRETS, Target
from cybernetes.run.config import ClusterConfig
from cybernetes.run.published import CLUSTER_INFO, KUBECONFIG, NAMESPACE

Object = dict[str, Any]

MANAGER = "cybernetes-token"
JOINERS = "system:bootstrappers:cybernetes:nodes"
TOKEN_PREFIX = "bootstrap-token-"
# Name and key of the ConfigMap in kube-system with what a node must know of the cluster.
CLUSTER_CONFIG, SHARED = "cybernetes-config", "cluster"
_ALPHABET = "abcdefghijklmnopqrstuvwxyz0123456789"
_RBAC = "rbac.authorization.k8s.io"
_ROLES = Target(_RBAC, "v1", "roles", "Role")
_ROLE_BINDINGS = Target(_RBAC, "v1", "rolebindings", "RoleBinding")


class Token(msgspec.Struct, frozen=True):
    """id: six characters that may be shown; secret: sixteen that may not."""

    id: str
    secret: str

    def __str__(self) -> str:
        return f"{self.id}.{self.secret}"


def new_token(random: Random) -> Token:
    number, letters = int.from_bytes(random.token(32), "big"), ""
    while len(letters) < 22:
        number, digit = divmod(number, len(_ALPHABET))
        letters += _ALPHABET[digit]
    return Token(letters[:6], letters[6:])


def authority_hash(certificate: bytes) -> str:
    """`sha256:` and the hash of the authority's public key, as kubeadm writes it."""
    key = x509.load_pem_x509_certificate(certificate).public_key()
    der = key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return f"sha256:{hashlib.sha256(der).hexdigest()}"


async def invite(
    client: ApiClient,
    config: ClusterConfig,
    authority: bytes,
    token: Token,
    expires: float,
    groups: Sequence[str] = (JOINERS,),
) -> Object:
    """Let holders of the token join until `expires` (seconds since the epoch). authority: PEM. The token's Secret."""
    for target, obj in objects(config, authority):
        await client.apply(target, obj, field_manager=MANAGER)
    secret = token_secret(token, expires, groups)
    return await client.create(SECRETS, secret, namespace="kube-system", field_manager=MANAGER)


def token_secret(token: Token, expires: float, groups: Sequence[str] = (JOINERS,)) -> Object:
    data = {
        "token-id": token.id,
        "token-secret": token.secret,
        "expiration": rfc3339(expires),
        "usage-bootstrap-authentication": "true",
        "auth-extra-groups": ",".join(groups),
    }
    return {
        "metadata": {"name": TOKEN_PREFIX + token.id, "namespace": "kube-system"},
        "type": "bootstrap.kubernetes.io/token",
        "data": {key: base64.b64encode(value.encode()).decode() for key, value in data.items()},
    }


def objects(config: ClusterConfig, authority: bytes) -> list[tuple[Target, Object]]:
    """Everything but the token itself; applying it again changes nothing."""
    return [
        cluster_info(config, authority),
        *readable(CONFIG_MAPS, NAMESPACE, CLUSTER_INFO, {"kind": "User", "name": "system:anonymous"}),
        (CONFIG_MAPS, _config_map("kube-system", CLUSTER_CONFIG, SHARED, msgspec.yaml.encode(shared(config)))),
        *readable(CONFIG_MAPS, "kube-system", CLUSTER_CONFIG, {"kind": "Group", "name": JOINERS}),
    ]


def cluster_info(config: ClusterConfig, authority: bytes) -> tuple[Target, Object]:
    """Where the cluster is and what its authorities are (PEM, the one that signs first)."""
    info = build(Access(server=config.server_url, authority=authority), name=config.name, user="")
    info |= {"users": [], "contexts": [], "current-context": ""}
    return CONFIG_MAPS, _config_map(NAMESPACE, CLUSTER_INFO, KUBECONFIG, msgspec.yaml.encode(info))


class Shared(msgspec.Struct, frozen=True, rename="camel"):
    """What a node must know of its cluster, beside where the control plane is. registry_host: "" for no registry."""

    name: str
    network: Any
    registry_host: str


def shared(config: ClusterConfig) -> Shared:
    host = config.registry_address if config.registry else ""
    return Shared(config.name, msgspec.to_builtins(config.network), host)


def _config_map(namespace: str, name: str, key: str, content: bytes) -> Object:
    return {"metadata": {"name": name, "namespace": namespace}, "data": {key: content.decode()}}


def readable(target: Target, namespace: str, name: str, subject: Object) -> list[tuple[Target, Object]]:
    """Lets a subject read one object."""
    metadata = {"name": f"cybernetes:{name}", "namespace": namespace}
    rule = {"apiGroups": [target.group], "resources": [target.plural], "resourceNames": [name], "verbs": ["get"]}
    reference = {"apiGroup": _RBAC, "kind": "Role", "name": metadata["name"]}
    subjects = [{**subject, "apiGroup": _RBAC}]
    return [
        (_ROLES, {"metadata": metadata, "rules": [rule]}),
        (_ROLE_BINDINGS, {"metadata": metadata, "roleRef": reference, "subjects": subjects}),
    ]
