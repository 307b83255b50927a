"""The rest of what has been tried against servers of this kind; docs/operating/attacks.md says which test tries what."""

import asyncio
import contextlib
import io
import json
import logging
import re
from base64 import b64encode
from pathlib import Path

import pytest
from running_server import ADMIN, ALICE, APPLY, MERGE, running

from cybernetes.auth.user import User
from cybernetes.base.log import configure

SHOP = "/api/v1/namespaces/shop"
EVERYTHING = {"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}
NODE = User("system:node:n1", groups=("system:nodes", "system:authenticated"))


def run(scenario):
    async def go():
        async with running() as server:
            await server.namespace("shop")
            await scenario(server)

    asyncio.run(go())


def pod(name="web", **spec):
    containers = [{"name": "c", "image": "app:1"}]
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": {"containers": containers, **spec}}


NAMES = [".", "..", "a/b", "../other/s", "a%2fb", "a%b", "/", "a\\b", "a\x00b", "a\nb", "A b", "ß", "a" * 300]
KINDS = {
    f"{SHOP}/configmaps": ("v1", "ConfigMap", {}),
    f"{SHOP}/secrets": ("v1", "Secret", {}),
    f"{SHOP}/serviceaccounts": ("v1", "ServiceAccount", {}),
    "/api/v1/namespaces": ("v1", "Namespace", {}),
    "/api/v1/nodes": ("v1", "Node", {}),
    "/apis/coordination.k8s.io/v1/namespaces/shop/leases": ("coordination.k8s.io/v1", "Lease", {"spec": {}}),
}
# Names of these may have capitals, spaces and colons; they are segments of paths all the same.
LENIENT = {
    "/apis/rbac.authorization.k8s.io/v1/clusterroles": ("rbac.authorization.k8s.io/v1", "ClusterRole", {"rules": []}),
    "/apis/rbac.authorization.k8s.io/v1/namespaces/shop/roles": ("rbac.authorization.k8s.io/v1", "Role", {"rules": []}),
}


def test_no_name_is_a_path():
    """CVE-2022-3162, CVE-2015-5305."""

    async def scenario(server):
        made = []
        for path, (api_version, kind, rest) in (KINDS | LENIENT).items():
            names = NAMES if path in KINDS else [each for each in NAMES if set(each) & set("/%") or each in (".", "..")]
            for name in names:
                obj = {"apiVersion": api_version, "kind": kind, "metadata": {"name": name}, **rest}
                for options in ({}, {"dryRun": "All"}):
                    answer = await server.ask("POST", path, obj, query=options)
                    made += [(path, name)] if answer.code < 400 else []
                generated = {**obj, "metadata": {"generateName": name}}
                answer = await server.ask("POST", path, generated)
                made += [(path, name, "generated")] if answer.code < 400 and len(name) < 100 else []
        assert made == []

    run(scenario)


def test_what_begins_alike_is_not_the_same():
    """Namespaces and names that are the beginning of others, and groups that are the beginning of other groups."""

    async def scenario(server):
        for name in ("shop-2", "sho", "shop.x"):
            obj = {"metadata": {"name": name}}
            assert (await server.ask("POST", "/api/v1/namespaces", obj)).code == (422 if "." in name else 201)
        for namespace in ("shop", "shop-2", "sho"):
            for name in ("a", "a-b", "ab"):
                await server.make(f"/api/v1/namespaces/{namespace}/secrets", {"metadata": {"name": name}})
        for namespace in ("shop", "shop-2", "sho"):
            base = f"/api/v1/namespaces/{namespace}/secrets"
            listed = (await server.ask("GET", base)).body["items"]
            assert {each["metadata"]["namespace"] for each in listed} == {namespace}
            page = (await server.ask("GET", base, query={"limit": "1"})).body
            token = page["metadata"]["continue"]
            rest = (await server.ask("GET", base, query={"limit": "9", "continue": token})).body["items"]
            assert [each["metadata"]["name"] for each in rest] == ["a-b", "ab"]
            # A page of one namespace does not go on in another.
            other = await server.ask("GET", "/api/v1/namespaces/sho/secrets", query={"continue": token})
            found = other.body.get("items", [])
            assert {each["metadata"]["namespace"] for each in found} <= {"sho"}
            assert (await server.ask("DELETE", f"{base}/a")).code == 200
            assert (await server.ask("GET", f"{base}/ab")).code == 200

    run(scenario)


@pytest.mark.parametrize("group", ["core", "", "a/b", "..", "secrets", "example.test/v1"])
def test_no_definition_lies_where_others_lie(group):
    async def scenario(server):
        names = {"plural": "secrets", "singular": "secret", "kind": "Thing", "listKind": "ThingList"}
        schema = {"openAPIV3Schema": {"type": "object"}}
        version = {"name": "v1", "served": True, "storage": True, "schema": schema}
        spec = {"group": group, "scope": "Namespaced", "names": names, "versions": [version]}
        obj = {"metadata": {"name": f"secrets.{group}"}, "spec": spec}
        answer = await server.ask("POST", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", obj)
        assert answer.code == 422, answer

    run(scenario)


def test_a_token_to_go_on_reads_nothing_else():
    """A continue token is the client's to forge: what it names is read with the rights of the request."""

    async def scenario(server):
        await server.namespace("other")
        await server.make("/api/v1/namespaces/other/secrets", {"metadata": {"name": "s"}})
        await server.grant("shop-only", {"verbs": ["list"], "apiGroups": [""], "resources": ["configmaps"]})
        for start in ("other/", "../secrets/other/", "/core/secrets/", "other/s\0", "\0"):
            token = {"v": "meta.k8s.io/v1", "rv": 1, "start": start}
            text = b64encode(json.dumps(token).encode()).decode().rstrip("=")
            answer = await server.ask("GET", f"{SHOP}/configmaps", user=ALICE, query={"continue": text, "limit": "5"})
            assert answer.code in (200, 400, 410)
            assert all(each["metadata"]["namespace"] == "shop" for each in answer.body.get("items", []))

    run(scenario)


def test_a_node_makes_nothing_that_is_not_its_own():
    """CVE-2025-5187 (owners), CVE-2025-4563 (claims of mirror pods), and their kin."""

    async def scenario(server):
        owner = [{"apiVersion": "v1", "kind": "ConfigMap", "name": "c", "uid": "u"}]
        refused = [
            ("/api/v1/nodes", {"kind": "Node", "metadata": {"name": "n1", "ownerReferences": owner}}),
            ("/api/v1/nodes", {"kind": "Node", "metadata": {"name": "n2"}}),
            (
                "/api/v1/nodes",
                {"kind": "Node", "metadata": {"name": "n1", "labels": {"node-restriction.kubernetes.io/zone": "z"}}},
            ),
            ("/api/v1/nodes", {"kind": "Node", "metadata": {"name": "n1", "labels": {"kubernetes.io/made-up": "z"}}}),
        ]
        node = await server.make("/api/v1/nodes", {"metadata": {"name": "n1"}})
        await server.server.core.consistent()
        uid = node["metadata"]["uid"]
        mirror = {"kubernetes.io/config.mirror": "x"}
        claims = [{"name": "gpu", "resourceClaimName": "g"}]
        for extra in (
            {"resourceClaims": claims},
            {"serviceAccountName": "default"},
            {"volumes": [{"name": "v", "secret": {"secretName": "s"}}]},
            {"volumes": [{"name": "v", "configMap": {"name": "s"}}]},
            {"volumes": [{"name": "v", "persistentVolumeClaim": {"claimName": "s"}}]},
            {"nodeName": "n2"},
        ):
            obj = pod("mirror", **{"nodeName": "n1", **extra})
            obj["metadata"]["annotations"] = mirror
            obj["metadata"]["ownerReferences"] = [
                {"apiVersion": "v1", "kind": "Node", "name": "n1", "uid": uid, "controller": True}
            ]
            refused.append((f"{SHOP}/pods", obj))
        refused.append((f"{SHOP}/pods", pod("own", nodeName="n1")))
        for path, obj in refused:
            answer = await server.ask("POST", path, obj, user=NODE)
            assert (obj["metadata"], answer.code) == (obj["metadata"], 403)

    run(scenario)


def test_metrics_have_no_labels_that_clients_choose():
    """CVE-2020-8551: what a client writes must not make a series of its own."""

    async def scenario(server):
        def series():
            return set(_series(server))

        await server.ask("GET", f"{SHOP}/pods/web/none-0")
        await server.ask("BREW", f"{SHOP}/pods")
        await server.ask("GET", "/apis/none-0.test/v1/things")
        before = series()
        for n in range(1, 30):
            await server.ask("GET", f"{SHOP}/pods/web/none-{n}")
            await server.ask("GET", f"{SHOP}/pods/web-{n}", user_agent=f"agent-{n}")
            await server.ask(f"BREW{n}", f"{SHOP}/pods")
            await server.ask("GET", f"/apis/none-{n}.test/v1/things")
            await server.ask("GET", f"/api/v{n}/namespaces/shop/pods")
            await server.ask("GET", f"/none-{n}")
            await server.ask("GET", f"/api/v1/namespaces/none-{n}/pods")
        grown = [each for each in series() - before if any(f"{n}" in each for n in range(10, 30))]
        assert [each for each in grown if "none-" in each or "BREW" in each or "agent" in each or "brew" in each] == []

    run(scenario)


def _series(server):
    from prometheus_client import generate_latest

    return [
        line.rpartition(" ")[0]
        for line in generate_latest(server.server.core.metrics.registry).decode().splitlines()
        if line.startswith("apiserver_request_total")
    ]


def test_nothing_profiles_or_shows_itself_to_who_asks():
    """CVE-2019-11248."""

    async def scenario(server):
        for path in ("/debug/pprof", "/debug/pprof/heap", "/debug/flags/v", "/configz", "/logs/kube-apiserver.log"):
            assert (await server.ask("GET", path, user=None)).code == 401
            assert (await server.ask("GET", path, user=ALICE)).code == 403
            assert (await server.ask("GET", path, user=ADMIN)).code == 404

    run(scenario)


@contextlib.contextmanager
def logged(form):
    root = logging.getLogger("cybernetes")
    before = root.handlers[:], root.level, root.propagate
    configure("debug", form)
    lines = io.StringIO()
    root.handlers[0].setStream(lines)
    try:
        yield lines.getvalue
    finally:
        root.handlers[:], root.level, root.propagate = before


@pytest.mark.parametrize("form", ["text", "json"])
def test_no_log_holds_a_secret_or_a_token(form):
    """CVE-2019-11250, CVE-2020-8563 to 8566: canaries are sent on every road; none may come out."""
    canary = "canary-9f2c"
    coded = b64encode(canary.encode()).decode()

    async def scenario(server):
        secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "stringData": {"password": canary}}
        await server.ask("POST", f"{SHOP}/secrets", secret)
        await server.ask("POST", f"{SHOP}/secrets", {**secret, "data": {"x": 7}})
        await server.ask("PATCH", f"{SHOP}/secrets/s", secret, content=APPLY, query={"fieldManager": "m"})
        await server.ask("PATCH", f"{SHOP}/secrets/s", {"data": {"a": canary}}, content=MERGE)
        await server.ask("GET", f"{SHOP}/secrets/s")
        await server.ask("GET", f"{SHOP}/pods", user=None, authorization=f"Bearer {canary}")
        await server.ask("GET", f"{SHOP}/pods", user=None, authorization=f"Basic {coded}")
        await server.ask("GET", f"{SHOP}/pods", user=None, query={"access_token": canary})
        review = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "spec": {"token": canary}}
        await server.ask("POST", "/apis/authentication.k8s.io/v1/tokenreviews", review)
        wish = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}
        issued = await server.ask("POST", f"{SHOP}/serviceaccounts/default/token", wish)
        token = issued.body["status"]["token"]
        await server.ask("GET", f"{SHOP}/pods", user=None, authorization=f"Bearer {token}")
        await server.ask("GET", f"{SHOP}/pods", user=None, authorization=f"Bearer {token[:-4]}AAAA")
        tokens.append(token)

    tokens = []
    with logged(form) as text:
        run(scenario)
        written = text()
    assert written
    for each in (canary, coded, *tokens, *(token.split(".")[2] for token in tokens)):
        assert each not in written


def test_policies_of_quantity_hold_for_what_is_small_and_grows():
    """CVE-2019-11253, CVE-2019-1002100: small bodies that stand for large ones."""
    laughs = b"a: &a [x,x,x,x,x,x,x,x,x,x]\n" + b"".join(
        b"%c: &%c [*%c,*%c,*%c,*%c,*%c,*%c,*%c,*%c,*%c,*%c]\n" % (98 + n, 98 + n, *[97 + n] * 10) for n in range(8)
    )
    deep = b'{"a":' * 50_000 + b"1" + b"}" * 50_000
    copies = [{"op": "add", "path": "/data", "value": {"a": "x" * 1000}}]
    copies += [{"op": "copy", "from": "/metadata", "path": f"/metadata/m{n}"} for n in range(64)]
    many = [{"op": "test", "path": "/kind", "value": "ConfigMap"}] * 10_001

    async def scenario(server):
        await server.make(f"{SHOP}/configmaps", {"metadata": {"name": "c"}})
        path = f"{SHOP}/configmaps/c"
        answers = [
            await server.ask("POST", f"{SHOP}/configmaps", laughs, content="application/yaml"),
            await server.ask("PATCH", path, laughs, content=APPLY, query={"fieldManager": "m"}),
            await server.ask("POST", f"{SHOP}/configmaps", deep),
            await server.ask("POST", f"{SHOP}/configmaps", deep.replace(b"{", b"[").replace(b'"a":', b"")),
            await server.ask("PATCH", path, deep, content=MERGE),
            await server.ask("PATCH", path, deep, content="application/strategic-merge-patch+json"),
            await server.ask("PATCH", path, deep, content=APPLY, query={"fieldManager": "m"}),
            await server.ask("PATCH", path, copies, content="application/json-patch+json"),
            await server.ask("PATCH", path, many, content="application/json-patch+json"),
            await server.ask("GET", f"{SHOP}/configmaps", query={"labelSelector": "a in (" + "x," * 50_000}),
        ]
        assert [each.code for each in answers if not 400 <= each.code < 500] == []
        assert (await server.ask("GET", path)).code == 200

    run(scenario)


def test_patterns_of_definitions_take_no_time():
    """What is linear in Go must be here: a tenant chooses the text that a pattern is held against."""

    async def scenario(server):
        definitions = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
        text = {"type": "string", "pattern": "^(a+)+$"}
        spec = {"type": "object", "properties": {"text": text}}
        schema = {"openAPIV3Schema": {"type": "object", "properties": {"spec": spec}}}
        version = {"name": "v1", "served": True, "storage": True, "schema": schema}
        names = {"plural": "tabs", "singular": "tab", "kind": "Tab", "listKind": "TabList"}
        group = {"group": "example.test", "scope": "Namespaced", "names": names, "versions": [version]}
        await server.make(definitions, {"metadata": {"name": "tabs.example.test"}, "spec": group})
        path = "/apis/example.test/v1/namespaces/shop/tabs"
        async with asyncio.timeout(60):
            while (await server.ask("GET", path)).code != 200:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        head = {"apiVersion": "example.test/v1", "kind": "Tab"}
        async with asyncio.timeout(60):
            for text, code in (("a" * 100_000, 201), ("a" * 100_000 + "b", 422)):
                made = {**head, "metadata": {"generateName": "t"}, "spec": {"text": text}}
                assert (await server.ask("POST", path, made)).code == code
        spec["properties"]["text"]["pattern"] = "(a"
        broken = {"metadata": {"name": "tabs.other.test"}, "spec": {**group, "group": "other.test"}}
        answer = await server.ask("POST", definitions, broken)
        assert "must be a valid regular expression" in answer.message

    run(scenario)


def test_every_test_that_the_documentation_names_is_there():
    root = Path(__file__).parents[3]
    text = (root / "docs/operating/attacks.md").read_text()
    named = set(re.findall(r"`([a-z0-9_/]+(?:\.py|/kubelet))`", text)) - {"crd/views.py"}
    assert len(named) > 20
    assert [each for each in sorted(named) if not (root / "tests" / each).exists()] == []


ODD = [
    ("GET", "//", None),
    ("POST", f"{SHOP}/bindings", b"null"),
    ("POST", f"{SHOP}/bindings", b"["),
    ("POST", f"{SHOP}/bindings/none", b"{}"),
    ("POST", f"{SHOP}/bindings", b'{"kind":"Binding","apiVersion":"v1"}'),
    ("DELETE", f"{SHOP}/configmaps/c", b'{"preconditions": ["uid"]}'),
    ("DELETE", f"{SHOP}/configmaps", b'{"preconditions": "uid"}'),
    ("DELETE", f"{SHOP}/configmaps/c", b'{"preconditions": {"uid": 7}}'),
    ("DELETE", f"{SHOP}/configmaps/c", b'{"dryRun": "All"}'),
    ("DELETE", f"{SHOP}/configmaps/c", b'{"orphanDependents": "yes"}'),
    ("DELETE", f"{SHOP}/configmaps/c", b'{"propagationPolicy": {}}'),
    ("POST", "/apis/storagemigration.k8s.io/v1/storageversionmigrations", b"{}"),
]


def test_what_is_of_an_odd_shape_is_the_clients_fault():
    """Each of these once ended in an error of the server's own, with a trace in its log."""

    async def scenario(server):
        await server.make(f"{SHOP}/configmaps", {"metadata": {"name": "c"}})
        answers = [(method, path, (await server.ask(method, path, data)).code) for method, path, data in ODD]
        assert [each for each in answers if not 400 <= each[2] < 500] == []
        odd = {"kind": "ConfigMap", "apiVersion": "v1", "metadata": "é"}
        query = {"fieldManager": "m"}
        answer = await server.ask("PATCH", f"{SHOP}/configmaps/c", odd, content=APPLY, query=query)
        assert answer.code == 400
        assert (await server.ask("GET", f"{SHOP}/configmaps/c")).code == 200

    run(scenario)


def test_authorities_that_are_none_end_nothing():
    """What an administrator puts into a caBundle must not end the server that reads it."""

    async def scenario(server):
        bundle = b64encode(b"garbage").decode()
        service = {"namespace": "shop", "name": "x"}
        spec = {"group": "e.test", "version": "v1", "service": service, "caBundle": bundle}
        spec |= {"groupPriorityMinimum": 1, "versionPriority": 1}
        path = "/apis/apiregistration.k8s.io/v1/apiservices"
        external = {"type": "ExternalName", "externalName": "x.test"}
        await server.make(f"{SHOP}/services", {"metadata": {"name": "x"}, "spec": external})
        await server.make(path, {"metadata": {"name": "v1.e.test"}, "spec": spec})
        rule = {"operations": ["CREATE"], "apiGroups": [""], "apiVersions": ["v1"], "resources": ["configmaps"]}
        hook = {
            "name": "a.example.test",
            "clientConfig": {"url": "https://127.0.0.1:1/x", "caBundle": bundle},
            "rules": [rule],
            "sideEffects": "None",
            "admissionReviewVersions": ["v1"],
        }
        hooks = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations"
        for policy, code in (("Ignore", 201), ("Fail", 500)):
            made = {"metadata": {"name": policy.lower()}, "webhooks": [{**hook, "failurePolicy": policy}]}
            await server.make(hooks, made)
            await server.server.core.consistent()
            answer = await server.ask("POST", f"{SHOP}/configmaps", {"metadata": {"name": policy.lower()}})
            assert answer.code == code
        assert "failed to call webhook" in answer.message
        assert "unable to load root certificates" in answer.message
        assert (await server.ask("GET", "/apis/e.test/v1/things")).code == 503
        async with asyncio.timeout(60):
            while not (await server.ask("GET", f"{path}/v1.e.test")).body.get("status", {}).get("conditions"):  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        assert (await server.ask("GET", "/livez")).code == 200

    run(scenario)
