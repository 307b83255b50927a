"""What is refused of bundles of authorities and of requests for pods' certificates."""

import base64
import copy

import pytest

from cybernetes.kubelet.credentials import new_key
from cybernetes.model.printing.cluster import POD_CERTIFICATE_REQUESTS
from cybernetes.model.validation.pod_certificates import (
    validate_bundle,
    validate_bundle_update,
    validate_request,
    validate_request_status,
    validate_request_update,
)

KEY, STUB = new_key("ED25519")


def anchor() -> str:
    from cybernetes.auth import pki
    from cybernetes.base.random import SeededRandom

    return pki.ca("x", pki.Terms(1_760_000_000.0, SeededRandom(1))).certificate.decode()


PEM = anchor()


def bundle(name="a", signer="", pem=PEM):
    spec = {"trustBundle": pem, **({"signerName": signer} if signer else {})}
    return {"metadata": {"name": name}, "spec": spec}


@pytest.mark.parametrize("good", [bundle(), bundle("a.b:c:v1", "a.b/c"), bundle(pem=f"words\n{PEM}more words\n")])
def test_bundles_that_are_good(good):
    assert validate_bundle(good) == []


@pytest.mark.parametrize(
    ("bad", "says"),
    [
        (bundle("a:b"), 'must not have ":" in its name'),
        (bundle("A"), "RFC 1123"),
        (bundle("a", "a.b/c"), "must be named with prefix a.b:c:"),
        (bundle("a.b:c:", "a.b/c"), "RFC 1123"),
        (bundle("x:c:v", "x/c"), "at least two segments"),
        (bundle(pem=""), "at least one trust anchor"),
        (bundle(pem=PEM * 2), "duplicate trust anchor (indices 0 and 1)"),
        (bundle(pem=KEY.decode()), "bad block type: PRIVATE KEY"),
        (bundle(pem=PEM.replace("CERTIFICATE-----\n", "CERTIFICATE-----\na: b\n", 1)), "headers"),
        (bundle(pem=PEM.replace("MII", "AAA", 1)), "does not parse"),
    ],
)
def test_bundles_that_are_not(bad, says):
    assert any(says in str(each.body) for each in validate_bundle(bad)), validate_bundle(bad)


def test_a_bundles_signer_stays():
    assert validate_bundle_update(bundle("a.b:c:v1", "a.b/c"), bundle("a.b:c:v1", "a.b/c")) == []
    errors = validate_bundle_update(bundle("a.b:d:v1", "a.b/d"), bundle("a.b:c:v1", "a.b/c"))
    assert [each.field for each in errors] == ["spec.signerName"]


def request(**changed):
    spec = {"signerName": "a.b/c", "maxExpirationSeconds": 86400, "stubPKCS10Request": base64.b64encode(STUB).decode()}
    for what in ("pod", "serviceAccount", "node"):
        spec[f"{what}Name"], spec[f"{what}UID"] = "x", "u"
    return {"metadata": {"name": "r", "namespace": "n"}, "spec": {**spec, **changed}}


def test_a_request_that_is_good():
    assert validate_request(request()) == []


@pytest.mark.parametrize(
    ("changed", "field", "says"),
    [
        ({"podName": "X"}, "spec.podName", "RFC 1123"),
        ({"nodeUID": ""}, "spec.nodeUID", "must not be empty"),
        ({"serviceAccountUID": "u" * 129}, "spec.serviceAccountUID", "128"),
        ({"maxExpirationSeconds": 3599}, "spec.maxExpirationSeconds", "[3600, 7862400]"),
        ({"maxExpirationSeconds": None}, "spec.maxExpirationSeconds", "must be set"),
        ({"stubPKCS10Request": "YWJj"}, "spec.stubPKCS10Request", "valid PKCS#10"),
        ({"stubPKCS10Request": None}, "spec.stubPKCS10Request", "valid PKCS#10"),
        (
            {"stubPKCS10Request": base64.b64encode(STUB[:-1] + bytes([STUB[-1] ^ 1])).decode()},
            "spec.stubPKCS10Request",
            "invalid signature",
        ),
    ],
)
def test_requests_that_are_not(changed, field, says):
    (error,) = validate_request(request(**changed))
    assert error.field == field and says in str(error.body)


@pytest.mark.parametrize(("told", "shown"), [({"a.b/d": "2", "a.b/c": "1"}, "a.b/c=1,a.b/d=2"), (None, "<none>")])
def test_what_users_tell_the_signer_is_shown_as_labels_are(told, shown):
    (column,) = (each for each in POD_CERTIFICATE_REQUESTS if each.name == "UnverifiedUserAnnotations")
    assert column.cell(request(unverifiedUserAnnotations=told), 0.0) == shown


def test_a_request_does_not_change():
    assert [each.field for each in validate_request_update(request(podName="y"), request())] == ["spec"]
    assert validate_request_update(request(), request()) == []


@pytest.mark.parametrize(
    ("status", "says"),
    [
        ({"conditions": [{"type": "Maybe", "status": "True"}]}, "supported values"),
        ({"conditions": [{"type": "Denied", "status": "False"}]}, "supported values"),
        ({"conditions": [{"type": each, "status": "True"} for each in ("Denied", "Failed")]}, "at most one"),
        ({"conditions": [{"type": "Issued", "status": "True"}]}, "at least one certificate"),
        ({"certificateChain": KEY.decode()}, "consist entirely"),
        ({"certificateChain": PEM}, "not issued to the requested public key"),
    ],
)
def test_answers_that_are_refused(status, says):
    new = copy.deepcopy(request())
    new["status"] = status
    assert any(says in str(each.body) for each in validate_request_status(new, request()))
