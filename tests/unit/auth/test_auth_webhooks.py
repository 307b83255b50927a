"""Other servers that are asked for tokens and rights."""

import asyncio
import json

import pytest

from cybernetes.auth.access_webhook import AccessWebhook, Terms, spec_of
from cybernetes.auth.asking import QUESTIONS_MAX, Unanswered, answer, settled
from cybernetes.auth.authz import Always, Attributes, Chain, Decision, Verdict
from cybernetes.auth.authz_config import ConfigError, parse
from cybernetes.auth.token_webhook import TokenWebhook
from cybernetes.auth.tokens import InvalidToken
from cybernetes.auth.user import User
from cybernetes.base.errors import EdgeError
from cybernetes.model.selector import parse_labels

ANN = User("ann", "u1", ("dev",), {"a/b": ["c"]})
GET = Attributes(ANN, "get", "apps", "v1", "deployments", "scale", "shop", "web")
HEAD = "apiVersion: apiserver.config.k8s.io/v1\nkind: AuthorizationConfiguration\n"


class Time:
    def __init__(self) -> None:
        self.at = 0.0

    def monotonic(self):
        return self.at


class Server:
    """Answers reviews with what it was given; an exception is raised."""

    def __init__(self, *statuses) -> None:
        self.statuses = list(statuses)
        self.specs = []

    async def __call__(self, body: bytes) -> bytes:
        asked = json.loads(body)
        self.specs.append(asked["spec"])
        status = self.statuses.pop(0)
        if isinstance(status, Exception):
            raise status
        return json.dumps({**asked, "status": status}).encode()


def decided(authorizer, attributes=GET) -> Decision:
    return asyncio.run(settled(lambda: authorizer.decide(attributes)))


def test_a_decision_that_needs_nobody_is_made_at_once():
    assert asyncio.run(settled(lambda: 7)) == 7


def test_answers_are_fetched_one_by_one_and_only_for_this_decision():
    fetched = []

    def decide():
        def fetch(name):
            async def get():
                fetched.append(name)
                return name

            return get

        return answer("a", fetch("a")) + answer("b", fetch("b"))

    assert asyncio.run(settled(decide)) == "ab"
    assert fetched == ["a", "b"]
    with pytest.raises(Unanswered):
        decide()


def test_a_decision_that_asks_without_end_is_given_up():
    numbers = iter(range(10 * QUESTIONS_MAX))

    async def fetch():
        return None

    with pytest.raises(EdgeError, match="answers"):
        asyncio.run(settled(lambda: answer(next(numbers), fetch)))


@pytest.mark.parametrize(
    ("status", "verdict"),
    [
        ({"allowed": True, "reason": "ok"}, Verdict.ALLOW),
        ({"allowed": False, "denied": True, "reason": "no"}, Verdict.DENY),
        ({"allowed": False, "reason": "who?"}, Verdict.NO_OPINION),
        ({"allowed": True, "denied": True}, Verdict.NO_OPINION),
        ({"allowed": "yes"}, Verdict.NO_OPINION),
        (EdgeError("POST", "hook", "refused"), Verdict.NO_OPINION),
    ],
)
def test_what_a_webhook_may_answer(status, verdict):
    assert decided(AccessWebhook(Terms("w"), Server(status), Time())).verdict is verdict


@pytest.mark.parametrize(
    "status",
    [
        {"authenticated": True, "user": {"username": "ann", "groups": "dev"}},
        {"authenticated": True, "user": {"username": "ann", "groups": [1]}},
        {"authenticated": True, "user": {"username": "ann", "extra": {"a": None, "b": 1}}},
        {"authenticated": True, "user": {"username": 7}},
        {"authenticated": True, "user": {"username": "ann"}, "audiences": "cluster"},
        {"authenticated": "true", "user": {"username": "ann"}},
    ],
)
def test_whom_a_webhook_names_is_held_to_its_shape(status):
    hook = TokenWebhook(Server(status), ("cluster",), 60.0, Time())
    with pytest.raises(InvalidToken):
        asyncio.run(settled(lambda: hook.user("t", ())))


def test_a_webhook_that_fails_may_mean_no():
    hook = AccessWebhook(Terms("w", deny_on_failure=True), Server(EdgeError("POST", "hook", "refused")), Time())
    assert decided(hook).verdict is Verdict.DENY


def test_the_question_tells_all_of_the_request():
    attributes = Attributes(
        ANN,
        "list",
        "",
        "v1",
        "pods",
        field_selector=(("spec.nodeName", "n"),),
        field_exclusions=(("status.phase", "Failed"),),
        label_selector=parse_labels("app in (a,b),!old,tier,x!=y"),
    )
    assert spec_of(attributes) == {
        "resourceAttributes": {
            "verb": "list",
            "version": "v1",
            "resource": "pods",
            "fieldSelector": {
                "requirements": [
                    {"key": "spec.nodeName", "operator": "In", "values": ["n"]},
                    {"key": "status.phase", "operator": "NotIn", "values": ["Failed"]},
                ]
            },
            "labelSelector": {
                "requirements": [
                    {"key": "app", "operator": "In", "values": ["a", "b"]},
                    {"key": "old", "operator": "DoesNotExist"},
                    {"key": "tier", "operator": "Exists"},
                    {"key": "x", "operator": "NotIn", "values": ["y"]},
                ]
            },
        },
        "user": "ann",
        "groups": ["dev"],
        "extra": {"a/b": ["c"]},
        "uid": "u1",
    }
    other = Attributes(User("ann"), "get", path="/metrics", is_resource=False)
    assert spec_of(other) == {"nonResourceAttributes": {"path": "/metrics", "verb": "get"}, "user": "ann"}


def test_answers_are_remembered_for_their_times_and_failures_are_not():
    clock = Time()
    server = Server({"allowed": True}, {"allowed": False}, EdgeError("POST", "hook", "down"), {"allowed": True})
    hook = AccessWebhook(Terms("w", allowed_s=300, other_s=30), server, clock)
    assert decided(hook).allowed and decided(hook).allowed and len(server.specs) == 1
    clock.at += 301
    assert not decided(hook).allowed and not decided(hook).allowed and len(server.specs) == 2
    clock.at += 31
    assert not decided(hook).allowed
    assert decided(hook).allowed and len(server.specs) == 4


def test_nothing_is_remembered_where_the_configuration_says_so():
    server = Server({"allowed": True}, {"allowed": True})
    hook = AccessWebhook(Terms("w", allowed_s=0, other_s=0), server, Time())
    assert decided(hook).allowed and decided(hook).allowed and len(server.specs) == 2


@pytest.mark.parametrize(
    ("condition", "asked", "verdict"),
    [
        ("has(request.resourceAttributes)", 1, Verdict.ALLOW),
        ("request.resourceAttributes.namespace == 'shop'", 1, Verdict.ALLOW),
        ("request.resourceAttributes.namespace == 'kube-system'", 0, Verdict.NO_OPINION),
        ("'dev' in request.groups", 1, Verdict.ALLOW),
        ("request.nonResourceAttributes.path == '/'", 0, Verdict.DENY),
    ],
)
def test_a_webhook_is_asked_where_its_conditions_hold(condition, asked, verdict):
    server = Server({"allowed": True})
    hook = AccessWebhook(Terms("w", deny_on_failure=True, conditions=(condition,)), server, Time())
    assert decided(hook).verdict is verdict
    assert len(server.specs) == asked


def test_a_condition_that_is_false_goes_before_one_that_fails():
    conditions = ("request.nonResourceAttributes.path == '/'", "false")
    hook = AccessWebhook(Terms("w", deny_on_failure=True, conditions=conditions), Server(), Time())
    assert decided(hook).verdict is Verdict.NO_OPINION


def test_the_chain_goes_on_where_a_webhook_has_no_opinion_and_ends_where_it_denies():
    for status, allowed in (({"allowed": False}, True), ({"denied": True}, False)):
        hook = AccessWebhook(Terms("w"), Server(status), Time())
        chain = Chain((hook, Always(Decision(Verdict.ALLOW))))
        assert decided(chain).allowed is allowed


def reviewed(hook, token="t", audiences=()):
    return asyncio.run(settled(lambda: hook.user(token, audiences)))


def test_a_token_that_the_webhook_knows():
    user = {"username": "ann", "uid": "1", "groups": ["dev"], "extra": {"k": ["v"]}}
    server = Server({"authenticated": True, "user": user})
    clock = Time()
    hook = TokenWebhook(server, ("api",), 120, clock)
    found, audiences = reviewed(hook)
    assert found == User("ann", "1", ("dev", "system:authenticated"), {"k": ["v"]}) and audiences == ("api",)
    assert server.specs == [{"token": "t", "audiences": ["api"]}]
    assert reviewed(hook)[0] == found and len(server.specs) == 1
    clock.at += 121
    server.statuses.append({"authenticated": False, "error": "over"})
    with pytest.raises(InvalidToken, match="over"):
        reviewed(hook)


@pytest.mark.parametrize(
    "status",
    [
        {"authenticated": False},
        {"authenticated": True},
        {"authenticated": True, "user": {"username": ""}},
        {"authenticated": "true", "user": {"username": "x"}},
        {"authenticated": True, "user": {"username": "x"}, "audiences": ["other"]},
        EdgeError("POST", "hook", "refused"),
    ],
)
def test_answers_that_make_no_user(status):
    with pytest.raises(InvalidToken):
        reviewed(TokenWebhook(Server(status), ("api",), 120, Time()))


def test_a_webhook_that_names_no_audience_speaks_for_the_api_server_only():
    status = {"authenticated": True, "user": {"username": "x"}}
    with pytest.raises(InvalidToken, match="audiences"):
        reviewed(TokenWebhook(Server(status), ("api",), 120, Time()), audiences=("vault",))
    hook = TokenWebhook(Server({**status, "audiences": ["vault"]}), ("api",), 120, Time())
    assert reviewed(hook, audiences=("vault",))[1] == ("vault",)


HOOK = (
    "{type: Webhook, name: h, webhook: {subjectAccessReviewVersion: v1, failurePolicy: Deny, timeout: 2s, "
    "connectionInfo: {type: KubeConfigFile, kubeConfigFile: /h.conf}, authorizedTTL: 1m, "
    "cacheUnauthorizedRequests: false, matchConditionSubjectAccessReviewVersion: v1, "
    "matchConditions: [{expression: 'has(request.resourceAttributes)'}]}}"
)


def test_a_whole_configuration():
    entries = parse(
        f"{HEAD}authorizers: [{HOOK}, {{type: Node, name: n}}, {{type: RBAC, name: r}}]".encode()
    ).authorizers
    assert [each.type for each in entries] == ["Webhook", "Node", "RBAC"]
    assert entries[0].webhook is not None
    conditions = ("has(request.resourceAttributes)",)
    assert entries[0].webhook.terms("h") == Terms("h", 2.0, 60.0, 0.0, True, conditions)


@pytest.mark.parametrize(
    ("authorizers", "says"),
    [
        ("[]", "at least one"),
        ("[{type: ABAC, name: a}]", "not served"),
        ("[{type: RBAC, name: A}]", "lower case"),
        ("[{type: RBAC, name: a}, {type: Node, name: a}]", "twice"),
        ("[{type: RBAC, name: a}, {type: RBAC, name: b}]", "twice"),
        ("[{type: Webhook, name: a}]", "required when type=Webhook"),
        (f"[{HOOK.replace('timeout: 2s', 'timeout: 31s')}]", "30s"),
        (f"[{HOOK.replace('authorizedTTL: 1m', 'authorizedTTL: soon')}]", "duration"),
        (f"[{HOOK.replace('failurePolicy: Deny', 'failurePolicy: Allow')}]", "NoOpinion or Deny"),
        (f"[{HOOK.replace('ReviewVersion: v1, f', 'ReviewVersion: v1beta1, f')}]", "v1beta1"),
        (f"[{HOOK.replace('KubeConfigFile,', 'InClusterConfig,')}]", "InClusterConfig"),
        (f"[{HOOK.replace('/h.conf', 'h.conf')}]", "absolute"),
        (f"[{HOOK.replace('has(request.resourceAttributes)', 'request.nothing')}]", "compilation failed"),
        (f"[{HOOK.replace('has(request.resourceAttributes)', 'request.user')}]", "bool"),
    ],
)
def test_what_is_wrong_with_a_configuration_is_said(authorizers, says):
    with pytest.raises(ConfigError, match=says):
        parse(f"{HEAD}authorizers: {authorizers}".encode())
