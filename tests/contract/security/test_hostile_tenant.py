"""A tenant who may do everything in a namespace of its own, and tries to do more than that."""

import asyncio
import contextlib
import io
import json
import logging

import pytest
from running_server import APPLY, MERGE, running

from cybernetes.auth.user import User
from cybernetes.base.log import Log, configure

RBAC = "rbac.authorization.k8s.io"
MALLORY = User("mallory", groups=("system:authenticated",))
SHOP, OTHER = "/api/v1/namespaces/shop", "/api/v1/namespaces/other"
EVERYTHING = {"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}


@contextlib.asynccontextmanager
async def two_namespaces():
    """mallory has a role with everything in `shop`; `other` holds a secret that is not hers."""
    async with running() as server:
        await server.namespace("shop")
        await server.namespace("other")
        roles = f"/apis/{RBAC}/v1/namespaces/shop"
        await server.make(f"{roles}/roles", {"metadata": {"name": "all"}, "rules": [EVERYTHING]})
        bound = {
            "metadata": {"name": "all"},
            "roleRef": {"apiGroup": RBAC, "kind": "Role", "name": "all"},
            "subjects": [{"apiGroup": RBAC, "kind": "User", "name": "mallory"}],
        }
        await server.make(f"{roles}/rolebindings", bound)
        secret = {"metadata": {"name": "s"}, "stringData": {"key": "not for mallory"}}
        await server.make(f"{OTHER}/secrets", secret)
        await server.server.core.consistent()
        yield server


def run(scenario):
    async def go():
        async with two_namespaces() as server:
            await scenario(server)

    asyncio.run(go())


def body(kind, api_version, **rest):
    return {"apiVersion": api_version, "kind": kind, "metadata": {"name": "evil"}, **rest}


CLUSTER_SCOPED = {
    "/api/v1/namespaces/shop/nodes": body("Node", "v1"),
    "/api/v1/namespaces/shop/namespaces": body("Namespace", "v1"),
    "/api/v1/namespaces/shop/persistentvolumes": body("PersistentVolume", "v1"),
    f"/apis/{RBAC}/v1/namespaces/shop/clusterroles": body("ClusterRole", f"{RBAC}/v1", rules=[]),
    f"/apis/{RBAC}/v1/namespaces/shop/clusterrolebindings": body(
        "ClusterRoleBinding", f"{RBAC}/v1", roleRef={"apiGroup": RBAC, "kind": "ClusterRole", "name": "cluster-admin"}
    ),
    "/apis/admissionregistration.k8s.io/v1/namespaces/shop/mutatingwebhookconfigurations": body(
        "MutatingWebhookConfiguration", "admissionregistration.k8s.io/v1"
    ),
    "/apis/apiregistration.k8s.io/v1/namespaces/shop/apiservices": body("APIService", "apiregistration.k8s.io/v1"),
    "/apis/authentication.k8s.io/v1/namespaces/shop/tokenreviews": body(
        "TokenReview", "authentication.k8s.io/v1", spec={"token": "x"}
    ),
    "/apis/authorization.k8s.io/v1/namespaces/shop/subjectaccessreviews": body(
        "SubjectAccessReview",
        "authorization.k8s.io/v1",
        spec={"user": "admin", "nonResourceAttributes": {"path": "/", "verb": "get"}},
    ),
}


def test_nothing_of_the_cluster_is_reached_below_a_namespace():
    """CVE-2019-11247: the namespace in a path decides who may, the resource decides what is meant."""

    async def scenario(server):
        found = []
        for path, obj in CLUSTER_SCOPED.items():
            answers = [
                await server.ask("POST", path, obj, user=MALLORY),
                await server.ask("GET", path, user=MALLORY),
                await server.ask("GET", path, user=MALLORY, query={"watch": "1", "timeoutSeconds": "1"}),
                await server.ask("DELETE", path, user=MALLORY),
                await server.ask("GET", f"{path}/evil", user=MALLORY),
                await server.ask("PUT", f"{path}/evil", obj, user=MALLORY),
                await server.ask(
                    "PATCH", f"{path}/evil", obj, user=MALLORY, content=APPLY, query={"fieldManager": "m"}
                ),
                await server.ask("DELETE", f"{path}/evil", user=MALLORY),
                await server.ask("PUT", f"{path}/evil/status", obj, user=MALLORY),
            ]
            found += [(path, answer.code) for answer in answers if answer.code not in (403, 404, 405)]
        for path in ("other", "other/status", "other/finalize"):
            for method in ("GET", "DELETE", "PUT"):
                answer = await server.ask(method, f"{SHOP}/namespaces/{path}", user=MALLORY)
                found += [(path, answer.code)] if answer.code not in (403, 404, 405) else []
        assert found == []
        assert (await server.ask("GET", OTHER)).body["status"]["phase"] == "Active"

    run(scenario)


SECRET_PATHS = [
    f"{OTHER}/secrets/s",
    f"{OTHER}/secrets",
    "/api/v1/secrets",
    "/api/v1/watch/secrets",
    "/api/v1/watch/namespaces/other/secrets",
    "/api/v1/watch/namespaces/other/secrets/s",
    f"{SHOP}/secrets/../../other/secrets/s",
    f"{SHOP}/../other/secrets/s",
    f"{SHOP}/secrets/..%2f..%2fother%2fsecrets%2fs",
    f"{SHOP}//secrets//../../other/secrets/s",
    f"{SHOP}/secrets/other/s",
    "/api/v1//namespaces/other//secrets/s",
    "/api/v1/namespaces//secrets/s",
    "/api//v1/namespaces/other/secrets/s",
    "//api/v1/namespaces/other/secrets/s",
    "/api/v1/namespaces/other/secrets/s/",
    "/API/v1/namespaces/other/secrets/s",
    "/api/v1/namespaces/shop/namespaces/other/secrets/s",
]


@pytest.mark.parametrize(
    "query",
    [{}, {"namespace": "shop"}, {"watch": "1", "timeoutSeconds": "1"}, {"fieldSelector": "metadata.namespace=shop"}],
    ids=str,
)
def test_no_path_leads_to_the_secret_of_another(query):
    async def scenario(server):
        for path in SECRET_PATHS:
            for accept in ("application/json", "application/json;as=Table;v=v1;g=meta.k8s.io", "application/yaml"):
                answer = await server.ask("GET", path, user=MALLORY, query=query, accept=accept)
                # A name that is none may be watched; nothing comes of it.
                assert answer.code in (400, 403, 404, 406) or answer.body == "", (path, answer)
                assert "bm90IGZvciBtYWxsb3J5" not in json.dumps(answer.body)

    run(scenario)


def test_a_write_whose_body_names_another_namespace_stays_where_its_path_is():
    async def scenario(server):
        stolen = {"metadata": {"name": "s", "namespace": "other"}, "data": {}}
        assert (await server.ask("POST", f"{SHOP}/secrets", stolen, user=MALLORY)).code == 400
        await server.make(f"{SHOP}/secrets", {"metadata": {"name": "s"}}, user=MALLORY)
        for method, content in (("PUT", "application/json"), ("PATCH", MERGE), ("PATCH", APPLY)):
            query = {"fieldManager": "m"} if content == APPLY else {}
            stolen = {"apiVersion": "v1", "kind": "Secret", **stolen}
            answer = await server.ask(method, f"{SHOP}/secrets/s", stolen, user=MALLORY, content=content, query=query)
            assert (content, answer.code) == (content, 400), answer
        kept = await server.ask("GET", f"{OTHER}/secrets/s")
        assert kept.body["data"] == {"key": "bm90IGZvciBtYWxsb3J5"}

    run(scenario)


def test_pods_of_others_are_bound_nowhere():
    async def scenario(server):
        containers = [{"name": "c", "image": "app:1"}]
        await server.make(f"{OTHER}/pods", {"metadata": {"name": "p"}, "spec": {"containers": containers}})
        item = {"metadata": {"name": "p", "namespace": "other"}, "target": {"kind": "Node", "name": "mine"}}
        listed = {"kind": "BindingList", "apiVersion": "v1", "items": [item]}
        single = {"kind": "Binding", "apiVersion": "v1", **item}
        for path in ("/api/v1/bindings", f"{SHOP}/bindings", f"{OTHER}/bindings", f"{SHOP}/pods/p/binding"):
            for obj in (listed, single):
                answer = await server.ask("POST", path, obj, user=MALLORY)
                assert (path, answer.code) == (path, answer.code if 400 <= answer.code < 500 else "done")
        assert "nodeName" not in (await server.ask("GET", f"{OTHER}/pods/p")).body["spec"]

    run(scenario)


def test_everything_in_a_namespace_is_no_more_than_that():
    async def scenario(server):
        # Who may bind there gets what a role allows there.
        bound = {
            "metadata": {"name": "up"},
            "roleRef": {"apiGroup": RBAC, "kind": "ClusterRole", "name": "cluster-admin"},
            "subjects": [{"apiGroup": RBAC, "kind": "User", "name": "mallory"}],
        }
        await server.make(f"/apis/{RBAC}/v1/namespaces/shop/rolebindings", bound, user=MALLORY)
        await server.server.core.consistent()
        for method, path in (
            ("GET", f"{OTHER}/secrets/s"),
            ("GET", "/api/v1/nodes"),
            ("GET", "/api/v1/nodes/n1/proxy/configz"),
            ("GET", "/metrics"),
            ("GET", "/openid/v1/jwks"),
            ("POST", f"/apis/{RBAC}/v1/clusterrolebindings"),
            ("POST", f"/apis/{RBAC}/v1/namespaces/other/rolebindings"),
            ("POST", f"{OTHER}/serviceaccounts/default/token"),
            ("POST", "/api/v1/namespaces"),
            ("DELETE", OTHER),
        ):
            answer = await server.ask(method, path, {} if method == "POST" else None, user=MALLORY)
            assert (path, answer.code) == (path, 403)

    run(scenario)


@pytest.mark.parametrize(
    "headers",
    [
        {"impersonate_user": "admin"},
        {"impersonate_user": "system:serviceaccount:other:default"},
        {"impersonate_user": "system:kube-controller-manager"},
        {"impersonate_user": "system:node:n1"},
        {"impersonate_user": "mallory", "impersonate_group": "system:masters"},
        {"impersonate_user": "mallory", "impersonate_uid": "u-1"},
        {"impersonate_user": "mallory", "impersonate_extra_scopes": "all"},
        {"impersonate_group": "system:masters"},
        {"x_remote_user": "admin", "x_remote_group": "system:masters"},
    ],
    ids=str,
)
def test_nobody_becomes_another(headers):
    async def scenario(server):
        answer = await server.ask("GET", f"{OTHER}/secrets/s", user=MALLORY, **headers)
        assert answer.code in (400, 403, 500)
        assert "data" not in answer.body

    run(scenario)


@pytest.fixture
def written():
    """What is logged from now on, as it is written."""
    root = logging.getLogger("cybernetes")
    before = root.handlers[:], root.level, root.propagate
    configure("debug")
    lines = io.StringIO()
    root.handlers[0].setStream(lines)
    yield lines.getvalue
    root.handlers[:], root.level, root.propagate = before


def test_names_and_agents_forge_no_line_of_the_log(written):
    forged = "2026-01-01T00:00:00.000Z I user.promoted name=mallory"
    line = f"x\r\n{forged}\n\x1b[31m\u2028{forged}"

    async def scenario(server):
        agents = {"user_agent": line, "audit_id": line}
        await server.ask("GET", f"{SHOP}/configmaps/{line}", user=MALLORY, **agents)
        await server.ask("GET", f"/{line}", user=MALLORY, **agents)
        made = {"metadata": {"name": line}, "data": {line: line}}
        await server.ask("POST", f"{SHOP}/configmaps", made, user=MALLORY, **agents)
        event = {"metadata": {"name": "e"}, "involvedObject": {"namespace": "shop"}, "message": line, "reason": line}
        await server.ask("POST", f"{SHOP}/events", event, user=MALLORY, **agents)
        await server.ask("GET", f"{SHOP}/configmaps", user=User(line, groups=(line,)), **agents)

    run(scenario)
    try:
        raise ValueError(line)
    except ValueError as bug:
        Log("test").error("request.panicked", bug, path=line)
    text = written()
    assert "request.panicked" in text
    assert [each for each in text.splitlines() if each.startswith("2026-01-01")] == []
    assert "\x1b" not in text
