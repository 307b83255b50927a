"""CertificateApproval, CertificateSigning, CertificateSubjectRestriction, ClusterTrustBundleAttest.

Whoever approves, signs or vouches for a signer needs that verb on the signer, beside the right to write the object.
"""

from __future__ import annotations

from base64 import b64decode
from typing import Any

from cybernetes.apiserver.admission.attributes import AdmissionAttributes, Place
from cybernetes.apiserver.admission.chain import Step, Validating
from cybernetes.auth import pki
from cybernetes.auth.authz import Attributes, Authorizer
from cybernetes.auth.user import MASTERS, User

Object = dict[str, Any]

GROUP = "certificates.k8s.io"
REQUESTS = "certificatesigningrequests"
CLIENT_SIGNER = "kubernetes.io/kube-apiserver-client"


def may(authorizer: Authorizer, user: User, verb: str, signer: str) -> bool:
    """Whether the user has a verb on a signer, or on all signers of its domain."""
    domain, _, _ = signer.partition("/")
    return any(
        authorizer.decide(Attributes(user, verb, GROUP, "*", "signers", name=name)).allowed
        for name in (signer, f"{domain}/*")
    )


class CertificateApproval(Validating):
    name = "CertificateApproval"

    def __init__(self, authorizer: Authorizer) -> None:
        self._authorizer = authorizer

    def validator(self, place: Place) -> Step | None:
        return self._check if place.is_(GROUP, REQUESTS, "UPDATE", subresource="approval") else None

    def _check(self, attributes: AdmissionAttributes) -> None:
        signer = attributes.before["spec"].get("signerName", "")
        if not may(self._authorizer, attributes.user, "approve", signer):
            raise attributes.forbidden(f'user not permitted to approve requests with signerName "{signer}"')


class CertificateSigning(Validating):
    name = "CertificateSigning"

    def __init__(self, authorizer: Authorizer) -> None:
        self._authorizer = authorizer

    def validator(self, place: Place) -> Step | None:
        return self._check if place.is_(GROUP, REQUESTS, "UPDATE", subresource="status") else None

    def _check(self, attributes: AdmissionAttributes) -> None:
        new, old = (each.get("status") or {} for each in (attributes.new, attributes.before))
        if all((new.get(part) or None) == (old.get(part) or None) for part in ("certificate", "conditions")):
            return
        signer = attributes.before["spec"].get("signerName", "")
        if not may(self._authorizer, attributes.user, "sign", signer):
            raise attributes.forbidden(f'user not permitted to sign requests with signerName "{signer}"')


class CertificateSubjectRestriction(Validating):
    """No certificate makes its holder a member of system:masters, whom no rule could stop any more."""

    name = "CertificateSubjectRestriction"

    def validator(self, place: Place) -> Step | None:
        return _refuse_masters if place.is_(GROUP, REQUESTS, "CREATE") else None


def _refuse_masters(attributes: AdmissionAttributes) -> None:
    spec = attributes.new["spec"]
    if spec.get("signerName") != CLIENT_SIGNER:
        return
    try:
        asked = pki.read_request(b64decode(spec.get("request", "")))
    except ValueError as wrong:
        raise attributes.forbidden(f"failed to parse CSR: {wrong}") from wrong
    if MASTERS in asked.organizations:
        raise attributes.forbidden(f"use of {CLIENT_SIGNER} signer with {MASTERS} group is not allowed")


class ClusterTrustBundleAttest(Validating):
    name = "ClusterTrustBundleAttest"

    def __init__(self, authorizer: Authorizer) -> None:
        self._authorizer = authorizer

    def validator(self, place: Place) -> Step | None:
        return self._check if place.is_(GROUP, "clustertrustbundles", "CREATE", "UPDATE") else None

    def _check(self, attributes: AdmissionAttributes) -> None:
        signer = attributes.new["spec"].get("signerName", "")
        if signer and not may(self._authorizer, attributes.user, "attest", signer):
            raise attributes.forbidden(f'user not permitted to attest for signerName "{signer}"')
