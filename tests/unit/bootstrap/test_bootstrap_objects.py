import pytest

from cybernetes.apiserver.bootstrap import objects, policy, reconcile
from cybernetes.apiserver.bootstrap.dangling import dangling
from cybernetes.model import fairness

ROLE = next(policy.parse({"cluster_roles": {"r": {"rules": ["core pods: RO", "apps|batch jobs/status {a b}: get"]}}}))
BINDING = next(policy.parse({"cluster_role_bindings": {"b": {"role": "r", "subjects": ["User u"]}}}))


def test_rules_are_read_from_their_short_form():
    assert ROLE["rules"] == [
        {"verbs": ["get", "list", "watch"], "apiGroups": [""], "resources": ["pods"]},
        {"verbs": ["get"], "apiGroups": ["apps", "batch"], "resources": ["jobs/status"], "resourceNames": ["a", "b"]},
    ]
    assert policy.parse_rule("url /healthz /livez: get") == {
        "verbs": ["get"],
        "nonResourceURLs": ["/healthz", "/livez"],
    }


def test_every_controllers_role_is_bound_to_its_account():
    made = list(policy.parse({"controllers": {"x": ["core pods: get"]}}))
    role, binding = made
    assert role["metadata"]["name"] == binding["roleRef"]["name"] == "system:controller:x"
    assert binding["subjects"] == [{"kind": "ServiceAccount", "name": "x", "namespace": "kube-system"}]


def test_every_binding_is_to_a_role_of_the_policy_and_names_are_unique():
    made = [*policy.load(), *policy.load("own.yaml")]
    places = [(each["kind"], each["metadata"].get("namespace", ""), each["metadata"]["name"]) for each in made]
    assert len(set(places)) == len(places)
    for each in made:
        if "roleRef" in each:
            kind = each["roleRef"]["kind"]
            namespace = each["metadata"].get("namespace", "") if kind == "Role" else ""
            assert (kind, namespace, each["roleRef"]["name"]) in places


def test_a_role_gets_back_what_it_lacks_and_keeps_what_was_added():
    found = {**ROLE, "rules": [{"verbs": ["*"], "apiGroups": ["x"], "resources": ["*"]}, ROLE["rules"][1]]}
    new = reconcile.role(found, ROLE)
    assert new["rules"] == [*found["rules"], ROLE["rules"][0]]
    assert reconcile.role(new, ROLE) is None


def test_a_role_that_gives_more_lacks_nothing():
    assert reconcile.role({**ROLE, "rules": [{"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}]}, ROLE) is None


def test_what_an_administrator_keeps_from_updates_is_left_alone():
    kept = {"name": "r", "annotations": {policy.AUTOUPDATE: "false"}}
    assert reconcile.role({**ROLE, "metadata": kept, "rules": []}, ROLE) is None
    assert reconcile.binding({**BINDING, "metadata": kept, "subjects": []}, BINDING) is None
    assert not reconcile.must_replace({**BINDING, "metadata": kept, "roleRef": {}}, BINDING)


def test_a_binding_gets_back_its_subjects_and_to_another_role_it_is_made_anew():
    other = {"kind": "User", "name": "other"}
    new = reconcile.binding({**BINDING, "subjects": [other]}, BINDING)
    assert new["subjects"] == [other, *BINDING["subjects"]]
    assert reconcile.must_replace({**BINDING, "roleRef": {**BINDING["roleRef"], "name": "x"}}, BINDING)


def test_flow_control_is_the_administrators_once_he_says_so_but_not_what_is_mandatory():
    def marked(wanted):
        metadata = {**wanted["metadata"], "annotations": {fairness.AUTOUPDATE: "false"}}
        return {**wanted, "metadata": metadata, "spec": {"type": "Limited"}}

    by_name = {each["metadata"]["name"]: each for each in fairness.levels()}
    assert reconcile.fairness_object(marked(by_name["system"]), by_name["system"]) is None
    repaired = reconcile.fairness_object(marked(by_name["exempt"]), by_name["exempt"])
    assert repaired["spec"] == by_name["exempt"]["spec"]
    defaulted = {**by_name["system"], "spec": {**by_name["system"]["spec"], "more": 1}}
    assert reconcile.fairness_object(defaulted, by_name["system"]) is None


def test_a_flow_schema_dangles_without_its_level():
    schema = fairness.schemas()[0]
    condition = dangling(schema, {"exempt"}, "2026-01-01T00:00:00Z")
    assert (condition["status"], condition["reason"]) == ("False", "Found")
    schema["status"] = {"conditions": [condition]}
    assert dangling(schema, {"exempt"}, "2026-01-02T00:00:00Z") is None
    gone = dangling(schema, set(), "2026-01-02T00:00:00Z")
    assert (gone["status"], gone["lastTransitionTime"]) == ("True", "2026-01-02T00:00:00Z")


def test_every_schema_has_its_level():
    levels = {each["metadata"]["name"] for each in fairness.levels()}
    assert {each["spec"]["priorityLevelConfiguration"]["name"] for each in fairness.schemas()} <= levels


def test_the_service_kubernetes_has_the_first_address_and_all_servers():
    assert objects.kubernetes_service("10.96.0.0/12", 6443)["spec"]["clusterIP"] == "10.96.0.1"
    addresses = objects.kubernetes_slice(["10.0.0.1", "10.0.0.2"], 6443)["endpoints"]
    assert [each["addresses"] for each in addresses] == [["10.0.0.1"], ["10.0.0.2"]]
    assert objects.kubernetes_slice(["fd00::1"], 6443)["addressType"] == "IPv6"


@pytest.mark.parametrize(
    ("address", "good"),
    [("10.0.0.1", True), ("fd00::1", True), ("127.0.0.1", False), ("::1", False), ("", False), ("localhost", False)],
)
def test_only_what_pods_can_reach_is_an_endpoint(address, good):
    assert objects.is_endpoint(address) is good


def test_fields_of_ours_are_put_back():
    wanted = objects.kubernetes_endpoints(["10.0.0.1"], 6443)
    found = {**wanted, "subsets": [], "metadata": {**wanted["metadata"], "resourceVersion": "5", "labels": {"a": "b"}}}
    new = reconcile.fields(found, wanted)
    assert new["subsets"] == wanted["subsets"]
    assert new["metadata"]["labels"] == {"a": "b", "endpointslice.kubernetes.io/skip-mirror": "true"}
    assert reconcile.fields(new, wanted) is None
