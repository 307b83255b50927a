import asyncio
from base64 import b64encode

import pytest
from admission_world import World, pod
from fake_lister import ALICE, node_user, obj

from cybernetes.auth import pki
from cybernetes.base.errors import ApiError
from cybernetes.base.random import SeededRandom

NODE = obj("Node", "n1", spec={})
N1 = node_user("n1")


def mirror(**spec):
    made = pod("static-n1", annotations={"kubernetes.io/config.mirror": "x"}, nodeName="n1", **spec)
    owner = {"apiVersion": "v1", "kind": "Node", "name": "n1", "uid": "uid-n1", "controller": True}
    made["metadata"]["ownerReferences"] = [owner]
    return made


def refused(new, old=None, *, world=None, **rest):
    return (world or World(NODE)).refusal(new, old, user=N1, **rest)


def test_a_node_makes_mirror_pods_of_its_own():
    assert World(NODE).admit(mirror(), user=N1)
    assert World(NODE).admit(pod(), user=ALICE)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda p: p["metadata"].pop("annotations"), "can only create mirror pods"),
        (lambda p: p["spec"].update(nodeName="n2"), "spec.nodeName set to itself"),
        (lambda p: p["metadata"].pop("ownerReferences"), "an owner reference set to itself"),
        (lambda p: p["metadata"]["ownerReferences"].append({}), "a single owner reference"),
        (lambda p: p["metadata"]["ownerReferences"][0].update(name="n2"), "an owner reference set to itself"),
        (lambda p: p["metadata"]["ownerReferences"][0].update(uid="x"), "UID mismatch"),
        (lambda p: p["metadata"]["ownerReferences"][0].update(controller=False), "controller owner reference"),
        (lambda p: p["metadata"]["ownerReferences"][0].update(blockOwnerDeletion=True), "blockOwnerDeletion"),
        (lambda p: p["spec"].update(serviceAccountName="a"), "service account"),
        (lambda p: p["spec"].update(volumes=[{"name": "v", "secret": {"secretName": "s"}}]), "secrets"),
        (lambda p: p["spec"].update(volumes=[{"name": "v", "configMap": {"name": "s"}}]), "configmaps"),
        (
            lambda p: p["spec"].update(volumes=[{"name": "v", "persistentVolumeClaim": {"claimName": "s"}}]),
            "persistentvolumeclaims",
        ),
        (lambda p: p["spec"].update(resourceClaims=[{"name": "r", "resourceClaimName": "c"}]), "resourceclaims"),
        (
            lambda p: p["spec"].update(
                volumes=[{"name": "v", "projected": {"sources": [{"serviceAccountToken": {}}]}}]
            ),
            "service account",
        ),
    ],
)
def test_a_mirror_pod_that_would_open_something_is_refused(change, why):
    made = mirror()
    change(made)
    assert why in refused(made)


@pytest.mark.parametrize("subresource", ["", "status", "eviction", "binding", "ephemeralcontainers", "resize"])
@pytest.mark.parametrize("operation", ["CREATE", "UPDATE", "DELETE"])
def test_a_pod_of_another_node_is_out_of_reach_by_every_verb_and_subresource(operation, subresource):
    theirs = pod("theirs", nodeName="n2", serviceAccountName="default", serviceAccount="default")
    world = World(NODE, theirs)
    new = None if operation == "DELETE" else theirs
    old = None if operation == "CREATE" else theirs
    if subresource == "eviction":
        new, old = obj("Eviction", "theirs", "shop", "policy/v1"), None
    attributes = world.attributes(new, old, operation=operation, subresource=subresource, user=N1, plural="pods")
    attributes.group = ""
    with pytest.raises(ApiError) as refusal:
        asyncio.run(world.pass_through(attributes))
    assert refusal.value.code == 403


def test_a_node_reports_the_status_of_its_pods_but_not_their_labels_or_claims():
    old = pod("mine", nodeName="n1")
    running = {**old, "status": {"phase": "Running"}}
    assert World(NODE).admit(running, old, user=N1, subresource="status")
    labelled = {**running, "metadata": {**old["metadata"], "labels": {"a": "b"}}}
    assert "cannot update labels" in refused(labelled, old, subresource="status")
    claimed = {**old, "status": {"resourceClaimStatuses": [{"name": "r", "resourceClaimName": "c"}]}}
    assert "cannot update resource claim statuses" in refused(claimed, old, subresource="status")


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"metadata": {"labels": {"node-restriction.kubernetes.io/tier": "x"}}}, "modify labels: node-restriction"),
        ({"metadata": {"labels": {"node-role.kubernetes.io/control-plane": ""}}}, "modify labels: node-role"),
        ({"metadata": {"labels": {"a.node-restriction.kubernetes.io/tier": "x"}}}, "modify labels: a.node-restriction"),
        ({"metadata": {"ownerReferences": [{"name": "x"}]}}, "modify ownerReferences"),
        ({"spec": {"taints": [{"key": "a"}]}}, "modify taints"),
    ],
)
def test_a_node_can_not_draw_work_to_itself(change, why):
    metadata = {**NODE["metadata"], **change.get("metadata", {})}
    assert why in refused({**NODE, **change, "metadata": metadata}, NODE)


def test_a_new_node_names_only_labels_of_its_own_and_no_owner():
    own = {"kubernetes.io/hostname": "n1", "node.kubernetes.io/instance-type": "m", "example.com/a": "b"}
    assert World().admit(obj("Node", "n1", metadata={"labels": own}), user=N1)
    assert "set the following labels: foo.kubernetes.io/x" in refused(
        obj("Node", "n1", metadata={"labels": {"foo.kubernetes.io/x": "y"}}), world=World()
    )
    assert "ownerReferences" in refused(obj("Node", "n1", metadata={"ownerReferences": [{"name": "x"}]}), world=World())
    assert 'is not allowed to modify node "n2"' in refused(obj("Node", "n2"), world=World())


def token_request(bound=None, audiences=None):
    spec = {"boundObjectRef": bound, "audiences": audiences}
    return obj("TokenRequest", "default", "shop", "v1", spec={k: v for k, v in spec.items() if v})


@pytest.mark.parametrize(
    ("bound", "audiences", "why"),
    [
        (None, None, "not bound to a pod"),
        ({"kind": "Secret", "apiVersion": "v1", "name": "s"}, None, "not bound to a pod"),
        ({"kind": "Pod", "apiVersion": "v1", "name": "mine"}, None, "without a uid"),
        ({"kind": "Pod", "apiVersion": "v1", "name": "theirs", "uid": "uid-theirs"}, None, "on a different node"),
        ({"kind": "Pod", "apiVersion": "v1", "name": "mine", "uid": "old"}, None, "does not match the UID"),
        ({"kind": "Pod", "apiVersion": "v1", "name": "mine", "uid": "uid-mine"}, ["bank"], 'audience "bank" not found'),
    ],
)
def test_a_node_gets_tokens_only_for_its_pods_and_their_audiences(bound, audiences, why):
    token = {"name": "t", "projected": {"sources": [{"serviceAccountToken": {"path": "t"}}]}}
    vault = {"name": "v", "projected": {"sources": [{"serviceAccountToken": {"path": "t", "audience": "vault"}}]}}
    world = World(NODE, pod("mine", nodeName="n1", volumes=[token, vault]), pod("theirs", nodeName="n2"))
    how = {"plural": "serviceaccounts", "subresource": "token"}
    assert why in refused(token_request(bound, audiences), world=world, **how)
    good = {"kind": "Pod", "apiVersion": "v1", "name": "mine", "uid": "uid-mine"}
    assert world.admit(token_request(good), user=N1, **how)
    assert world.admit(token_request(good, ["vault"]), user=N1, **how)


def test_leases_and_csi_nodes_are_own():
    lease = obj("Lease", "n2", "kube-node-lease", "coordination.k8s.io/v1")
    world = World(obj("Namespace", "kube-node-lease", status={"phase": "Active"}))
    assert "same name as the requesting node" in refused(lease, world=world)
    lease["metadata"]["name"] = "n1"
    assert world.admit(lease, user=N1)
    assert "same name" in refused(obj("CSINode", "n2", api_version="storage.k8s.io/v1"))


def test_a_node_asks_for_certificates_in_its_own_name():
    def request(name):
        asked = pki.request(pki.new_key(SeededRandom(1)), name, ["system:nodes"])
        spec = {"request": b64encode(asked).decode(), "signerName": "kubernetes.io/kubelet-serving"}
        return obj("CertificateSigningRequest", "r", api_version="certificates.k8s.io/v1", spec=spec)

    assert World().admit(request("system:node:n1"), user=N1)
    assert "can only create a node CSR with CN=system:node:n1" in refused(request("system:node:n2"))


def test_a_claim_may_only_be_told_its_size():
    claim = obj("PersistentVolumeClaim", "d", "shop", spec={"resources": {"requests": {"storage": "1Gi"}}})
    grown = {**claim, "status": {"capacity": {"storage": "1Gi"}}}
    assert World(NODE).admit(grown, claim, user=N1, subresource="status")
    assert "may only update PVC status" in refused(claim, claim)
    bound = {**claim, "spec": {**claim["spec"], "volumeName": "x"}}
    assert "not allowed to update" in refused(bound, claim, subresource="status")
