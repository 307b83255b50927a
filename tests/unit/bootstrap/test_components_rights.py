"""What our components do with the API is allowed to their identities by the bootstrap policy, and not much more."""

from __future__ import annotations

from typing import Any

import pytest

from cybernetes.apiserver.bootstrap import policy
from cybernetes.auth.authz import Attributes
from cybernetes.auth.rbac import Rbac
from cybernetes.auth.user import User

SCHEDULER = User("system:kube-scheduler", groups=("system:authenticated",))
PROXY = User("system:kube-proxy", groups=("system:authenticated",))
DNS = User("system:cybernetes:dns", groups=("system:authenticated",))
MANAGER = User("system:kube-controller-manager", groups=("system:authenticated",))
NODE = User("system:node:n1", groups=("system:nodes", "system:authenticated"))
JOINING = User("system:bootstrap:abcdef", groups=("system:bootstrappers", "system:bootstrappers:cybernetes:nodes"))
STRANGER = User("system:bootstrap:abcdef", groups=("system:bootstrappers",))
CSR = "certificatesigningrequests"
PUBLISHER = "kube-apiserver-serving-clustertrustbundle-publisher"
DISCOVERY, STORAGE, LEASES = "discovery.k8s.io", "storage.k8s.io", "coordination.k8s.io"


class OnlyPolicy:
    """A Lister that knows the bootstrap policy and nothing else."""

    def __init__(self) -> None:
        self._objects = [*policy.load(), *policy.load("own.yaml")]

    def get(self, group: str, plural: str, namespace: str, name: str) -> None:
        return None

    def list(self, group: str, plural: str, namespace: str | None = None) -> list[Any]:
        return []

    def subscribe(self, group: str, plural: str, callback: Any) -> None:
        for each in self._objects:
            if f"{each['kind'].lower()}s" == plural:
                callback(None, each)


RBAC = Rbac(OnlyPolicy())


def controller(name: str) -> User:
    groups = ("system:serviceaccounts", "system:serviceaccounts:kube-system", "system:authenticated")
    return User(f"system:serviceaccount:kube-system:{name}", groups=groups)


@pytest.mark.parametrize(
    ("user", "verb", "group", "resource", "namespace", "name"),
    [
        (NODE, "create", "certificates.k8s.io", f"{CSR}/selfnodeclient", "", ""),
        (JOINING, "create", "certificates.k8s.io", CSR, "", ""),
        (JOINING, "create", "certificates.k8s.io", f"{CSR}/nodeclient", "", ""),
        (SCHEDULER, "watch", "", "pods", "", ""),
        (SCHEDULER, "create", "", "pods/binding", "shop", "web"),
        (SCHEDULER, "patch", "", "pods/status", "shop", "web"),
        (SCHEDULER, "delete", "", "pods", "shop", "web"),
        (SCHEDULER, "patch", "", "persistentvolumes", "", "v"),
        (SCHEDULER, "patch", "", "persistentvolumeclaims", "shop", "c"),
        (SCHEDULER, "watch", STORAGE, "csinodes", "", ""),
        (SCHEDULER, "create", LEASES, "leases", "kube-system", ""),
        (SCHEDULER, "update", LEASES, "leases", "kube-system", "kube-scheduler"),
        (SCHEDULER, "create", "events.k8s.io", "events", "shop", ""),
        (PROXY, "watch", "", "services", "", ""),
        (PROXY, "watch", DISCOVERY, "endpointslices", "", ""),
        (PROXY, "watch", "", "nodes", "", ""),
        (DNS, "watch", "", "services", "", ""),
        (DNS, "watch", DISCOVERY, "endpointslices", "", ""),
        (DNS, "get", "", "nodes", "", "n1"),
        (DNS, "create", "", "services", "kube-system", ""),
        (DNS, "patch", "", "services", "kube-system", "kube-dns"),
        (DNS, "patch", DISCOVERY, "endpointslices", "kube-system", "kube-dns-n1"),
        (MANAGER, "watch", "apps", "deployments", "", ""),
        (MANAGER, "create", "", "serviceaccounts/token", "kube-system", "deployment-controller"),
        (MANAGER, "create", "", "serviceaccounts", "kube-system", ""),
        (MANAGER, "update", "", "secrets", "shop", "token"),
        (MANAGER, "update", LEASES, "leases", "kube-system", "kube-controller-manager"),
        (controller("replicaset-controller"), "create", "", "pods", "shop", ""),
        (controller("endpointslice-controller"), "create", DISCOVERY, "endpointslices", "shop", ""),
        (controller("namespace-controller"), "deletecollection", "apps", "deployments", "shop", ""),
        (controller("namespace-controller"), "update", "", "namespaces/finalize", "", "shop"),
        (controller("generic-garbage-collector"), "delete", "any.example", "things", "shop", "x"),
        (controller("service-account-controller"), "create", "", "serviceaccounts", "shop", ""),
        (controller("root-ca-cert-publisher"), "create", "", "configmaps", "shop", ""),
        (controller(PUBLISHER), "update", "certificates.k8s.io", "clustertrustbundles", "", "b"),
        (controller(PUBLISHER), "attest", "certificates.k8s.io", "signers", "", "kubernetes.io/kube-apiserver-serving"),
        (controller("any"), "list", "certificates.k8s.io", "clustertrustbundles", "", ""),
        (controller("node-controller"), "patch", "", "nodes", "", "n1"),
        (controller("resourcequota-controller"), "update", "", "resourcequotas/status", "shop", "q"),
        (controller("disruption-controller"), "update", "policy", "poddisruptionbudgets/status", "shop", "b"),
        (
            controller("certificate-controller"),
            "update",
            "certificates.k8s.io",
            "certificatesigningrequests/status",
            "",
            "r",
        ),
    ],
)
def test_is_allowed(user, verb, group, resource, namespace, name):
    assert RBAC.decide(asked(user, verb, group, resource, namespace, name)).allowed


@pytest.mark.parametrize(
    ("user", "verb", "group", "resource", "namespace", "name"),
    [
        (NODE, "create", "certificates.k8s.io", f"{CSR}/nodeclient", "", ""),
        (JOINING, "get", "", "secrets", "kube-system", "s"),
        (STRANGER, "create", "certificates.k8s.io", f"{CSR}/nodeclient", "", ""),
        (SCHEDULER, "get", "", "secrets", "shop", "s"),
        (SCHEDULER, "create", "", "pods", "shop", ""),
        (SCHEDULER, "update", LEASES, "leases", "kube-node-lease", "n1"),
        (PROXY, "get", "", "secrets", "shop", "s"),
        (PROXY, "update", "", "nodes", "", "n1"),
        (DNS, "patch", "", "services", "shop", "web"),
        (DNS, "patch", "", "services", "kube-system", "other"),
        (DNS, "patch", DISCOVERY, "endpointslices", "shop", "web"),
        (MANAGER, "create", "", "pods", "shop", ""),
        (MANAGER, "delete", "apps", "deployments", "shop", "web"),
        (controller("replicaset-controller"), "get", "", "secrets", "shop", "s"),
        (controller("certificate-controller"), "sign", "certificates.k8s.io", "signers", "", "example.test/other"),
        (controller("unknown"), "list", "", "pods", "shop", ""),
        (controller("unknown"), "create", "certificates.k8s.io", "clustertrustbundles", "", ""),
    ],
)
def test_is_not_allowed(user, verb, group, resource, namespace, name):
    assert not RBAC.decide(asked(user, verb, group, resource, namespace, name)).allowed


def asked(user: User, verb: str, group: str, resource: str, namespace: str, name: str) -> Attributes:
    plural, _, subresource = resource.partition("/")
    return Attributes(user, verb, group, "v1", plural, subresource, namespace, name)
