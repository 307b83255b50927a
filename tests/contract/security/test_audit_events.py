"""What the audit log says of requests to a whole server."""

import asyncio
import json

from running_server import ADMIN, ALICE, running

from cybernetes.apiserver.audit import policy
from cybernetes.apiserver.audit.auditor import Auditor
from cybernetes.apiserver.audit.numbers import Numbers
from cybernetes.auth.user import User
from cybernetes.base.clock import SystemClock
from cybernetes.wire.http.message import Request

HEAD = "apiVersion: audit.k8s.io/v1\nkind: Policy\n"
QUIET = "- {level: None, users: ['system:apiserver']}\n"
CONFIG_MAPS = "/api/v1/namespaces/shop/configmaps"


class Kept:
    """A backend in memory."""

    def __init__(self) -> None:
        self.lines: list[bytes] = []

    def put(self, line):
        self.lines.append(line)

    async def room(self):
        return None

    async def run(self):
        return None

    def of(self, path: str) -> list[dict]:
        found = [json.loads(line) for line in self.lines]
        return [each for each in found if each["requestURI"].partition("?")[0] == path]


def run(rules: str, scenario, head: str = HEAD) -> None:
    async def go():
        kept = Kept()
        found = policy.parse(f"{head}rules:\n{QUIET}{rules}".encode())
        async with running(audit=Auditor(found, (kept,), Numbers(), SystemClock())) as server:
            await server.namespace("shop")
            await scenario(server, kept)

    asyncio.run(go())


def config_map(name="c", **metadata):
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, **metadata}, "data": {"a": "1"}}


def test_a_write_at_level_metadata():
    async def scenario(server, kept):
        request = Request(
            "POST",
            CONFIG_MAPS,
            {"fieldManager": ["me"]},
            {"content-type": "application/json", "user-agent": "test/1", "x-forwarded-for": "10.1.1.1, bad"},
            json.dumps(config_map()).encode(),
            remote="10.2.2.2:999",
        )
        response = await server.server.handle_as(ADMIN, request)
        received, complete = kept.of(CONFIG_MAPS)
        assert received["stage"] == "RequestReceived" and "responseStatus" not in received
        assert complete["auditID"] == dict(response.headers)["Audit-Id"] == received["auditID"]
        assert complete["stage"] == "ResponseComplete" and complete["level"] == "Metadata"
        assert complete["requestURI"] == f"{CONFIG_MAPS}?fieldManager=me"
        assert complete["user"] == {"username": "admin", "uid": "u-1", "groups": list(ADMIN.groups)}
        assert complete["sourceIPs"] == ["10.1.1.1", "10.2.2.2"] and complete["userAgent"] == "test/1"
        assert complete["objectRef"] == {
            "resource": "configmaps",
            "namespace": "shop",
            "name": "c",
            "apiVersion": "v1",
        }
        assert complete["responseStatus"] == {"metadata": {}, "code": 201}
        assert "requestObject" not in complete and "responseObject" not in complete
        assert complete["annotations"] == {
            "authorization.k8s.io/decision": "allow",
            "authorization.k8s.io/reason": "",
        }
        assert complete["stageTimestamp"] >= complete["requestReceivedTimestamp"]

    run("- {level: Metadata}\n", scenario)


def test_an_audit_id_of_the_client_is_kept():
    async def scenario(server, kept):
        await server.ask("GET", CONFIG_MAPS, audit_id="mine")
        assert {each["auditID"] for each in kept.of(CONFIG_MAPS)} == {"mine"}

    run("- {level: Metadata}\n", scenario)


def test_objects_come_with_their_levels():
    async def scenario(server, kept):
        await server.ask("POST", CONFIG_MAPS, config_map())
        (event,) = kept.of(CONFIG_MAPS)
        assert event["requestObject"] == config_map()
        assert event["responseObject"]["metadata"]["uid"]
        assert "managedFields" not in event["responseObject"]["metadata"]
        await server.ask("POST", "/api/v1/namespaces/shop/serviceaccounts", {"metadata": {"name": "x"}})
        event = kept.of("/api/v1/namespaces/shop/serviceaccounts")[-1]
        assert event["requestObject"] and "responseObject" not in event

    rules = "- {level: RequestResponse, resources: [{group: '', resources: [configmaps]}]}\n- {level: Request}\n"
    run(rules, scenario, f"{HEAD}omitStages: [RequestReceived]\nomitManagedFields: true\n")


def test_a_patch_and_what_protobuf_and_yaml_say_are_written_as_json():
    async def scenario(server, kept):
        await server.make(CONFIG_MAPS, config_map())
        path = f"{CONFIG_MAPS}/c"
        await server.ask("PATCH", path, {"data": {"b": "2"}}, content="application/merge-patch+json")
        assert kept.of(path)[-1]["requestObject"] == {"data": {"b": "2"}}
        answer = await server.server.handle_as(
            ADMIN, Request("GET", path, {}, {"accept": "application/vnd.kubernetes.protobuf"})
        )
        assert answer.body.startswith(b"k8s\0")
        assert kept.of(path)[-1]["responseObject"]["data"] == {"a": "1", "b": "2"}
        headers = {"content-type": "application/vnd.kubernetes.protobuf"}
        await server.server.handle_as(ADMIN, Request("PUT", path, {}, headers, answer.body))
        assert kept.of(path)[-1]["requestObject"]["data"] == {"a": "1", "b": "2"}
        body = b"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\ndata: {z: '9'}\n"
        await server.server.handle_as(ADMIN, Request("PUT", path, {}, {"content-type": "application/yaml"}, body))
        assert kept.of(path)[-1]["requestObject"]["data"] == {"z": "9"}

    run("- {level: RequestResponse}\n", scenario, f"{HEAD}omitStages: [RequestReceived]\n")


def test_a_refusal_says_why_and_who_was_refused():
    async def scenario(server, kept):
        path = "/api/v1/namespaces/shop/secrets/key"
        await server.ask("GET", path, user=ALICE)
        event = kept.of(path)[-1]
        assert event["responseStatus"]["code"] == 403 and event["responseStatus"]["reason"] == "Forbidden"
        assert event["responseStatus"]["details"] == {"name": "key", "kind": "secrets"}
        assert event["annotations"]["authorization.k8s.io/decision"] == "forbid"

    run("- {level: Metadata}\n", scenario)


def test_the_binding_that_allowed_is_named():
    async def scenario(server, kept):
        await server.grant("reader", {"verbs": ["get"], "apiGroups": [""], "resources": ["configmaps"]})
        await server.ask("GET", f"{CONFIG_MAPS}/c", user=ALICE)
        reason = kept.of(f"{CONFIG_MAPS}/c")[-1]["annotations"]["authorization.k8s.io/reason"]
        assert reason == 'RBAC: allowed by ClusterRoleBinding "reader" of ClusterRole "reader" to User "alice"'

    run("- {level: Metadata}\n", scenario)


def test_nobody_known_is_told_of_with_what_was_tried():
    async def scenario(server, kept):
        await server.ask("GET", "/api", user=None)
        await server.ask("GET", "/apis", user=None, authorization="Bearer wrong")
        (event,) = kept.of("/api")
        assert (event["stage"], event["user"]) == ("ResponseStarted", {})
        says = "Authentication failed, no credentials provided"
        assert event["responseStatus"] == {"metadata": {}, "message": says, "code": 401}
        assert kept.of("/apis")[0]["responseStatus"]["message"] == "Authentication failed, attempted: bearer"
        assert b"wrong" not in b"".join(kept.lines)

    run("- {level: Metadata}\n", scenario, f"{HEAD}omitStages: [RequestReceived]\n")


def test_an_impersonator_and_who_they_are_then_are_both_named():
    async def scenario(server, kept):
        await server.ask("GET", CONFIG_MAPS, user=ADMIN, impersonate_user="bob", impersonate_group="qa")
        event = kept.of(CONFIG_MAPS)[-1]
        assert event["user"]["username"] == "admin"
        assert event["impersonatedUser"] == {"username": "bob", "groups": ["qa", "system:authenticated"]}

    run("- {level: Metadata}\n", scenario)


def test_a_watch_has_a_beginning_and_an_end():
    async def scenario(server, kept):
        response = await server.server.handle_as(ADMIN, Request("GET", CONFIG_MAPS, {"watch": ["true"]}))
        await anext(response.body)
        assert [each["stage"] for each in kept.of(CONFIG_MAPS)] == ["RequestReceived", "ResponseStarted"]
        await response.body.aclose()
        complete = kept.of(CONFIG_MAPS)[-1]
        assert (complete["stage"], complete["verb"], complete["responseStatus"]["code"]) == (
            "ResponseComplete",
            "watch",
            200,
        )

    run("- {level: RequestResponse}\n", scenario)


def test_a_bug_is_a_panic(monkeypatch):
    async def scenario(server, kept):
        def broken(attributes):
            raise RuntimeError("out of order")

        server.server.core.authorizer.decide = broken
        await server.ask("GET", CONFIG_MAPS)
        assert [each["stage"] for each in kept.of(CONFIG_MAPS)] == ["RequestReceived", "Panic", "ResponseComplete"]
        assert kept.of(CONFIG_MAPS)[-1]["responseStatus"]["code"] == 500

    run("- {level: Metadata}\n", scenario)


def test_a_client_that_leaves_is_told_of():
    async def scenario(server, kept):
        never = asyncio.Event()

        async def stuck():
            await never.wait()

        server.server.core.consistent = stuck
        asking = asyncio.create_task(server.ask("GET", CONFIG_MAPS))
        while not kept.of(CONFIG_MAPS):  # noqa: ASYNC110
            await asyncio.sleep(0)
        asking.cancel()
        await asyncio.wait((asking,))
        assert kept.of(CONFIG_MAPS)[-1]["responseStatus"]["code"] == 504

    run("- {level: Metadata}\n", scenario)


def test_admission_tells_what_it_found():
    async def scenario(server, kept):
        label = {"pod-security.kubernetes.io/audit": "restricted"}
        await server.namespace("strict", **label)
        path = "/api/v1/namespaces/strict/pods"
        spec = {"containers": [{"name": "c", "image": "app:1"}]}
        await server.make(path, {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "web"}, "spec": spec})
        annotations = kept.of(path)[-1]["annotations"]
        assert "allowPrivilegeEscalation" in annotations["pod-security.kubernetes.io/audit-violations"]
        await server.ask("GET", "/api/v1/namespaces/shop/endpoints")
        found = kept.of("/api/v1/namespaces/shop/endpoints")[-1]
        assert found["annotations"]["k8s.io/deprecated"] == "true"

    run("- {level: Metadata}\n", scenario)


def test_no_client_can_forge_or_keep_back_a_line():
    async def scenario(server, kept):
        evil = 'x"}\n{"kind":"Event","auditID":"forged"}\n\r\u2028\0\udcff'
        before = len(kept.lines)
        headers = {"user-agent": evil, "audit-id": evil, "content-type": "application/json"}
        body = b'{"metadata":\n{"name":\n"c"},\n"data":{"a":"\\n1"}}'
        user = User(evil, groups=("system:masters",))
        await server.server.handle_as(user, Request("POST", f"{CONFIG_MAPS}", {evil: [evil]}, headers, body))
        lines = kept.lines[before:]
        assert len(lines) == 2 and json.loads(lines[1])["responseStatus"]["code"] == 201
        for line in lines:
            assert line.count(b"\n") == 1 and line.endswith(b"\n")
            event = json.loads(line)
            assert event["user"]["username"].startswith('x"}') and event["auditID"] != evil

    run("- {level: Request}\n", scenario)


def test_a_policy_that_says_none_leaves_no_trail():
    async def scenario(server, kept):
        await server.ask("GET", CONFIG_MAPS)
        assert kept.of(CONFIG_MAPS) == []
        await server.ask("DELETE", f"{CONFIG_MAPS}/none")
        assert kept.of(f"{CONFIG_MAPS}/none")[-1]["responseStatus"]["code"] == 404

    run("- {level: None, verbs: [list]}\n- {level: Metadata}\n", scenario)
