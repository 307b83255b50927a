"""What the signers of a cluster allow, and when a request is forgotten.

source  Kubernetes documentation "Certificates and Certificate Signing Requests"
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from cybernetes.auth.pki import RequestFacts, expires_at
from cybernetes.base.clock import parse_rfc3339
from cybernetes.controllers.objects import Condition, Meta, View

CLIENT = "kubernetes.io/kube-apiserver-client"
KUBELET_CLIENT = "kubernetes.io/kube-apiserver-client-kubelet"
KUBELET_SERVING = "kubernetes.io/kubelet-serving"
LEGACY = "kubernetes.io/legacy-unknown"

NODE_PREFIX = "system:node:"
NODES_GROUP = "system:nodes"
# Users that the components beside a node's kubelet are.
NODE_COMPONENTS = ("system:kube-proxy", "system:cybernetes:dns")
LIFETIME_S = 8760 * 3600
SHORTEST_S = 600
BACKDATE_S = 300
# Certificates that live shorter than this get their full time; others lose what they are backdated by.
SHORT_S = 8 * 3600
HOUR_S = 3600.0
DAY_S = 24 * HOUR_S


class CsrSpec(View, frozen=True, gc=False):
    """`request` is base64 of the PEM, as on the wire."""

    request: str = ""
    signer_name: str = ""
    usages: tuple[str, ...] = ()
    username: str = ""
    uid: str = ""
    groups: tuple[str, ...] = ()
    extra: dict[str, list[str]] = {}
    expiration_seconds: int | None = None


class CsrStatus(View, frozen=True, gc=False):
    conditions: tuple[Condition, ...] = ()
    certificate: str = ""


class Csr(View, frozen=True, gc=False):
    metadata: Meta
    spec: CsrSpec = CsrSpec()
    status: CsrStatus = CsrStatus()

    def has(self, kind: str) -> bool:
        return any(each.type == kind and each.status != "False" for each in self.status.conditions)


def pem_of(text: str) -> bytes:
    """Raises ValueError for text that is no base64."""
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error as broken:
        raise ValueError(str(broken)) from broken


class Approval(NamedTuple):
    """subresource: what the requester must be allowed to create."""

    subresource: str
    message: str


OWN_CLIENT = Approval("selfnodeclient", "Auto approving self kubelet client certificate after SubjectAccessReview.")
FIRST_CLIENT = Approval("nodeclient", "Auto approving kubelet client certificate after SubjectAccessReview.")
OWN_SERVING = Approval("selfnodeserver", "Auto approving self kubelet serving certificate after SubjectAccessReview.")
COMPONENT_CLIENT = Approval(
    "nodecomponentclient", "Auto approving client certificate of a node's component after SubjectAccessReview."
)


def approval(csr: Csr, facts: RequestFacts, taken: Mapping[str, str]) -> Approval | None:
    """None: not for us to say. taken: address of a node -> that node's name."""
    spec = csr.spec
    trouble = SIGNERS.get(spec.signer_name, _anything)(spec.usages, facts)
    if trouble:
        return None
    itself = spec.username == facts.common_name
    if spec.signer_name == KUBELET_CLIENT:
        return OWN_CLIENT if itself else FIRST_CLIENT
    if spec.signer_name == KUBELET_SERVING and itself and _is_own_address(facts, taken):
        return OWN_SERVING
    if spec.signer_name == CLIENT and facts.common_name in NODE_COMPONENTS and not facts.organizations:
        return COMPONENT_CLIENT
    return None


def _is_own_address(facts: RequestFacts, taken: Mapping[str, str]) -> bool:
    """Whether a node may answer at these names: its own, and addresses that no other node has."""
    name = facts.common_name.removeprefix(NODE_PREFIX)
    return set(facts.names) <= {name} and all(taken.get(each, name) == name for each in facts.addresses)


def kubelet_client_trouble(usages: Sequence[str], facts: RequestFacts) -> str:
    if subject := _node_subject_trouble(facts):
        return subject
    for found, message in (
        (facts.names, "DNS subjectAltNames are not allowed"),
        (facts.emails, "Email subjectAltNames are not allowed"),
        (facts.addresses, "IP subjectAltNames are not allowed"),
        (facts.uris, "URI subjectAltNames are not allowed"),
    ):
        if found:
            return message
    return _exact_usages(usages, "client auth", "[client auth digital signature key encipherment]")


def kubelet_serving_trouble(usages: Sequence[str], facts: RequestFacts) -> str:
    if subject := _node_subject_trouble(facts):
        return subject
    if not facts.names and not facts.addresses:
        return "DNS or IP subjectAltName is required"
    if facts.emails:
        return "Email subjectAltNames are not allowed"
    if facts.uris:
        return "URI subjectAltNames are not allowed"
    return _exact_usages(usages, "server auth", "[digital signature key encipherment server auth]")


def client_trouble(usages: Sequence[str], facts: RequestFacts) -> str:
    for each in usages:
        if each not in ("client auth", "digital signature", "key encipherment"):
            return f"invalid usage for client certificate: {each}"
    return "" if "client auth" in usages else "missing required usage for client certificate: client auth"


def _anything(usages: Sequence[str], facts: RequestFacts) -> str:
    return ""


def _node_subject_trouble(facts: RequestFacts) -> str:
    if facts.organizations != (NODES_GROUP,):
        return "subject organization is not system:nodes"
    if not facts.common_name.startswith(NODE_PREFIX):
        return "subject common name does not begin with system:node:"
    return ""


def _exact_usages(usages: Sequence[str], purpose: str, shown: str) -> str:
    wanted = {"digital signature", purpose}
    return "" if set(usages) in (wanted, wanted | {"key encipherment"}) else f"usages did not match {shown}"


# What is wrong with a request, by signer; "" for nothing.
SIGNERS: dict[str, Callable[[Sequence[str], RequestFacts], str]] = {
    CLIENT: client_trouble,
    KUBELET_CLIENT: kubelet_client_trouble,
    KUBELET_SERVING: kubelet_serving_trouble,
    LEGACY: _anything,
}


def lifetime_s(asked_s: int | None) -> int:
    """Seconds from now until the certificate ends."""
    life_s = max(SHORTEST_S, min(asked_s if asked_s is not None else LIFETIME_S, LIFETIME_S))
    return life_s if life_s < SHORT_S else life_s - BACKDATE_S


def is_to_be_signed(csr: Csr) -> bool:
    ours = csr.spec.signer_name in SIGNERS
    return (
        ours and csr.has("Approved") and not csr.has("Denied") and not csr.has("Failed") and not csr.status.certificate
    )


def is_old(csr: Csr, now: float) -> bool:
    """Whether the request can be forgotten."""
    if csr.status.certificate and _has_expired(csr, now):
        return True
    for each in csr.status.conditions:
        updated = parse_rfc3339(each.last_update_time) if each.last_update_time else now
        if each.type in ("Denied", "Failed") and now - updated > HOUR_S:
            return True
        limit_s = HOUR_S if csr.status.certificate else DAY_S
        if each.type == "Approved" and now - updated > limit_s:
            return True
    return not csr.status.conditions and now - parse_rfc3339(csr.metadata.creation_timestamp) > DAY_S


def _has_expired(csr: Csr, now: float) -> bool:
    try:
        return expires_at(pem_of(csr.status.certificate)) < now
    except ValueError:
        return False
