from base64 import b64encode

import pytest
from admission_world import World, container, pod
from fake_lister import account_subject, binding, obj, role, rule, user_subject

from cybernetes.auth import pki
from cybernetes.auth.user import User
from cybernetes.base.random import SeededRandom

MOUNT = "/var/run/secrets/kubernetes.io/serviceaccount"


def config_map(namespace):
    return obj("ConfigMap", "c", namespace)


class TestNamespaceLifecycle:
    def test_nothing_is_made_where_there_is_no_namespace(self):
        world = World()
        assert world.refusal(config_map("nowhere")) == 'namespaces "nowhere" not found'
        assert world.error.code == 404

    def test_nothing_new_is_made_in_a_namespace_that_goes_but_what_is_there_may_change(self):
        world = World(obj("Namespace", "going", status={"phase": "Terminating"}))
        assert world.refusal(config_map("going")) == (
            'configmaps "c" is forbidden: unable to create new content in namespace going because it is being terminated'
        )
        assert world.error.details["causes"] == [
            {
                "reason": "NamespaceTerminating",
                "message": "namespace going is being terminated",
                "field": "metadata.namespace",
            }
        ]
        assert world.admit(config_map("going"), config_map("going"))
        assert world.admit(None, config_map("going")) == {}

    @pytest.mark.parametrize("name", ["default", "kube-system", "kube-public"])
    def test_some_namespaces_stay(self, name):
        refusal = World().refusal(None, obj("Namespace", name))
        assert refusal == f'namespaces "{name}" is forbidden: this namespace may not be deleted'


class TestServiceAccount:
    def test_a_pod_gets_the_default_account_and_its_token(self):
        spec = World().admit(pod(initContainers=[{"name": "i"}]))["spec"]
        assert spec["serviceAccountName"] == spec["serviceAccount"] == "default"
        (volume,) = spec["volumes"]
        assert volume["name"].startswith("kube-api-access-") and len(volume["name"]) == 21
        assert [next(iter(each)) for each in volume["projected"]["sources"]] == [
            "serviceAccountToken",
            "configMap",
            "downwardAPI",
        ]
        mount = {"name": volume["name"], "readOnly": True, "mountPath": MOUNT}
        assert spec["containers"][0]["volumeMounts"] == spec["initContainers"][0]["volumeMounts"] == [mount]

    def test_a_container_that_mounts_something_there_keeps_it(self):
        own = [{"name": "mine", "mountPath": MOUNT}]
        spec = World().admit(pod(containers=[container(volumeMounts=own)], volumes=[{"name": "mine"}]))["spec"]
        assert spec["containers"][0]["volumeMounts"] == own
        assert len(spec["volumes"]) == 1

    @pytest.mark.parametrize(
        ("of_pod", "of_account", "mounts"), [(None, False, False), (True, False, True), (False, True, False)]
    )
    def test_the_pods_wish_comes_before_the_accounts(self, of_pod, of_account, mounts):
        account = obj("ServiceAccount", "default", "shop", automountServiceAccountToken=of_account)
        spec = {} if of_pod is None else {"automountServiceAccountToken": of_pod}
        assert ("volumes" in World(account).admit(pod(**spec))["spec"]) is mounts

    def test_an_account_that_does_not_exist_is_refused(self):
        assert World().refusal(pod(serviceAccountName="nobody")) == (
            'pods "web" is forbidden: error looking up service account shop/nobody: serviceaccount "nobody" not found'
        )

    def test_pull_secrets_of_the_account_are_for_pods_without_their_own(self):
        world = World(obj("ServiceAccount", "default", "shop", imagePullSecrets=[{"name": "registry"}]))
        assert world.admit(pod())["spec"]["imagePullSecrets"] == [{"name": "registry"}]
        own = [{"name": "own"}]
        assert world.admit(pod(imagePullSecrets=own))["spec"]["imagePullSecrets"] == own

    @pytest.mark.parametrize(
        "spec",
        [
            {"volumes": [{"name": "v", "secret": {"secretName": "s"}}]},
            {"containers": [container(envFrom=[{"secretRef": {"name": "s"}}])]},
            {"initContainers": [container(env=[{"name": "E", "valueFrom": {"secretKeyRef": {"name": "s"}}}])]},
        ],
    )
    def test_an_account_may_limit_the_secrets_of_its_pods(self, spec):
        limited = {"annotations": {"kubernetes.io/enforce-mountable-secrets": "true"}}
        world = World(obj("ServiceAccount", "default", "shop", metadata=limited))
        assert 'references the secret "s" which is not referenced by service account "default"' in world.refusal(
            pod(**spec)
        )

    def test_the_limit_on_secrets_holds_for_ephemeral_containers(self):
        limited = {"annotations": {"kubernetes.io/enforce-mountable-secrets": "true"}}
        world = World(obj("ServiceAccount", "default", "shop", metadata=limited))
        old = pod(serviceAccountName="default")
        debugged = pod(
            serviceAccountName="default", ephemeralContainers=[container("d", envFrom=[{"secretRef": {"name": "s"}}])]
        )
        assert 'references the secret "s"' in world.refusal(debugged, old, subresource="ephemeralcontainers")


class TestPriority:
    CLASS = obj("PriorityClass", "high", api_version="scheduling.k8s.io/v1", value=1000, preemptionPolicy="Never")

    def test_a_pod_without_class_has_the_default_or_zero(self):
        assert World().admit(pod())["spec"]["priority"] == 0
        default = {**self.CLASS, "globalDefault": True}
        spec = World(default).admit(pod())["spec"]
        assert (spec["priorityClassName"], spec["priority"], spec["preemptionPolicy"]) == ("high", 1000, "Never")

    def test_an_unknown_class_or_another_number_is_refused(self):
        assert World().refusal(pod(priorityClassName="x")).endswith("no PriorityClass with name x was found")
        assert (
            World(self.CLASS)
            .refusal(pod(priorityClassName="high", priority=5))
            .endswith(
                "the integer value of priority (5) must not be provided in pod spec; "
                "priority admission controller computed 1000 from the given PriorityClass name"
            )
        )

    def test_an_update_without_priority_keeps_it(self):
        old = pod(priority=7, preemptionPolicy="Never")
        assert World().admit(pod(), old)["spec"]["priority"] == 7

    def test_there_is_one_default(self):
        world = World({**self.CLASS, "globalDefault": True})
        other = obj("PriorityClass", "low", api_version="scheduling.k8s.io/v1", value=1, globalDefault=True)
        assert world.refusal(other).endswith(
            "PriorityClass high is already marked as default. Only one default can exist"
        )


class TestTolerations:
    def test_a_pod_tolerates_for_five_minutes_what_it_says_nothing_about(self):
        own = {"key": "node.kubernetes.io/not-ready", "operator": "Exists", "effect": "NoExecute"}
        tolerations = World().admit(pod(tolerations=[own]))["spec"]["tolerations"]
        assert tolerations[0] == own
        assert [(each["key"], each["tolerationSeconds"]) for each in tolerations[1:]] == [
            ("node.kubernetes.io/unreachable", 300)
        ]

    def test_who_tolerates_everything_gets_nothing(self):
        own = [{"operator": "Exists"}]
        assert World().admit(pod(tolerations=own))["spec"]["tolerations"] == own


class TestStorage:
    def claim(self, size="1Gi", **spec):
        resources = {"requests": {"storage": size}}
        return obj("PersistentVolumeClaim", "data", "shop", spec={"resources": resources, **spec})

    def storage_class(self, name, created, default="true", **rest):
        marked = {"annotations": {"storageclass.kubernetes.io/is-default-class": default}, "creationTimestamp": created}
        return obj("StorageClass", name, api_version="storage.k8s.io/v1", metadata=marked, **rest)

    def test_the_newest_default_class_is_taken(self):
        old, new = self.storage_class("a", "2026-01-01T00:00:00Z"), self.storage_class("b", "2026-02-01T00:00:00Z")
        unmarked = self.storage_class("c", "2026-03-01T00:00:00Z", "false")
        world = World(old, new, unmarked)
        assert world.admit(self.claim())["spec"]["storageClassName"] == "b"
        assert world.admit(self.claim(storageClassName=""))["spec"]["storageClassName"] == ""

    def test_what_is_in_use_is_protected(self):
        assert World().admit(self.claim())["metadata"]["finalizers"] == ["kubernetes.io/pvc-protection"]

    def test_a_claim_grows_only_where_its_class_lets_it(self):
        fixed = self.storage_class("fixed", "2026-01-01T00:00:00Z", "false")
        elastic = self.storage_class("elastic", "2026-01-01T00:00:00Z", "false", allowVolumeExpansion=True)
        world = World(fixed, elastic)
        assert world.admit(self.claim("2Gi", storageClassName="elastic"), self.claim(storageClassName="elastic"))
        assert "only dynamically provisioned pvc can be resized" in world.refusal(
            self.claim("2Gi", storageClassName="fixed"), self.claim(storageClassName="fixed")
        )
        assert world.admit(self.claim("1024Mi", storageClassName="fixed"), self.claim(storageClassName="fixed"))


class TestRuntimeClass:
    CLASS = obj(
        "RuntimeClass",
        "vm",
        api_version="node.k8s.io/v1",
        handler="vm",
        overhead={"podFixed": {"memory": "64Mi"}},
        scheduling={"nodeSelector": {"vm": "yes"}, "tolerations": [{"key": "vm", "operator": "Exists"}]},
    )

    def test_a_pod_takes_over_overhead_and_scheduling(self):
        spec = World(self.CLASS).admit(pod(runtimeClassName="vm"))["spec"]
        assert spec["overhead"] == {"memory": "64Mi"}
        assert spec["nodeSelector"] == {"vm": "yes"}
        assert {"key": "vm", "operator": "Exists"} in spec["tolerations"]

    @pytest.mark.parametrize(
        ("spec", "why"),
        [
            ({"runtimeClassName": "x"}, 'pod rejected: RuntimeClass "x" not found'),
            ({"runtimeClassName": "vm", "overhead": {"memory": "1Mi"}}, "Pod's Overhead doesn't match"),
            ({"overhead": {"memory": "1Mi"}}, "Pod Overhead set without corresponding RuntimeClass"),
            ({"runtimeClassName": "vm", "nodeSelector": {"vm": "no"}}, "conflict: runtimeClass.scheduling"),
        ],
    )
    def test_contradictions_are_refused(self, spec, why):
        assert why in World(self.CLASS).refusal(pod(**spec))


class TestSmall:
    def test_a_new_node_is_tainted_once(self):
        taint = {"key": "node.kubernetes.io/not-ready", "effect": "NoSchedule"}
        assert World().admit(obj("Node", "n1"))["spec"]["taints"] == [taint]
        assert World().admit(obj("Node", "n1", spec={"taints": [taint]}))["spec"]["taints"] == [taint]

    def test_a_binding_carries_the_nodes_topology(self):
        labels = {"topology.kubernetes.io/zone": "z1", "other": "x"}
        world = World(obj("Node", "n1", metadata={"labels": labels}))
        bound = obj("Binding", "web", "shop", target={"kind": "Node", "name": "n1"})
        after = world.admit(bound, plural="pods", subresource="binding")
        assert after["metadata"]["labels"] == {"topology.kubernetes.io/zone": "z1"}

    def test_external_addresses_may_only_become_fewer(self):
        service = lambda *addresses: obj("Service", "s", "shop", spec={"externalIPs": list(addresses)})  # noqa: E731
        world = World()
        assert world.refusal(service("10.0.0.1")).endswith("Use of external IPs is denied by admission control")
        assert world.admit(service("10.0.0.1"), service("10.0.0.1", "10.0.0.2"))
        assert "denied" in world.refusal(service("10.0.0.1", "10.0.0.3"), service("10.0.0.1"))

    def test_an_ingress_gets_the_default_class(self):
        marked = {"annotations": {"ingressclass.kubernetes.io/is-default-class": "true"}}
        default = obj("IngressClass", "edge", api_version="networking.k8s.io/v1", metadata=marked)
        ingress = obj("Ingress", "web", "shop", "networking.k8s.io/v1", spec={})
        assert World(default).admit(ingress)["spec"]["ingressClassName"] == "edge"
        ingress["metadata"]["annotations"] = {"kubernetes.io/ingress.class": "old"}
        assert "ingressClassName" not in World(default).admit(ingress)["spec"]


SIGNER = "kubernetes.io/kube-apiserver-client"


class TestCertificates:
    def request(self, *groups, signer=SIGNER, status=None):
        asked = pki.request(pki.new_key(SeededRandom(1)), "bob", groups)
        spec = {"request": b64encode(asked).decode(), "signerName": signer}
        return obj(
            "CertificateSigningRequest", "r", api_version="certificates.k8s.io/v1", spec=spec, status=status or {}
        )

    @pytest.mark.parametrize(
        ("verb", "subresource", "status"),
        [
            ("approve", "approval", {"conditions": [{"type": "Approved"}]}),
            ("sign", "status", {"certificate": "x"}),
        ],
    )
    @pytest.mark.parametrize("signer", [SIGNER, "kubernetes.io/*"])
    def test_approving_and_signing_need_the_verb_on_the_signer(self, verb, subresource, status, signer):
        new = self.request(status=status)
        refusal = World().refusal(new, self.request(), subresource=subresource)
        assert refusal.endswith(f'user not permitted to {verb} requests with signerName "{SIGNER}"')
        trusted = role("r", rule(verb, "signers", "certificates.k8s.io", signer))
        assert World(trusted, binding("b", "r", user_subject("alice"))).admit(
            new, self.request(), subresource=subresource
        )

    def test_nobody_becomes_a_master_by_a_certificate(self):
        assert (
            World()
            .refusal(self.request("system:masters"))
            .endswith(f"use of {SIGNER} signer with system:masters group is not allowed")
        )
        assert World().admit(self.request("dev"))

    def test_a_trust_bundle_of_a_signer_needs_attest(self):
        bundle = obj("ClusterTrustBundle", "b", api_version="certificates.k8s.io/v1", spec={"signerName": "x.io/s"})
        assert World().refusal(bundle).endswith('user not permitted to attest for signerName "x.io/s"')


class TestEscalation:
    HAS = (role("mine", rule("get list", "pods")), binding("b", "mine", user_subject("alice")))

    def test_a_role_may_hold_what_its_writer_may_do_and_no_more(self):
        world = World(*self.HAS)
        assert world.admit(role("new", rule("get", "pods"), namespace="shop"))
        assert world.refusal(role("new", rule("get delete", "pods secrets"), namespace="shop")) == (
            'roles.rbac.authorization.k8s.io "new" is forbidden: user "alice" (groups=["dev" "system:authenticated"]) '
            "is attempting to grant RBAC permissions not currently held:\n"
            '{APIGroups:[""], Resources:["pods"], Verbs:["delete"]}\n'
            '{APIGroups:[""], Resources:["secrets"], Verbs:["get" "delete"]}'
        )

    def test_escalate_and_bind_are_trusted(self):
        trust = rule("escalate", "clusterroles", "rbac.authorization.k8s.io")
        bind = rule("bind", "clusterroles", "rbac.authorization.k8s.io", "big")
        big = role("big", rule("*", "*", "*"))
        world = World(role("t", trust, bind), binding("b", "t", user_subject("alice")), big)
        assert world.admit(role("any", rule("*", "*", "*")))
        assert world.admit(binding("x", "big", user_subject("bob")))

    def test_a_binding_to_more_than_the_writer_has_is_refused(self):
        world = World(*self.HAS, role("big", rule("*", "*", "*")))
        assert "attempting to grant RBAC permissions" in world.refusal(
            binding("x", "big", account_subject("a", "shop"))
        )
        assert world.admit(binding("x", "mine", account_subject("a", "shop")))
        assert world.refusal(binding("x", "gone", user_subject("bob"))) == (
            'clusterrole.rbac.authorization.k8s.io "gone" not found'
        )

    def test_only_what_grants_is_looked_at(self):
        world = World(*self.HAS)
        old = role("big", rule("*", "*", "*"))
        labelled = {**old, "metadata": {**old["metadata"], "labels": {"a": "b"}}}
        assert world.admit(labelled, old)
        assert "attempting to grant" in world.refusal(role("big", rule("*", "*", "*"), rule("get", "x")), old)

    def test_a_role_made_of_others_needs_everything(self):
        made = role("all", aggregationRule={"clusterRoleSelectors": [{}]})
        assert World(*self.HAS).refusal(made).endswith("must have cluster-admin privileges to use the aggregationRule")
        assert World().admit(made, user=User("root", groups=("system:masters",)))
