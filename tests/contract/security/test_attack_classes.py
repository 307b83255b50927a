"""What has been tried against API servers of this kind, tried against ours."""

import asyncio
from base64 import b64encode

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from running_server import ADMIN, ALICE, APPLY, MERGE, running

from cybernetes.auth import pki
from cybernetes.auth.user import User
from cybernetes.base.clock import SystemClock
from cybernetes.base.random import SystemRandom
from cybernetes.wire.http.message import Request

PODS = "/api/v1/namespaces/shop/pods"
ROLES = "/apis/rbac.authorization.k8s.io/v1/clusterroles"
EVERYTHING = {"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}
ROLE_WRITER = {
    "verbs": ["get", "create", "update", "patch"],
    "apiGroups": ["rbac.authorization.k8s.io"],
    "resources": ["clusterroles", "clusterrolebindings"],
}
POD_WRITER = {
    "verbs": ["get", "create", "update", "patch"],
    "apiGroups": [""],
    "resources": ["pods", "pods/ephemeralcontainers", "pods/status", "pods/resize"],
}
BASELINE = {"pod-security.kubernetes.io/enforce": "baseline"}


def pod(name="web", **spec):
    containers = [{"name": "c", "image": "app:1"}]
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": {"containers": containers, **spec}}


def run(scenario):
    async def go():
        async with running() as server:
            await scenario(server)

    asyncio.run(go())


def test_no_path_but_health_is_open_to_nobody():
    async def scenario(server):
        for path in ("/api", "/apis", "/version", "/openapi/v2", "/metrics", "/api/v1/pods", "/livez/ping", "/"):
            answer = await server.ask("GET", path, user=None)
            assert (path, answer.code) == (path, 401)
        for path in ("/livez", "/readyz", "/healthz"):
            assert (await server.ask("GET", path, user=None)).code == 200

    run(scenario)


def test_headers_of_a_front_proxy_from_a_client_are_nothing():
    async def scenario(server):
        answer = await server.ask(
            "GET", "/api/v1/pods", user=None, x_remote_user="admin", x_remote_group="system:masters"
        )
        assert answer.code == 401

    run(scenario)


def test_a_client_certificate_is_checked_against_the_authority_of_clients():
    async def scenario(server):
        clock, random = SystemClock(), SystemRandom()
        terms = pki.Terms(clock.now(), random)
        for authority, code in ((server.authority, 200), (pki.ca("kubernetes", terms), 401)):
            issued = pki.client(authority, "root", ["system:masters"], terms)
            der = x509.load_pem_x509_certificate(issued.certificate).public_bytes(Encoding.DER)
            request = Request("GET", "/api/v1/pods", headers={"accept": "application/json"}, certificate=der)
            assert (await server.server.handle(request)).status == code

    run(scenario)


@pytest.mark.parametrize("road", ["create", "apply", "update", "merge"])
def test_no_road_to_a_role_leads_around_the_check_for_escalation(road):
    async def scenario(server):
        await server.grant("writer", ROLE_WRITER)
        api = "rbac.authorization.k8s.io/v1"
        role = {"apiVersion": api, "kind": "ClusterRole", "metadata": {"name": "mine"}, "rules": [EVERYTHING]}
        if road == "create":
            answer = await server.ask("POST", ROLES, role, user=ALICE)
        elif road == "apply":
            query = {"fieldManager": "alice"}
            answer = await server.ask("PATCH", f"{ROLES}/mine", role, user=ALICE, content=APPLY, query=query)
        else:
            await server.make(ROLES, {**role, "rules": []}, user=ALICE)
            method, content = ("PUT", "application/json") if road == "update" else ("PATCH", MERGE)
            answer = await server.ask(method, f"{ROLES}/mine", role, user=ALICE, content=content)
        assert answer.code == 403
        assert "is attempting to grant RBAC permissions not currently held" in answer.message

    run(scenario)


def test_nobody_binds_cluster_admin_to_himself():
    async def scenario(server):
        await server.grant("writer", ROLE_WRITER)
        api = "rbac.authorization.k8s.io"
        bound = {
            "apiVersion": f"{api}/v1",
            "kind": "ClusterRoleBinding",
            "metadata": {"name": "up"},
            "roleRef": {"apiGroup": api, "kind": "ClusterRole", "name": "cluster-admin"},
            "subjects": [{"apiGroup": api, "kind": "User", "name": "alice"}],
        }
        answer = await server.ask("POST", f"/apis/{api}/v1/clusterrolebindings", bound, user=ALICE)
        assert answer.code == 403

    run(scenario)


@pytest.mark.parametrize("road", ["create", "apply", "image", "ephemeral", "merge-ephemeral"])
def test_no_road_to_a_pod_leads_around_pod_security(road):
    async def scenario(server):
        await server.namespace("shop", **BASELINE)
        await server.grant("pods", POD_WRITER)
        wild = [{"name": "d", "image": "app:1", "securityContext": {"privileged": True}}]
        if road == "create":
            answer = await server.ask("POST", PODS, pod(hostNetwork=True), user=ALICE)
        elif road == "apply":
            query = {"fieldManager": "alice"}
            body = pod(hostPID=True)
            answer = await server.ask("PATCH", f"{PODS}/web", body, user=ALICE, content=APPLY, query=query)
        elif road == "image":
            await server.make(
                "/api/v1/namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "loose"}}
            )
            account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default"}}
            await server.make("/api/v1/namespaces/loose/serviceaccounts", account)
            await server.make("/api/v1/namespaces/loose/pods", pod(hostNetwork=True))
            labelled = {"metadata": {"labels": BASELINE}}
            closed = await server.ask("PATCH", "/api/v1/namespaces/loose", labelled, content=MERGE)
            assert closed.code == 200
            assert "existing pods in namespace" in "".join(closed.warnings)
            change = {"spec": {"containers": [{"name": "c", "image": "app:2"}]}}
            content = "application/strategic-merge-patch+json"
            answer = await server.ask("PATCH", "/api/v1/namespaces/loose/pods/web", change, user=ALICE, content=content)
        else:
            await server.make(PODS, pod(), user=ALICE)
            path = f"{PODS}/web/ephemeralcontainers"
            if road == "ephemeral":
                whole = (await server.ask("GET", f"{PODS}/web")).body
                whole["spec"]["ephemeralContainers"] = wild
                answer = await server.ask("PUT", path, whole, user=ALICE)
            else:
                change = {"spec": {"ephemeralContainers": wild}}
                content = "application/strategic-merge-patch+json"
                answer = await server.ask("PATCH", path, change, user=ALICE, content=content)
        assert answer.code == 403, answer
        assert 'violates PodSecurity "baseline:latest"' in answer.message

    run(scenario)


def test_apply_that_creates_needs_the_right_to_create():
    async def scenario(server):
        await server.namespace("shop")
        await server.grant("patcher", {"verbs": ["patch", "get"], "apiGroups": [""], "resources": ["configmaps"]})
        body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}}
        path = "/api/v1/namespaces/shop/configmaps/c"
        answer = await server.ask("PATCH", path, body, user=ALICE, content=APPLY, query={"fieldManager": "alice"})
        assert answer.code == 403
        assert 'cannot create resource "configmaps"' in answer.message

    run(scenario)


def test_quota_holds_however_many_come_at_once():
    async def scenario(server):
        await server.namespace("shop")
        path = "/api/v1/namespaces/shop/resourcequotas"
        quota = {
            "apiVersion": "v1",
            "kind": "ResourceQuota",
            "metadata": {"name": "q"},
            "spec": {"hard": {"pods": "9"}},
        }
        made = await server.make(path, quota)
        early = await server.ask("POST", PODS, pod("early"))
        assert "status unknown for quota: q, resources: pods" in early.message
        made["status"] = {"hard": {"pods": "9"}, "used": {"pods": "0"}}
        assert (await server.ask("PUT", f"{path}/q/status", made)).code == 200
        answers = await asyncio.gather(*(server.ask("POST", PODS, pod(f"web-{n}")) for n in range(50)))
        assert sorted(answer.code for answer in answers) == [201] * 9 + [403] * 41
        assert (await server.ask("GET", f"{path}/q")).body["status"]["used"] == {"pods": "9"}

    run(scenario)


def test_a_token_is_made_used_reviewed_and_ends_with_its_account():
    async def scenario(server):
        await server.namespace("shop")
        accounts = "/api/v1/namespaces/shop/serviceaccounts"
        shape = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest"}
        wished = {**shape, "spec": {"expirationSeconds": 10**6}}
        answer = await server.ask("POST", f"{accounts}/default/token", wished)
        assert answer.code == 201
        assert "requested expiration of 1000000 seconds shortened to" in answer.warnings[0]
        token = answer.body["status"]["token"]
        bearer = {"authorization": f"Bearer {token}"}
        review = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
        who = await server.ask("POST", "/apis/authentication.k8s.io/v1/selfsubjectreviews", review, user=None, **bearer)
        assert who.body["status"]["userInfo"]["username"] == "system:serviceaccount:shop:default"
        about = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "spec": {"token": token}}
        reviewed = await server.ask("POST", "/apis/authentication.k8s.io/v1/tokenreviews", about)
        assert reviewed.body["status"]["authenticated"] is True
        refused = await server.ask("GET", PODS, user=None, **bearer)
        assert refused.code == 403
        for_others = {**about, "spec": {"token": token, "audiences": ["vault"]}}
        other = await server.ask("POST", "/apis/authentication.k8s.io/v1/tokenreviews", for_others)
        assert "authenticated" not in other.body["status"]

    run(scenario)


@pytest.mark.parametrize(
    ("path", "resource"),
    [
        ("/api/v1/namespaces/shop/pods/web/exec", "pods/exec"),
        ("/api/v1/namespaces/shop/pods/web/attach", "pods/attach"),
        ("/api/v1/namespaces/shop/pods/web/portforward", "pods/portforward"),
        ("/api/v1/nodes/n1/proxy/exec/shop/web/c", "nodes/proxy"),
        ("/api/v1/nodes/n1/proxy/run/shop/web/c", "nodes/proxy"),
    ],
)
def test_who_may_only_read_starts_no_process(path, resource):
    async def scenario(server):
        await server.namespace("shop")
        await server.make(PODS, pod(nodeName="n1"))
        await server.grant("reader", {"verbs": ["get"], "apiGroups": [""], "resources": [resource]})
        answer = await server.ask("GET", path, user=ALICE, query={"command": "id"})
        assert answer.code == 403
        assert f'cannot create resource "{resource}"' in answer.message

    run(scenario)


def test_policies_judge_connections_too():
    async def scenario(server):
        await server.namespace("shop")
        await server.make(PODS, pod(nodeName="n1"))
        api = "admissionregistration.k8s.io/v1"
        rule = {"operations": ["CONNECT"], "apiGroups": [""], "apiVersions": ["v1"], "resources": ["pods/exec"]}
        spec = {
            "matchConstraints": {"resourceRules": [rule]},
            "validations": [{"expression": "object.command[0] != 'sh'", "message": "no shells"}],
        }
        root = f"/apis/{api}/validatingadmissionpolicies"
        policy = {"apiVersion": api, "kind": "ValidatingAdmissionPolicy", "metadata": {"name": "p"}, "spec": spec}
        await server.make(root, policy)
        bound = {"policyName": "p", "validationActions": ["Deny"]}
        binding = {
            "apiVersion": api,
            "kind": "ValidatingAdmissionPolicyBinding",
            "metadata": {"name": "b"},
            "spec": bound,
        }
        await server.make(root.replace("policies", "policybindings"), binding)
        await server.server.core.consistent()
        path = "/api/v1/namespaces/shop/pods/web/exec"
        refused = await server.ask("POST", path, query={"command": "sh", "stdout": "true"})
        assert refused.message.endswith("denied request: no shells")
        passed = await server.ask("POST", path, query={"command": "id", "stdout": "true"})
        assert "no shells" not in passed.message

    run(scenario)


def test_a_signing_request_is_in_the_name_of_who_sends_it():
    async def scenario(server):
        rule = {
            "verbs": ["*"],
            "apiGroups": ["certificates.k8s.io"],
            "resources": ["certificatesigningrequests", "*/approval"],
        }
        await server.grant("csr", rule)
        random = SystemRandom()
        asked = pki.request(pki.new_key(random), "alice", ["dev"])
        path = "/apis/certificates.k8s.io/v1/certificatesigningrequests"
        spec = {
            "request": b64encode(asked).decode(),
            "signerName": "kubernetes.io/kube-apiserver-client",
            "usages": ["client auth"],
            "username": "system:node:n1",
            "groups": ["system:nodes"],
        }
        shape = {"apiVersion": "certificates.k8s.io/v1", "kind": "CertificateSigningRequest", "metadata": {"name": "r"}}
        made = await server.make(path, {**shape, "spec": spec}, user=ALICE)
        assert (made["spec"]["username"], made["spec"]["groups"]) == ("alice", list(ALICE.groups))
        approved = {"type": "Approved", "status": "True", "reason": "Mine"}
        status = {"conditions": [approved]}
        own = await server.ask("PUT", f"{path}/r/approval", {**made, "status": status}, user=ALICE)
        assert (
            'user not permitted to approve requests with signerName "kubernetes.io/kube-apiserver-client"'
            in own.message
        )
        await server.ask("PUT", f"{path}/r", {**made, "status": status}, user=ALICE)
        assert (await server.ask("GET", f"{path}/r")).body["status"] == {}
        by_admin = await server.ask("GET", f"{path}/r")
        done = await server.ask("PUT", f"{path}/r/approval", {**by_admin.body, "status": status})
        assert done.body["status"]["conditions"][0]["lastUpdateTime"]
        sneaky = {**done.body, "status": {**done.body["status"], "certificate": "eA=="}}
        unsigned = await server.ask("PUT", f"{path}/r/approval", sneaky)
        assert "certificate" not in unsigned.body["status"]

    run(scenario)


def test_service_accounts_may_read_how_tokens_are_checked_and_others_may_not():
    async def scenario(server):
        account = User("system:serviceaccount:shop:default", groups=("system:serviceaccounts", "system:authenticated"))
        configuration = await server.ask("GET", "/.well-known/openid-configuration", user=account)
        assert configuration.body["jwks_uri"].endswith("/openid/v1/jwks")
        keys = await server.ask("GET", "/openid/v1/jwks", user=account)
        assert [key["alg"] for key in keys.body["keys"]] == ["ES256"]
        assert "d" not in keys.body["keys"][0]
        assert (await server.ask("GET", "/openid/v1/jwks", user=ALICE)).code == 403

    run(scenario)


@pytest.mark.parametrize("group", ["system:masters", "system:nodes"])
def test_impersonation_of_a_group_needs_that_group(group):
    async def scenario(server):
        await server.grant("imp", {"verbs": ["impersonate"], "apiGroups": [""], "resources": ["users"]})
        as_bob = {"impersonate_user": "bob"}
        plain = await server.ask("GET", "/api/v1/pods", user=ALICE, **as_bob)
        assert 'User "bob" cannot list resource "pods"' in plain.message
        answer = await server.ask("GET", "/api/v1/pods", user=ALICE, **as_bob, impersonate_group=group)
        assert answer.code == 403
        assert f'groups "{group}" is forbidden' in answer.message

    run(scenario)


def test_a_node_reaches_only_what_its_pods_need_over_the_whole_server():
    async def scenario(server):
        await server.namespace("shop")
        node = User("system:node:n1", groups=("system:nodes", "system:authenticated"))
        secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}}
        await server.make("/api/v1/namespaces/shop/secrets", secret)
        own = "/api/v1/namespaces/shop/secrets/s"
        assert (await server.ask("GET", own, user=node)).code == 403
        volume = {"name": "v", "secret": {"secretName": "s"}}
        mount = [{"name": "v", "mountPath": "/v"}]
        containers = [{"name": "c", "image": "app:1", "volumeMounts": mount}]
        await server.make(PODS, pod("mine", nodeName="n1", volumes=[volume], containers=containers))
        await server.make(PODS, pod("theirs", nodeName="n2"))
        await server.server.core.consistent()
        assert (await server.ask("GET", own, user=node)).code == 200
        assert (await server.ask("GET", "/api/v1/namespaces/shop/secrets", user=node)).code == 403
        status = {"status": {"phase": "Running"}}
        for name, code in (("mine", 200), ("theirs", 403)):
            answer = await server.ask("PATCH", f"{PODS}/{name}/status", status, user=node, content=MERGE)
            assert (name, answer.code) == (name, code)
        assert (await server.ask("DELETE", f"{PODS}/theirs", user=node)).code == 403
        eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": "theirs"}}
        evicted = await server.ask("POST", f"{PODS}/theirs/eviction", eviction, user=node)
        assert "can only evict pods with spec.nodeName set to itself" in evicted.message
        assert (await server.ask("POST", PODS, pod("new", nodeName="n1"), user=node)).code == 403
        assert (await server.ask("GET", PODS, user=node)).code == 403
        listed = await server.ask("GET", "/api/v1/pods", user=node, query={"fieldSelector": "spec.nodeName=n1"})
        assert [each["metadata"]["name"] for each in listed.body["items"]] == ["mine"]

    run(scenario)


def test_protected_namespaces_and_external_addresses_are_refused_to_the_administrator_too():
    async def scenario(server):
        await server.namespace("shop")
        assert (await server.ask("DELETE", "/api/v1/namespaces/kube-system", user=ADMIN)).code == 403
        spec = {"ports": [{"port": 80}], "externalIPs": ["8.8.8.8"]}
        service = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "s"}, "spec": spec}
        answer = await server.ask("POST", "/api/v1/namespaces/shop/services", service)
        assert answer.message.endswith("Use of external IPs is denied by admission control")

    run(scenario)
