"""Which requests a policy records."""

import pytest

from cybernetes.apiserver.audit import policy
from cybernetes.apiserver.request import parse
from cybernetes.auth.user import User
from cybernetes.wire.http.message import Request

ALICE = User("alice", groups=("dev", "system:authenticated"))
HEAD = "apiVersion: audit.k8s.io/v1\nkind: Policy\n"


def level(rules: str, method: str, path: str, user: User | None = ALICE, **query: str) -> str:
    info = parse(Request(method, path, {key: [value] for key, value in query.items()}))
    return policy.parse(f"{HEAD}rules:\n{rules}".encode()).decide(user, info).level


PODS = "/api/v1/namespaces/shop/pods"


@pytest.mark.parametrize(
    ("rule", "method", "path", "matches"),
    [
        ("{level: Metadata}", "GET", PODS, True),
        ("{level: Metadata, users: [alice]}", "GET", PODS, True),
        ("{level: Metadata, users: [bob]}", "GET", PODS, False),
        ("{level: Metadata, userGroups: [ops, dev]}", "GET", PODS, True),
        ("{level: Metadata, userGroups: [ops]}", "GET", PODS, False),
        ("{level: Metadata, verbs: [list]}", "GET", PODS, True),
        ("{level: Metadata, verbs: [get]}", "GET", PODS, False),
        ("{level: Metadata, namespaces: [shop]}", "GET", PODS, True),
        ("{level: Metadata, namespaces: ['']}", "GET", PODS, False),
        ("{level: Metadata, namespaces: ['']}", "GET", "/api/v1/nodes", True),
        ("{level: Metadata, namespaces: ['']}", "GET", "/version", False),
        ("{level: Metadata, resources: [{group: ''}]}", "GET", f"{PODS}/web/log", True),
        ("{level: Metadata, resources: [{group: apps}]}", "GET", PODS, False),
        ("{level: Metadata, resources: [{group: '', resources: [pods]}]}", "GET", PODS, True),
        ("{level: Metadata, resources: [{group: '', resources: [pods]}]}", "GET", f"{PODS}/web/log", False),
        ("{level: Metadata, resources: [{group: '', resources: [pods/log]}]}", "GET", f"{PODS}/web/log", True),
        ("{level: Metadata, resources: [{group: '', resources: [pods/*]}]}", "GET", f"{PODS}/web/log", True),
        ("{level: Metadata, resources: [{group: '', resources: [pods/*]}]}", "GET", PODS, True),
        ("{level: Metadata, resources: [{group: '', resources: ['*/log']}]}", "GET", f"{PODS}/web/log", True),
        ("{level: Metadata, resources: [{group: '', resources: ['*/log']}]}", "GET", PODS, False),
        ("{level: Metadata, resources: [{group: '', resources: ['*']}]}", "GET", f"{PODS}/web/log", True),
        (
            "{level: Metadata, resources: [{group: '', resources: [pods], resourceNames: [web]}]}",
            "GET",
            f"{PODS}/web",
            True,
        ),
        (
            "{level: Metadata, resources: [{group: '', resources: [pods], resourceNames: [web]}]}",
            "GET",
            f"{PODS}/db",
            False,
        ),
        ("{level: Metadata, nonResourceURLs: ['/healthz*']}", "GET", "/healthz/ping", True),
        ("{level: Metadata, nonResourceURLs: ['/version']}", "GET", "/version", True),
        ("{level: Metadata, nonResourceURLs: ['/version']}", "GET", "/versions", False),
        ("{level: Metadata, nonResourceURLs: ['*']}", "GET", PODS, False),
    ],
)
def test_what_a_rule_matches(rule, method, path, matches):
    assert level(f"- {rule}\n", method, path) == ("Metadata" if matches else "None")


def test_the_first_rule_that_matches_decides():
    rules = "- {level: None, verbs: [list]}\n- {level: Request}\n"
    assert level(rules, "GET", PODS) == "None"
    assert level(rules, "GET", f"{PODS}/web") == "Request"


def test_rules_about_users_match_nobody_unknown():
    assert level("- {level: Metadata, userGroups: ['system:unauthenticated']}\n", "GET", PODS, None) == "None"
    assert level("- {level: Metadata}\n", "GET", PODS, None) == "Metadata"


def test_a_name_in_a_field_selector_is_a_name():
    rules = "- {level: Metadata, resources: [{group: '', resources: [secrets], resourceNames: [key]}]}\n"
    assert level(rules, "GET", "/api/v1/namespaces/a/secrets", fieldSelector="metadata.name=key") == "Metadata"
    assert level(rules, "GET", "/api/v1/namespaces/a/secrets", fieldSelector="metadata.name=other") == "None"


def test_an_answer_that_is_remembered_is_not_given_to_another():
    found = policy.parse(
        f"{HEAD}rules:\n- {{level: None, users: [alice]}}\n- {{level: Metadata, verbs: [get]}}\n".encode()
    )
    info = parse(Request("GET", f"{PODS}/web"))
    for _ in range(2):
        assert found.decide(ALICE, info).level == "None"
        assert found.decide(User("bob"), info).level == "Metadata"
        assert found.decide(User("bob"), parse(Request("GET", PODS))).level == "None"


def test_stages_of_the_policy_and_of_the_rule_are_left_out():
    text = f"{HEAD}omitStages: [RequestReceived]\nrules:\n- {{level: Metadata, omitStages: [ResponseStarted]}}\n"
    treatment = policy.parse(text.encode()).decide(ALICE, parse(Request("GET", PODS)))
    assert treatment.stages == {"ResponseComplete", "Panic"}


def test_managed_fields_are_kept_unless_the_rule_or_the_policy_says_otherwise():
    text = f"{HEAD}omitManagedFields: true\nrules:\n- {{level: Request, verbs: [get], omitManagedFields: false}}\n- {{level: Request}}\n"
    found = policy.parse(text.encode())
    assert found.decide(ALICE, parse(Request("GET", f"{PODS}/web"))).managed_fields
    assert not found.decide(ALICE, parse(Request("GET", PODS))).managed_fields


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("kind: Policy", "apiVersion"),
        ("apiVersion: audit.k8s.io/v1beta1\nkind: Policy", "audit.k8s.io/v1beta1"),
        (f"{HEAD}rules: []", "at least one rule"),
        (f"{HEAD}rules: [{{level: Everything}}]", "level"),
        (f"{HEAD}rules: [{{level: None, verb: [get]}}]", "verb"),
        (f"{HEAD}rules: [{{level: None, nonResourceURLs: [version]}}]", "slash"),
        (f"{HEAD}rules: [{{level: None, nonResourceURLs: [/a*b]}}]", "wildcard"),
        (f"{HEAD}rules: [{{level: None, nonResourceURLs: [/a], namespaces: [b]}}]", "not both"),
        (f"{HEAD}rules: [{{level: None, resources: [{{group: apps/v1}}]}}]", "no group"),
        (f"{HEAD}rules: [{{level: None, resources: [{{group: apps, resourceNames: [x]}}]}}]", "resourceNames"),
        ("{", "line"),
    ],
)
def test_what_is_wrong_is_said(text, says):
    with pytest.raises(policy.PolicyError, match=says):
        policy.parse(text.encode())
