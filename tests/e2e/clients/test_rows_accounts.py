"""Service accounts and their tokens, signing requests, reviews, as clients see them."""

from __future__ import annotations

import base64
import datetime
from typing import Any

import orjson
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from tests.e2e.clients.calling import Caller, pod

REVIEWS = "/apis/authorization.k8s.io/v1"
TOKEN_REVIEWS = "/apis/authentication.k8s.io/v1/tokenreviews"
MOUNT = "/var/run/secrets/kubernetes.io/serviceaccount"


def test_the_life_of_an_account(caller: Caller) -> None:
    path = f"{caller.space}/serviceaccounts"
    events = caller.watch(path, labelSelector="test=life")
    made = {"metadata": {"name": "robot", "labels": {"test": "life"}}}
    caller.ok("POST", path, made)
    assert next(events)[0] == "ADDED"
    caller.ok("PATCH", f"{path}/robot", {"automountServiceAccountToken": True})
    kind, seen = next(events)
    assert kind == "MODIFIED" and seen["automountServiceAccountToken"] is True
    assert caller.names("/api/v1/serviceaccounts", labelSelector="test=life") == ["robot"]
    caller.ok("DELETE", path, labelSelector="test=life")
    assert next(events)[0] == "DELETED"


@pytest.mark.parametrize(
    ("of_account", "of_pod", "mounts"),
    [(None, None, True), (None, True, True), (None, False, False), (True, None, True), (True, False, False),
     (False, None, False), (False, True, True), (False, False, False), (True, True, True)],
)  # fmt: skip
def test_tokens_are_mounted_unless_account_or_pod_opts_out(
    caller: Caller, of_account: bool | None, of_pod: bool | None, mounts: bool
) -> None:
    account = {"metadata": {"name": "robot"}, "automountServiceAccountToken": of_account}
    caller.ok("POST", f"{caller.space}/serviceaccounts", account)
    spec: dict[str, Any] = {"serviceAccountName": "robot"}
    if of_pod is not None:
        spec["automountServiceAccountToken"] = of_pod
    made = caller.ok("POST", f"{caller.space}/pods", pod("one", **spec), dryRun="All")
    mounted = [each["mountPath"] for each in made["spec"]["containers"][0].get("volumeMounts") or ()]
    assert mounted == ([MOUNT] if mounts else [])


def test_a_token_is_made_for_an_audience_and_reviewed(caller: Caller) -> None:
    caller.ok("POST", f"{caller.space}/serviceaccounts", {"metadata": {"name": "robot"}})
    bound = caller.ok("POST", f"{caller.space}/secrets", {"metadata": {"name": "bound"}})
    reference = {"kind": "Secret", "apiVersion": "v1", "name": "bound", "uid": bound["metadata"]["uid"]}
    asked = {"spec": {"audiences": ["vault"], "expirationSeconds": 900, "boundObjectRef": reference}}
    answered = caller.ok("POST", f"{caller.space}/serviceaccounts/robot/token", asked)
    token = answered["status"]["token"]
    claims = orjson.loads(base64.urlsafe_b64decode(token.split(".")[1] + "==="))
    assert claims["aud"] == ["vault"] and claims["exp"] - claims["iat"] == 900
    assert claims["kubernetes.io"]["secret"] == {"name": "bound", "uid": bound["metadata"]["uid"]}
    name = f"system:serviceaccount:{caller.namespace}:robot"
    reviewed = caller.ok("POST", TOKEN_REVIEWS, {"spec": {"token": token, "audiences": ["vault"]}})["status"]
    assert reviewed["authenticated"] and reviewed["user"]["username"] == name and reviewed["audiences"] == ["vault"]
    assert caller.call("GET", "/api", token=token)[0] == 401, "it is not for the API server"
    gone = {"spec": {"boundObjectRef": {**reference, "name": "gone"}}}
    status, refused = caller.call("POST", f"{caller.space}/serviceaccounts/robot/token", gone)
    assert (status, refused["message"]) == (404, 'secrets "gone" not found')


def test_others_can_check_tokens_of_this_issuer(caller: Caller) -> None:
    caller.ok("POST", f"{caller.space}/serviceaccounts", {"metadata": {"name": "reader"}})
    token = caller.ok("POST", f"{caller.space}/serviceaccounts/reader/token", {"spec": {}})["status"]["token"]
    document = caller.ok("GET", "/.well-known/openid-configuration", token=token)
    claims = orjson.loads(base64.urlsafe_b64decode(token.split(".")[1] + "==="))
    assert document["issuer"] == claims["iss"]
    assert document["jwks_uri"].endswith("/openid/v1/jwks")
    assert document["subject_types_supported"] == ["public"] and document["response_types_supported"] == ["id_token"]
    answer = caller.send("GET", "/openid/v1/jwks", token=token)
    assert answer.headers["content-type"] == "application/jwk-set+json"
    header = orjson.loads(base64.urlsafe_b64decode(token.split(".")[0] + "==="))
    assert header["kid"] in [each["kid"] for each in orjson.loads(answer.data)["keys"]]
    assert header["alg"] in document["id_token_signing_alg_values_supported"]


def test_reviews_of_access(caller: Caller) -> None:
    account = f"system:serviceaccount:{caller.namespace}:default"
    wanted = {"verb": "list", "resource": "configmaps", "version": "v1", "namespace": caller.namespace}
    review = {"spec": {"user": account, "resourceAttributes": wanted}}
    path = f"{REVIEWS}/subjectaccessreviews"
    assert caller.ok("POST", path, review)["status"] == {"allowed": False}
    local = f"{REVIEWS}/namespaces/{caller.namespace}/localsubjectaccessreviews"
    inside = {"metadata": {"namespace": caller.namespace}, **review}
    assert caller.ok("POST", local, inside)["status"] == {"allowed": False}
    rbac = caller.of("rbac.authorization.k8s.io/v1", "rolebindings")
    subject = {"kind": "ServiceAccount", "name": "default", "namespace": caller.namespace}
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "view"}
    caller.ok("POST", rbac, {"metadata": {"name": "views"}, "subjects": [subject], "roleRef": role})
    for where, body in ((path, review), (local, inside)):
        status = caller.ok("POST", where, body)["status"]
        assert status["allowed"] and 'RoleBinding "views/' in status["reason"]
    own = caller.ok("POST", f"{REVIEWS}/selfsubjectaccessreviews", {"spec": {"resourceAttributes": wanted}})
    assert own["status"]["allowed"]
    outside = {"spec": {**review["spec"], "resourceAttributes": {**wanted, "namespace": "other"}}}
    status, refused = caller.call("POST", local, {"metadata": {"namespace": caller.namespace}, **outside})
    assert (status, refused["reason"]) == (422, "Invalid")
    for where, body, said in (
        (path, review, "must be empty"),
        (local, inside, "must be empty except for namespace"),
        (f"{REVIEWS}/selfsubjectaccessreviews", {"spec": {"resourceAttributes": wanted}}, "must be empty"),
    ):
        named = {**body, "metadata": {**body.get("metadata", {}), "name": "x"}}
        cause = caller.call("POST", where, named)[1]["details"]["causes"][0]
        assert cause["field"] == "metadata" and cause["message"].endswith(f": {said}")


def test_a_signing_request_is_approved_denied_and_signed_by_others(caller: Caller) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "e2e-example-com")])
    asked = x509.CertificateSigningRequestBuilder().subject_name(subject).sign(key, hashes.SHA256())
    pem = base64.b64encode(asked.public_bytes(serialization.Encoding.PEM)).decode()
    spec = {"request": pem, "signerName": "example.com/e2e", "usages": ["digital signature", "server auth"]}
    path = "/apis/certificates.k8s.io/v1/certificatesigningrequests"
    made = caller.ok("POST", path, {"metadata": {"generateName": "e2e-"}, "spec": spec})
    one = f"{path}/{made['metadata']['name']}"
    try:
        assert made["spec"]["username"] == "kubernetes-admin"
        waiting = caller.ok("GET", f"{one}/approval")
        waiting["status"] = {
            "conditions": [{"type": "Approved", "status": "True", "reason": "E2E", "message": "Set from a test"}]
        }
        approved = caller.ok("PUT", f"{one}/approval", waiting)
        assert approved["status"]["conditions"][0]["lastTransitionTime"]
        patch = {
            "metadata": {"annotations": {"patchedapproval": "true"}},
            "status": {
                "conditions": [*approved["status"]["conditions"], {"type": "Flag", "status": "True", "reason": "E2E"}]
            },
        }
        assert caller.ok("PATCH", f"{one}/approval", patch)["metadata"]["annotations"] == {"patchedapproval": "true"}
        denied = {"status": {"conditions": [{"type": "Denied", "status": "True", "reason": "E2E"}]}}
        assert caller.call("PATCH", f"{one}/approval", denied)[0] == 422, "an approval stays"
        signed = caller.ok("GET", f"{one}/status")
        signed["status"]["certificate"] = base64.b64encode(b"no certificate").decode()
        assert caller.call("PUT", f"{one}/status", signed)[0] == 422
        flag = {
            "metadata": {"annotations": {"patchedstatus": "true"}},
            "status": {"certificate": _signed(key, subject)},
        }
        assert caller.ok("PATCH", f"{one}/status", flag)["status"]["certificate"] == flag["status"]["certificate"]
    finally:
        caller.ok("DELETE", one)
    assert caller.call("GET", one)[0] == 404


def _signed(key: ec.EllipticCurvePrivateKey, subject: x509.Name) -> str:
    now = datetime.datetime(2026, 1, 1)
    builder = x509.CertificateBuilder(subject, subject, key.public_key(), 1, now, now + datetime.timedelta(days=9999))
    return base64.b64encode(builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)).decode()
