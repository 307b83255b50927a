"""No check is got around by content type, subresource, patch type, dry run, or version: all roads, against each guard."""

import asyncio
import json
from base64 import b64encode

import pytest
from roads import APPLY, JSON, JSON_PATCH, MERGE, PATCHES, STRATEGIC, Target, creations, roads
from running_server import running

from cybernetes.auth.user import User
from hook_server import hooks

SHOP = "/api/v1/namespaces/shop"
APPS = "/apis/apps/v1/namespaces/shop"
GROUP = "tabs.example.test"
BOB = User("bob", groups=("system:authenticated",))
CSR = "/apis/certificates.k8s.io/v1/certificatesigningrequests"


def labelled(value):
    return {"metadata": {"labels": {"changed": value}}}


def container(**rest):
    return {"name": "c", "image": "app:1", "resources": {"requests": {"cpu": "1"}}, **rest}


def pod(name="web", **spec):
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name},
        "spec": {"containers": [container()], **spec},
    }


def deployment(name):
    template = {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [container()]}}
    spec = {"replicas": 1, "selector": {"matchLabels": {"app": "web"}}, "template": template}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name}, "spec": spec}


def scale(name, replicas=5):
    metadata = {"name": name, "namespace": "shop"}
    return {"apiVersion": "autoscaling/v1", "kind": "Scale", "metadata": metadata, "spec": {"replicas": replicas}}


def tab(version, name):
    spec = {"replicas": 1}
    return {"apiVersion": f"{GROUP}/{version}", "kind": "Tab", "metadata": {"name": name}, "spec": spec}


def definition(client_config):
    spec = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    schema = {"type": "object", "properties": {"spec": spec, "status": spec}}
    paths = {"specReplicasPath": ".spec.replicas", "statusReplicasPath": ".status.replicas"}
    versions = [
        {
            "name": name,
            "served": True,
            "storage": name == "v1",
            "schema": {"openAPIV3Schema": schema},
            "subresources": {"status": {}, "scale": paths},
        }
        for name in ("v1", "v2")
    ]
    names = {"plural": "tabs", "singular": "tab", "kind": "Tab", "listKind": "TabList"}
    webhook = {"clientConfig": client_config, "conversionReviewVersions": ["v1"]}
    conversion = {"strategy": "Webhook", "webhook": webhook}
    spec = {"group": GROUP, "scope": "Namespaced", "names": names, "versions": versions, "conversion": conversion}
    return {"metadata": {"name": f"tabs.{GROUP}"}, "spec": spec}


def convert(review):
    request = review["request"]
    made = [{**each, "apiVersion": request["desiredAPIVersion"]} for each in request["objects"]]
    response = {"uid": request["uid"], "result": {"status": "Success"}, "convertedObjects": made}
    return {"kind": "ConversionReview", "apiVersion": "apiextensions.k8s.io/v1", "response": response}


def verdict(**response):
    def answer(review):
        shape = {"kind": "AdmissionReview", "apiVersion": "admission.k8s.io/v1"}
        return {**shape, "response": {"uid": review["request"]["uid"], **response}}

    return answer


EPHEMERAL = {"spec": {"ephemeralContainers": [{"name": "e", "image": "debug:1"}]}}
RESIZED = {"spec": {"containers": [container(resources={"requests": {"cpu": "2"}})]}}
EVICTION = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": "web", "namespace": "shop"}}
BINDING = {
    "apiVersion": "v1",
    "kind": "Binding",
    "metadata": {"name": "web", "namespace": "shop"},
    "target": {"kind": "Node", "name": "n1"},
}
TOKEN = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"expirationSeconds": 3600}}


async def targets(server):
    """One object of each kind, and what changes it at each of its subresources."""
    config_map = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}, "data": {"k": "v"}}
    service = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "s"}, "spec": {"ports": [{"port": 80}]}}
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "a"}}
    lease = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": "l"}, "spec": {}}
    described = [
        ("/apis/coordination.k8s.io/v1/namespaces/shop/leases", "leases", "coordination.k8s.io", lease, {}, ()),
        (f"{SHOP}/configmaps", "configmaps", "", config_map, {}, ()),
        (f"{SHOP}/services", "services", "", service, {"status": labelled("s")}, ()),
        (f"{SHOP}/serviceaccounts", "serviceaccounts", "", account, {"token": TOKEN}, ("token",)),
        (
            f"{SHOP}/pods",
            "pods",
            "",
            pod(),
            {
                "status": {"status": {"message": "x"}},
                "ephemeralcontainers": EPHEMERAL,
                "resize": RESIZED,
                "eviction": EVICTION,
                "binding": BINDING,
            },
            ("eviction", "binding"),
        ),
        (
            f"{APPS}/deployments",
            "deployments",
            "apps",
            deployment("web"),
            {"status": {"status": {"observedGeneration": 7}}, "scale": scale("web")},
            (),
        ),
    ]
    found = []
    for path, resource, group, obj, subresources, creating in described:
        live = await server.make(path, obj)
        spare = json.loads(json.dumps(obj))
        spare["metadata"]["name"] = "spare"
        found.append(
            Target(
                path=path,
                resource=resource,
                group=group,
                live=live,
                spare=spare,
                change=labelled("yes"),
                subresources=subresources,
                creating=creating,
                put_creates=resource in ("leases", "services"),
            )
        )
    for version in ("v1", "v2"):
        path = f"/apis/{GROUP}/{version}/namespaces/shop/tabs"
        live = await server.make(path, tab(version, version))
        found.append(
            Target(
                path=path,
                resource="tabs",
                group=GROUP,
                live=live,
                spare=tab(version, "spare"),
                change=labelled("yes"),
                custom=True,
                subresources={"status": {"status": {"seen": 1}}, "scale": scale(version)},
            )
        )
    return found


async def prepared(server, hook):
    hook.answers["/convert"] = convert
    await server.namespace("shop")
    await server.make("/api/v1/nodes", {"metadata": {"name": "n1"}})
    await server.make(
        "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", definition(hook.client_config("/convert"))
    )
    async with asyncio.timeout(60):
        for version in ("v1", "v2"):
            while (await server.ask("GET", f"/apis/{GROUP}/{version}")).code != 200:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
    return await targets(server)


def webhook_configuration(client_config):
    rule = {"operations": ["*"], "apiGroups": ["*"], "apiVersions": ["*"], "resources": ["*/*"]}
    hook = {
        "name": "deny.example.test",
        "clientConfig": client_config,
        "rules": [rule],
        "sideEffects": "None",
        "admissionReviewVersions": ["v1"],
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "shop"}},
    }
    shape = {"apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingWebhookConfiguration"}
    return {**shape, "metadata": {"name": "deny"}, "webhooks": [hook]}


async def forbid_by_policy(server):
    api = "admissionregistration.k8s.io/v1"
    rule = {"operations": ["*"], "apiGroups": ["*"], "apiVersions": ["*"], "resources": ["*/*"]}
    spec = {
        "matchConstraints": {
            "resourceRules": [rule],
            "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "shop"}},
        },
        "validations": [{"expression": "false", "message": "nothing goes"}],
    }
    root = f"/apis/{api}/validatingadmissionpolicies"
    await server.make(
        root, {"apiVersion": api, "kind": "ValidatingAdmissionPolicy", "metadata": {"name": "p"}, "spec": spec}
    )
    bound = {"policyName": "p", "validationActions": ["Deny"]}
    shape = {"apiVersion": api, "kind": "ValidatingAdmissionPolicyBinding", "metadata": {"name": "b"}, "spec": bound}
    await server.make(root.replace("policies", "policybindings"), shape)


def all_roads(found):
    return [road for target in found for road in roads(target)]


def against(scenario):
    async def go():
        async with running() as server, hooks() as hook:
            found = await prepared(server, hook)
            return await scenario(server, hook, found)

    return asyncio.run(go())


def test_every_road_is_seen_by_a_validating_webhook():
    async def scenario(server, hook, found):
        hook.answers["/deny"] = verdict(allowed=False, status={"message": "no"})
        configuration = webhook_configuration(hook.client_config("/deny"))
        await server.make("/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations", configuration)
        await server.server.core.consistent()
        revision = server.server.core.committed
        wrong = []
        for road in all_roads(found):
            asked_before = len(hook.asked("/deny"))
            answer = await road.take(server)
            asked = hook.asked("/deny")[asked_before:]
            if road.refused:
                wrong += [] if answer.code == road.refused else [(road.label, answer.code, answer.message)]
                continue
            if 'admission webhook "deny.example.test" denied the request: no' not in answer.message:
                wrong.append((road.label, answer.code, answer.message))
                continue
            seen = asked[0]
            told = (seen["operation"], seen["resource"]["resource"], seen.get("subResource", ""), seen["dryRun"])
            if told != (road.operation, road.resource, road.subresource, "dryRun" in road.query or "dry" in road.label):
                wrong.append((road.label, told))
            # CVE-2021-25735: what was there before is what is stored, not what is sent.
            before = seen["oldObject"] or {"metadata": {"labels": {}}}
            if road.operation == "UPDATE" and "changed" in before["metadata"].get("labels", {}):
                wrong.append((road.label, before))
            if seen["userInfo"]["username"] != "admin":
                wrong.append((road.label, seen["userInfo"]))
            if road.subresource == "scale" and (seen["kind"]["kind"], seen["object"]["spec"]) != (
                "Scale",
                {"replicas": 5},
            ):
                wrong.append((road.label, seen["kind"], seen["object"]))
        item = {"metadata": {"name": "web", "namespace": "shop"}, "target": {"name": "n1"}}
        listed = {"kind": "BindingList", "apiVersion": "v1", "items": [item]}
        answer = await server.ask("POST", "/api/v1/bindings", listed)
        wrong += [] if "denied the request: no" in json.dumps(answer.body) else [("bindings", answer)]
        for verb in ("exec", "attach", "portforward", "proxy"):
            for method in ("GET", "POST"):
                path = f"{SHOP}/pods/on-node/{verb}"
                answer = await server.ask(method, path, query={"command": "id", "stdout": "1"})
                wrong += [] if "denied the request: no" in answer.message else [(verb, method, answer)]
        assert not wrong, "\n".join(map(str, wrong))
        assert server.server.core.committed == revision

    async def with_a_pod_on_a_node(server, hook, found):
        await server.make(f"{SHOP}/pods", pod("on-node", nodeName="n1"))
        await scenario(server, hook, found)

    against(with_a_pod_on_a_node)


def test_every_road_is_seen_by_a_policy():
    async def scenario(server, hook, found):
        await forbid_by_policy(server)
        await server.server.core.consistent()
        revision = server.server.core.committed
        wrong = []
        for road in all_roads(found):
            answer = await road.take(server)
            refused = answer.code == road.refused if road.refused else "nothing goes" in answer.message
            wrong += [] if refused else [(road.label, answer.code, answer.message)]
        assert not wrong, "\n".join(map(str, wrong))
        assert server.server.core.committed == revision

    against(scenario)


def test_every_road_asks_for_its_verb_and_subresource():
    async def scenario(server, hook, found):
        wrong = []
        for target in found:
            for road in roads(target):
                answer = await road.take(server, user=BOB)
                shown = road.resource + (f"/{road.subresource}" if road.subresource else "")
                wanted = f'User "bob" cannot {road.verb} resource "{shown}" in API group "{target.group}"'
                wrong += (
                    []
                    if answer.code == 403 and wanted in answer.message
                    else [(road.label, answer.code, answer.message)]
                )
        assert not wrong, "\n".join(map(str, wrong))

    against(scenario)


def test_a_right_to_one_verb_or_subresource_is_no_right_to_another():
    """Who may change the status changes nothing else, and who may patch does not create."""

    async def scenario(server, hook, found):
        rules = [
            {"verbs": ["update", "patch"], "apiGroups": ["*"], "resources": ["*/status", "deployments/scale"]},
            {"verbs": ["patch"], "apiGroups": ["*"], "resources": ["configmaps"]},
        ]
        await server.grant("status", *rules, user="bob")
        wrong = []
        for road in all_roads(found):
            answer = await road.take(server, user=BOB)
            may = road.subresource == "status" or (road.resource, road.subresource) == ("deployments", "scale")
            may = may or (road.resource == "configmaps" and road.verb == "patch" and road.operation == "UPDATE")
            if not may and answer.code != 403:
                wrong.append((road.label, answer.code))
        assert not wrong, "\n".join(map(str, wrong))
        after = {each.path: (await server.ask("GET", f"{each.path}/{each.name}")).body for each in found}
        for target in found:
            now = after[target.path]
            was = target.live
            replicas = (now.get("spec") or {}).pop("replicas", None), (was.get("spec") or {}).pop("replicas", None)
            assert now.get("spec") == was.get("spec")
            assert replicas[0] == (5 if target.resource == "deployments" else replicas[1])

    against(scenario)


async def exhausted_quota(server, hard):
    path = f"{SHOP}/resourcequotas"
    spec = {"metadata": {"name": "q"}, "spec": {"hard": hard}}
    made = await server.make(path, spec)
    made["status"] = {"hard": hard, "used": dict.fromkeys(hard, "0") | {"requests.cpu": "2"}}
    made["status"]["used"] = {key: value for key, value in made["status"]["used"].items() if key in hard}
    assert (await server.ask("PUT", f"{path}/q/status", made)).code == 200


def test_every_road_that_creates_is_counted():
    async def scenario(server, hook, found):
        hard = {"count/configmaps": "0", "pods": "0", "count/pods": "0", "services": "0", "requests.cpu": "2"}
        hard |= {
            "count/leases.coordination.k8s.io": "0",
            "count/deployments.apps": "0",
            f"count/tabs.{GROUP}": "0",
            "count/serviceaccounts": "0",
        }
        await exhausted_quota(server, hard)
        wrong = []
        for target in found:
            for road in roads(target):
                makes = road.operation == "CREATE" and not road.subresource
                grows = road.subresource == "resize"
                if road.refused or not (makes or grows):
                    continue
                answer = await road.take(server)
                wrong += [] if "exceeded quota: q" in answer.message else [(road.label, answer.code, answer.message)]
        assert not wrong, "\n".join(map(str, wrong))
        used = (await server.ask("GET", f"{SHOP}/resourcequotas/q")).body["status"]["used"]
        assert used == dict.fromkeys(hard, "0") | {"requests.cpu": "2"}

    against(scenario)


def test_a_quota_is_exact_whatever_roads_are_taken_at_once():
    async def scenario(server, hook, found):
        await exhausted_quota(server, {"count/configmaps": "9", f"count/tabs.{GROUP}": "7"})
        by_name = {each.resource: each for each in found}
        asking, dry = [], []
        for resource, many in (("configmaps", 40), ("tabs", 30)):
            target = by_name[resource]
            for n in range(many):
                target.spare["metadata"]["name"] = f"new-{n}"
                ways = [each for each in creations(target) if not each.refused]
                asking.append(ways[n % len(ways)].take(server))
                dry_run = {"dryRun": "All"}
                dry.append(
                    server.ask("POST", target.path, {**target.spare, "metadata": {"name": f"dry-{n}"}}, query=dry_run)
                )
        answers = await asyncio.gather(*asking, *dry)
        codes = [each.code for each in answers[: len(asking)]]
        assert (codes[:40].count(201), codes[40:].count(201)) == (9, 7)
        assert set(codes) == {201, 403}
        used = (await server.ask("GET", f"{SHOP}/resourcequotas/q")).body["status"]["used"]
        assert used == {"count/configmaps": "9", f"count/tabs.{GROUP}": "7"}

    against(scenario)


def is_privileged(found):
    spec = found.get("spec") or {}
    return any("securityContext" in each for each in spec.get("containers", []) + spec.get("ephemeralContainers", []))


def test_no_road_leads_a_pod_around_the_level_of_its_namespace():
    privileged = {"securityContext": {"privileged": True}}

    async def scenario(server, hook, found):
        baseline = {"metadata": {"labels": {"pod-security.kubernetes.io/enforce": "baseline"}}}
        assert (await server.ask("PATCH", SHOP, baseline, content=MERGE)).code == 200
        await server.server.core.consistent()
        (target,) = [each for each in found if each.resource == "pods"]
        target.spare["spec"]["containers"] = [container(**privileged)]
        target.change = {"spec": {"containers": [container(image="app:2", **privileged)]}}
        wild = [{"name": "e", "image": "debug:1", **privileged}]
        target.subresources = {
            "ephemeralcontainers": {"spec": {"ephemeralContainers": wild}},
            "resize": {"spec": {"containers": [container(resources={"requests": {"cpu": "2"}}, **privileged)]}},
            "status": {"spec": {"containers": [container(**privileged)]}},
        }
        wrong = []
        for road in roads(target):
            if road.operation == "DELETE" or road.refused:
                continue
            answer = await road.take(server)
            if road.operation == "CREATE" or road.subresource == "ephemeralcontainers":
                fine = 'violates PodSecurity "baseline:latest"' in answer.message
            else:
                # Nothing of the kind may be changed there at all: it is refused, or left as it was.
                fine = answer.code in (403, 422) or not is_privileged(answer.body)
            wrong += [] if fine else [(road.label, answer.code, answer.message)]
        assert not wrong, "\n".join(map(str, wrong))
        now = (await server.ask("GET", f"{SHOP}/pods/web")).body
        assert not is_privileged(now)

    against(scenario)


NODE = User("system:node:n1", groups=("system:nodes", "system:authenticated"))
FORBIDDEN_OF_NODES = {
    "another's pod": (f"{SHOP}/pods/other", "status", {"status": {"phase": "Failed"}}),
    "its labels": ("/api/v1/nodes/n1", "", {"metadata": {"labels": {"node-restriction.kubernetes.io/x": "why"}}}),
    "its labels by status": (
        "/api/v1/nodes/n1",
        "status",
        {"metadata": {"labels": {"node-restriction.kubernetes.io/x": "why"}}},
    ),
    "its taints": ("/api/v1/nodes/n1", "", {"spec": {"taints": []}}),
    "its owners": (
        "/api/v1/nodes/n1",
        "",
        {"metadata": {"ownerReferences": [{"apiVersion": "v1", "kind": "Node", "name": "m2", "uid": "u"}]}},
    ),
    "another node": ("/api/v1/nodes/m2", "", {"metadata": {"labels": {"x": "why"}}}),
    "another's status": ("/api/v1/nodes/m2", "status", {"status": {"phase": "Running"}}),
}


@pytest.mark.parametrize("case", FORBIDDEN_OF_NODES)
def test_no_road_lets_a_node_change_more_than_its_own(case):
    path, sub, change = FORBIDDEN_OF_NODES[case]

    async def scenario():
        async with running() as server:
            await server.namespace("shop")
            taint = {"key": "k", "value": "v", "effect": "NoSchedule"}
            for name in ("n1", "m2"):
                await server.make("/api/v1/nodes", {"metadata": {"name": name}, "spec": {"taints": [taint]}})
            await server.make(f"{SHOP}/pods", pod("other", nodeName="m2"))
            await server.server.core.consistent()
            live = (await server.ask("GET", path)).body
            target = Target(
                path=path.rpartition("/")[0],
                resource=path.split("/")[-2],
                live=live,
                spare=live,
                change=change,
                subresources={sub: change} if sub else {},
            )
            wrong = []
            for road in roads(target):
                if road.operation != "UPDATE" or road.subresource != sub or road.refused:
                    continue
                answer = await road.take(server, user=NODE)
                wrong += [] if answer.code == 403 else [(road.label, answer.code, answer.message)]
            now = (await server.ask("GET", path)).body
            # What a status subresource takes of metadata is kept by nobody.
            assert {**now, "metadata": None} == {**live, "metadata": None}
            assert now["metadata"]["resourceVersion"] == live["metadata"]["resourceVersion"] or not wrong
            assert "node-restriction.kubernetes.io/x" not in (now["metadata"].get("labels") or {})
            assert not wrong, "\n".join(map(str, wrong))

    asyncio.run(scenario())


def test_a_signing_request_is_approved_by_no_road_without_the_right():
    async def scenario():
        async with running() as server:
            rule = {
                "verbs": ["*"],
                "apiGroups": ["certificates.k8s.io"],
                "resources": ["certificatesigningrequests", "*/*"],
            }
            await server.grant("csr", rule, user="bob")
            from cybernetes.auth import pki
            from cybernetes.base.random import SystemRandom

            asked = pki.request(pki.new_key(SystemRandom()), "bob", ["dev"])
            shape = {"apiVersion": "certificates.k8s.io/v1", "kind": "CertificateSigningRequest"}
            usages = ["client auth"]
            signer = "kubernetes.io/kube-apiserver-client"
            spec = {"request": b64encode(asked).decode(), "signerName": signer, "usages": usages}
            live = await server.make(CSR, {**shape, "metadata": {"name": "r"}, "spec": spec})
            condition = {"type": "Approved", "status": "True", "reason": "r", "message": "m"}
            change = {"status": {"conditions": [condition]}}
            signed = {"status": {"certificate": "eA=="}}
            target = Target(
                path=CSR,
                resource="certificatesigningrequests",
                live=live,
                spare=live,
                change=change,
                subresources={"approval": change, "status": signed},
            )
            for road in roads(target):
                if road.operation == "UPDATE" and not road.refused:
                    await road.take(server, user=BOB)
            now = (await server.ask("GET", f"{CSR}/r")).body
            assert now["status"] == {}

    asyncio.run(scenario())


def test_the_roads_are_all_there():
    """Of one kind with a status: each verb, each content type, each patch type, with and without dry run."""
    live = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "s"}, "spec": {}}
    target = Target(
        path="/x", resource="services", live=live, spare=live, change=labelled("y"), subresources={"status": {}}
    )
    target.subresources = {"status": {"status": {"loadBalancer": {}}}}
    found = list(roads(target))
    assert len(found) == 2 * (4 + 1 + 2 * (4 + 4) + 2)
    assert (
        {road.content for road in found if road.method == "PATCH"}
        == set(PATCHES)
        == {JSON_PATCH, MERGE, STRATEGIC, APPLY}
    )
    assert {road.verb for road in found} == {"create", "update", "patch", "delete", "deletecollection"}
    assert JSON in {road.content for road in found if road.method == "PUT"}
