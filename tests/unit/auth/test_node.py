import pytest
from fake_lister import ALICE, FakeLister, node_user, obj

from cybernetes.apiserver.bootstrap import policy
from cybernetes.auth.authz import Attributes
from cybernetes.auth.node import NodeAuthorizer, NodeGraph
from cybernetes.auth.rules import parse_all

RULES = next(parse_all(each) for each in policy.load() if each["metadata"]["name"] == "system:node")


def pod(name, node="", **spec):
    return obj("Pod", name, "shop", spec={"nodeName": node, "serviceAccountName": "bot", "containers": [], **spec})


def decide(lister, verb, resource, name="", namespace="shop", user=None, **rest):
    authorizer = NodeAuthorizer(NodeGraph(lister), RULES)
    asked = Attributes(user or node_user("n1"), verb, resource=resource, name=name, namespace=namespace, **rest)
    return authorizer.decide(asked)


SECRET = {"volumes": [{"name": "v", "secret": {"secretName": "s"}}]}


def test_a_node_reads_the_secrets_of_its_pods_only():
    lister = FakeLister(pod("mine", "n1", **SECRET), pod("theirs", "n2", **SECRET))
    assert decide(lister, "get", "secrets", "s").allowed
    assert decide(lister, "watch", "secrets", "s").allowed
    assert decide(lister, "get", "secrets", "s", user=node_user("n3")).reason == (
        "no relationship found between node 'n3' and this object"
    )
    assert decide(lister, "get", "secrets", "other").reason.startswith("no relationship")
    assert decide(lister, "list", "secrets").reason == "No Object name found"
    assert decide(lister, "update", "secrets", "s").reason == "can only read resources of this type"
    assert not decide(lister, "get", "secrets", "s", namespace="other").allowed


def test_the_right_ends_with_the_last_pod_that_needs_it():
    first, second = pod("a", "n1", **SECRET), pod("b", "n1", **SECRET)
    lister = FakeLister(first, second)
    graph = NodeGraph(lister)
    lister.remove(first)
    assert graph.uses("n1", "secrets", "shop", "s")
    lister.remove(second)
    assert not graph.uses("n1", "secrets", "shop", "s")


def test_a_pod_that_is_not_bound_or_mirrors_a_file_gives_nothing():
    mirror = pod("m", "n1", **SECRET)
    mirror["metadata"]["annotations"] = {"kubernetes.io/config.mirror": "x"}
    graph = NodeGraph(FakeLister(pod("unbound", "", **SECRET), mirror))
    assert not graph.uses("n1", "secrets", "shop", "s")
    assert not graph.uses("", "secrets", "shop", "s")


@pytest.mark.parametrize(
    "spec",
    [
        {"imagePullSecrets": [{"name": "s"}]},
        {"initContainers": [{"name": "c", "envFrom": [{"secretRef": {"name": "s"}}]}]},
        {"ephemeralContainers": [{"name": "c", "env": [{"valueFrom": {"secretKeyRef": {"name": "s"}}}]}]},
        {"volumes": [{"name": "v", "projected": {"sources": [{"secret": {"name": "s"}}]}}]},
        {"volumes": [{"name": "v", "csi": {"driver": "d", "nodePublishSecretRef": {"name": "s"}}}]},
    ],
)
def test_all_ways_in_which_a_pod_names_a_secret_count(spec):
    assert decide(FakeLister(pod("p", "n1", **spec)), "get", "secrets", "s").allowed


def test_claims_lead_to_volumes_and_their_secrets():
    claim = {"volumes": [{"name": "v", "persistentVolumeClaim": {"claimName": "data"}}]}
    csi = {"driver": "d", "nodeStageSecretRef": {"name": "key", "namespace": "storage"}}
    volume = obj("PersistentVolume", "pv1", spec={"claimRef": {"namespace": "shop", "name": "data"}, "csi": csi})
    lister = FakeLister(pod("p", "n1", **claim), volume)
    assert decide(lister, "get", "persistentvolumeclaims", "data").allowed
    assert decide(lister, "update", "persistentvolumeclaims", "data", subresource="status").allowed
    assert not decide(lister, "update", "persistentvolumeclaims", "data").allowed
    assert decide(lister, "get", "persistentvolumes", "pv1", namespace="").allowed
    assert decide(lister, "get", "secrets", "key", namespace="storage").allowed
    assert not decide(lister, "get", "secrets", "key", namespace="storage", user=node_user("n2")).allowed


def test_resource_claims_are_read_where_a_pod_names_them_or_has_them_reserved():
    claim = obj("ResourceClaim", "made", "shop", "resource.k8s.io/v1")
    claim["status"] = {"reservedFor": [{"resource": "pods", "name": "mine", "uid": "u"}]}
    other = obj("ResourceClaim", "other", "shop", "resource.k8s.io/v1")
    named = {"resourceClaims": [{"name": "gpu", "resourceClaimName": "named"}]}
    lister = FakeLister(pod("mine", "n1", **named), claim, other)
    group = {"group": "resource.k8s.io"}
    assert decide(lister, "get", "resourceclaims", "named", **group).allowed
    assert decide(lister, "get", "resourceclaims", "made", **group).allowed
    assert not decide(lister, "get", "resourceclaims", "made", user=node_user("n2"), **group).allowed
    assert not decide(lister, "get", "resourceclaims", "other", **group).allowed


def test_pods_are_listed_by_their_node_and_read_one_by_one():
    lister = FakeLister(pod("mine", "n1"), pod("theirs", "n2"))
    own = (("spec.nodeName", "n1"),)
    assert decide(lister, "list", "pods", namespace="", field_selector=own).allowed
    assert not decide(lister, "list", "pods", namespace="", field_selector=(("spec.nodeName", "n2"),)).allowed
    assert decide(lister, "get", "pods", "mine").allowed
    assert not decide(lister, "get", "pods", "theirs").allowed


def test_a_node_reads_itself_and_no_other():
    assert decide(FakeLister(), "get", "nodes", "n1", namespace="").allowed
    assert decide(FakeLister(), "get", "nodes", "n2", namespace="").reason == (
        "node 'n1' cannot read 'n2', only its own Node object"
    )
    assert not decide(FakeLister(), "list", "nodes", namespace="").allowed


def test_tokens_are_for_service_accounts_of_own_pods():
    lister = FakeLister(pod("mine", "n1"), pod("theirs", "n2", serviceAccountName="other"))
    assert decide(lister, "create", "serviceaccounts", "bot", subresource="token").allowed
    assert not decide(lister, "create", "serviceaccounts", "other", subresource="token").allowed
    assert not decide(lister, "list", "serviceaccounts").allowed


def test_leases_are_own_and_in_their_namespace():
    lease = {"group": "coordination.k8s.io"}
    assert decide(FakeLister(), "update", "leases", "n1", namespace="kube-node-lease", **lease).allowed
    assert not decide(FakeLister(), "update", "leases", "n2", namespace="kube-node-lease", **lease).allowed
    assert decide(FakeLister(), "get", "leases", "n1", namespace="shop", **lease).reason == (
        'can only access leases in the "kube-node-lease" system namespace'
    )


def test_who_is_no_node_is_not_judged_here():
    assert not decide(FakeLister(), "get", "nodes", "n1", user=ALICE).allowed
    assert decide(FakeLister(), "get", "nodes", "n1", user=ALICE).reason == ""
