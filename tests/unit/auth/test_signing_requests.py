"""What approvers and signers may write of a signing request."""

import base64

import pytest

from cybernetes.auth import pki
from cybernetes.base.random import SeededRandom
from cybernetes.model.field import Path
from cybernetes.model.resource import WriteContext
from cybernetes.model.validation import signing_requests as csr

APPROVED = {"type": "Approved", "status": "True"}
DENIED = {"type": "Denied", "status": "True"}
FAILED = {"type": "Failed", "status": "True"}
CERTIFICATE = base64.b64encode(pki.ca("signer", pki.Terms(1e9, SeededRandom(2))).certificate).decode()
CTX = WriteContext(now=1e9, random=SeededRandom(1), user="alice", groups=("dev",))


def request(*conditions, certificate=None):
    status = {"conditions": [dict(each) for each in conditions]}
    return {"metadata": {}, "spec": {}, "status": {**status, **({"certificate": certificate} if certificate else {})}}


def bodies(errors):
    return [each.body for each in errors]


def test_the_sender_is_named_by_the_server_only():
    obj = {"spec": {"username": "root", "uid": "0", "groups": ["system:masters"], "extra": {"a": ["b"]}}}
    csr.name_requester(obj, CTX)
    assert obj["spec"] == {"username": "alice", "groups": ["dev"]}


@pytest.mark.parametrize(
    ("new", "old", "why"),
    [
        ((), (APPROVED,), 'Forbidden: updates may not remove a condition of type "Approved"'),
        ((FAILED,), (), 'Forbidden: updates may not add a condition of type "Failed"'),
        (({**APPROVED, "status": "False"},), (), 'Unsupported value: "False": supported values: "True"'),
    ],
)
def test_approval_only_approves_or_denies_and_for_good(new, old, why):
    assert why in bodies(csr.validate_approval(request(*new), request(*old)))


def test_approved_and_denied_exclude_each_other():
    assert csr.validate_approval(request(APPROVED), request()) == []
    both = bodies(csr.validate_approval(request(APPROVED, DENIED), request(APPROVED)))
    assert both == ['Invalid value: "Denied": Approved and Denied conditions are mutually exclusive']


def test_signers_do_not_approve_and_sign_once():
    assert csr.validate_status(request(APPROVED, certificate=CERTIFICATE), request(APPROVED)) == []
    assert 'Forbidden: updates may not add a condition of type "Approved"' in bodies(
        csr.validate_status(request(APPROVED), request())
    )
    assert "Forbidden: updates may not modify existing certificate content" in bodies(
        csr.validate_status(request(certificate="y"), request(certificate="x"))
    )


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (b"no certificate", "must contain at least one CERTIFICATE PEM block"),
        (b"-----BEGIN CERTIFICATE REQUEST-----\nAA==\n-----END CERTIFICATE REQUEST-----\n",
         'only CERTIFICATE PEM blocks are allowed, found "CERTIFICATE REQUEST"'),
        (b"-----BEGIN CERTIFICATE-----\nProc-Type: 4\n\nAA==\n-----END CERTIFICATE-----\n",
         "no PEM block headers are permitted"),
    ],
)  # fmt: skip
def test_signers_sign_with_certificates_only(text, why):
    signed = request(certificate=base64.b64encode(text).decode())
    assert bodies(csr.validate_status(signed, request())) == [f'Invalid value: "<certificate data>": {why}']


@pytest.mark.parametrize(
    ("name", "good"),
    [
        ("example.com/signer", True),
        ("kubernetes.io/kubelet-serving", True),
        ("a/b", False),
        ("x", False),
        ("", False),
        ("example.com/-a", False),
        ("Example.com/a", False),
    ],
)
def test_signers_are_named_by_domain_and_path(name, good):
    assert (csr.signer_name_errors(name, Path("spec.signerName")) == []) is good


def test_conditions_are_stamped_once():
    old = request({**APPROVED, "lastTransitionTime": "then", "lastUpdateTime": "then"})
    new = request({"type": "Approved"}, {"type": "Other", "status": "False"})
    csr.stamp_conditions(new, old, CTX)
    first, second = new["status"]["conditions"]
    assert (first["status"], first["lastTransitionTime"]) == ("True", "then")
    assert second["lastTransitionTime"] == second["lastUpdateTime"] == "2001-09-09T01:46:40Z"
