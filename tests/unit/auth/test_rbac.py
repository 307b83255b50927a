import pytest
from fake_lister import ALICE, FakeLister, account_subject, binding, role, rule, user_subject

from cybernetes.auth.authz import Attributes, Chain, PrivilegedGroup, Verdict, check
from cybernetes.auth.rbac import Rbac
from cybernetes.auth.rules import Rule, describe, missing, parse
from cybernetes.auth.user import User
from cybernetes.base.errors import ApiError

PODS = rule("get list", "pods pods/log")


def ask(verb="get", resource="pods", namespace="", user=ALICE, **rest):
    return Attributes(user, verb, resource=resource, namespace=namespace, **rest)


def test_a_cluster_role_binding_allows_everywhere_and_says_why():
    rbac = Rbac(FakeLister(role("reader", PODS), binding("b", "reader", user_subject("alice"))))
    decision = rbac.decide(ask(namespace="shop"))
    assert decision.allowed
    assert decision.reason == 'RBAC: allowed by ClusterRoleBinding "b" of ClusterRole "reader" to User "alice"'
    assert not rbac.decide(ask("delete")).allowed


def test_a_role_binding_allows_in_its_namespace_only():
    lister = FakeLister(
        role("r", PODS, namespace="shop"), binding("b", "r", user_subject("alice"), namespace="shop", role_kind="Role")
    )
    rbac = Rbac(lister)
    decision = rbac.decide(ask(namespace="shop"))
    assert decision.reason == 'RBAC: allowed by RoleBinding "b/shop" of Role "r" to User "alice"'
    assert not rbac.decide(ask(namespace="other")).allowed
    assert not rbac.decide(ask()).allowed


def test_a_service_account_without_namespace_is_of_the_bindings_namespace():
    lister = FakeLister(role("reader", PODS), binding("b", "reader", account_subject("bot"), namespace="shop"))
    rbac = Rbac(lister)
    bot = User("system:serviceaccount:shop:bot")
    assert rbac.decide(ask(namespace="shop", user=bot)).reason.endswith('to ServiceAccount "bot/shop"')
    assert not rbac.decide(ask(namespace="shop", user=User("system:serviceaccount:other:bot"))).allowed


def test_changes_of_roles_and_bindings_count_at_once():
    lister = FakeLister()
    rbac = Rbac(lister)
    assert not rbac.decide(ask()).allowed
    bound = binding("b", "reader", user_subject("alice"))
    lister.put(bound)
    missing_role = rbac.decide(ask())
    assert missing_role.verdict is Verdict.NO_OPINION
    assert missing_role.reason == 'RBAC: clusterrole.rbac.authorization.k8s.io "reader" not found'
    lister.put(role("reader", PODS))
    assert rbac.decide(ask()).allowed
    lister.put(binding("b", "reader", user_subject("bob")))
    assert not rbac.decide(ask()).allowed
    lister.put(bound)
    lister.remove(bound)
    assert not rbac.decide(ask()).allowed


@pytest.mark.parametrize(
    ("resource", "subresource", "rule_resources", "allowed"),
    [
        ("pods", "", "pods", True),
        ("pods", "log", "pods", False),
        ("pods", "log", "pods/log", True),
        ("pods", "log", "*", True),
        ("deployments", "scale", "*/scale", True),
        ("deployments", "", "*/scale", False),
        ("deployments", "status", "*/scale", False),
    ],
)
def test_subresources_are_resources_of_their_own(resource, subresource, rule_resources, allowed):
    found = parse(rule("get", rule_resources))
    assert found.allows(ask(resource=resource, subresource=subresource)) is allowed


def test_names_limit_a_rule_and_nothing_without_a_name_matches():
    found = parse(rule("get list create", "configmaps", names="one"))
    assert found.allows(ask("get", "configmaps", name="one"))
    assert not found.allows(ask("get", "configmaps", name="two"))
    assert not found.allows(ask("create", "configmaps"))


@pytest.mark.parametrize(
    ("url", "path", "allowed"),
    [
        ("/healthz", "/healthz", True),
        ("/healthz", "/healthz/etcd", False),
        ("/api/*", "/api/v1", True),
        ("*", "/x", True),
    ],
)
def test_paths_match_exactly_or_by_what_stands_before_the_star(url, path, allowed):
    assert Rule(verbs=("get",), urls=(url,)).allows(ask(path=path, is_resource=False)) is allowed


def test_a_cluster_role_is_made_of_those_its_selectors_choose():
    label = {"example.com/part-of": "all"}
    made = role("all", aggregationRule={"clusterRoleSelectors": [{"matchLabels": label}]})
    lister = FakeLister(made, binding("b", "all", user_subject("alice")))
    rbac = Rbac(lister)
    assert not rbac.decide(ask()).allowed
    part = role("part", PODS, metadata={"labels": label})
    lister.put(part)
    assert rbac.decide(ask()).allowed
    lister.remove(part)
    assert not rbac.decide(ask()).allowed


@pytest.mark.parametrize(
    "broken",
    [
        {"kind": "ClusterRoleBinding", "subjects": [{}, {"kind": "User"}]},
        {"kind": "ClusterRoleBinding", "roleRef": None, "subjects": None},
        {
            "kind": "ClusterRole",
            "rules": [{}],
            "aggregationRule": {"clusterRoleSelectors": [{"matchExpressions": [{"key": "a", "operator": "x"}]}]},
        },
        {"kind": "ClusterRole", "rules": None, "aggregationRule": {}},
        {"kind": "Role", "rules": [{"verbs": None, "resources": None}]},
    ],
)
def test_what_should_not_have_been_stored_gives_nothing_and_breaks_nothing(broken):
    lister = FakeLister(role("reader", PODS), binding("b", "reader", user_subject("alice")))
    rbac = Rbac(lister)
    lister.put(
        {"apiVersion": "rbac.authorization.k8s.io/v1", "metadata": {"name": "x", "labels": {"a": "b"}}, **broken}
    )
    assert rbac.decide(ask()).allowed
    assert not rbac.decide(ask("delete")).allowed


def test_masters_need_no_rule():
    chain = Chain((PrivilegedGroup(), Rbac(FakeLister())))
    assert chain.decide(ask("delete", "nodes", user=User("root", groups=("system:masters",)))).allowed


@pytest.mark.parametrize(
    ("attributes", "message"),
    [
        (
            ask("list", "pods", "shop"),
            'pods is forbidden: User "alice" cannot list resource "pods" in API group "" in the namespace "shop"',
        ),
        (
            ask("get", "deployments", group="apps", name="web", subresource="scale"),
            'deployments.apps "web" is forbidden: User "alice" cannot get resource "deployments/scale" '
            'in API group "apps" at the cluster scope',
        ),
        (ask(path="/metrics", is_resource=False), 'forbidden: User "alice" cannot get path "/metrics"'),
    ],
)
def test_a_refusal_has_kubernetes_words(attributes, message):
    with pytest.raises(ApiError) as refused:
        check(Rbac(FakeLister()), attributes)
    assert (refused.value.code, refused.value.message) == (403, message)


def test_missing_permissions_are_listed_by_what_they_are_about():
    owned = [parse(rule("get", "pods")), parse(rule("*", "*", "apps"))]
    wanted = [parse(rule("get list delete", "pods")), parse(rule("get", "deployments/scale", "apps"))]
    assert describe(missing(owned, wanted)) == ['{APIGroups:[""], Resources:["pods"], Verbs:["list" "delete"]}']


def test_a_right_to_one_name_does_not_cover_all_names():
    owned = [parse(rule("get", "secrets", names="one"))]
    assert missing(owned, [parse(rule("get", "secrets"))])
    assert not missing(owned, [parse(rule("get", "secrets", names="one"))])


def test_two_users_of_one_name_but_other_groups_are_told_apart():
    group = {"kind": "Group", "apiGroup": "rbac.authorization.k8s.io", "name": "dev"}
    rbac = Rbac(FakeLister(role("reader", PODS), binding("b", "reader", group)))
    assert rbac.decide(ask()).allowed
    assert not rbac.decide(ask(user=User("alice"))).allowed
