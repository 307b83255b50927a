"""The built-in plugins, in Kubernetes' order."""

from __future__ import annotations

import msgspec

from cybernetes.apiserver.admission.certificates import (
    CertificateApproval,
    CertificateSigning,
    CertificateSubjectRestriction,
    ClusterTrustBundleAttest,
)
from cybernetes.apiserver.admission.chain import Admission, CatchUp, Plugin
from cybernetes.apiserver.admission.classes import (
    DefaultIngressClass,
    DefaultStorageClass,
    PersistentVolumeClaimResize,
    RuntimeClass,
)
from cybernetes.apiserver.admission.default_toleration_seconds import DefaultTolerationSeconds
from cybernetes.apiserver.admission.kept import Cluster
from cybernetes.apiserver.admission.limit_ranger import LimitRanger
from cybernetes.apiserver.admission.namespace_lifecycle import NamespaceLifecycle
from cybernetes.apiserver.admission.node_restriction import NodeRestriction
from cybernetes.apiserver.admission.pod_security.plugin import PodSecurity
from cybernetes.apiserver.admission.policy.mutating import MutatingPolicies, NodeOf
from cybernetes.apiserver.admission.policy.sources import Invocations, ResourceOf
from cybernetes.apiserver.admission.policy.validating import ValidatingPolicies
from cybernetes.apiserver.admission.priority import Priority
from cybernetes.apiserver.admission.rbac_escalation import RbacEscalation
from cybernetes.apiserver.admission.resource_quota import Ledger, ResourceQuota
from cybernetes.apiserver.admission.scope import Rights
from cybernetes.apiserver.admission.service_account import ServiceAccount
from cybernetes.apiserver.admission.small import (
    DenyServiceExternalIPs,
    PodTopologyLabels,
    StorageObjectInUseProtection,
    TaintNodesByCondition,
)
from cybernetes.apiserver.admission.webhooks.asking import Asker, Caller
from cybernetes.apiserver.admission.webhooks.equivalent import Equivalents
from cybernetes.apiserver.admission.webhooks.plugin import MutatingWebhooks, Normalize, ValidatingWebhooks
from cybernetes.auth.authz import Authorizer
from cybernetes.auth.lister import Lister
from cybernetes.auth.rbac import Rbac
from cybernetes.base.clock import Clock
from cybernetes.base.random import Random


class Surroundings(msgspec.Struct, frozen=True):
    """What plugins need to know.

    caller     asks webhooks
    equivalents  the write in other versions of its resource
    normalize  checks and defaults an object that a webhook or policy changed
    node_of    the type of an object
    resource_of  (group, plural, namespaced) of an apiVersion and kind
    catch_up   waits until the lister has everything acknowledged so far; asked only where something is missing
    """

    lister: Lister
    authorizer: Authorizer
    rbac: Rbac
    ledger: Ledger
    caller: Caller
    normalize: Normalize
    resource_of: ResourceOf
    catch_up: CatchUp
    clock: Clock
    random: Random
    equivalents: Equivalents
    node_of: NodeOf


def build(around: Surroundings) -> Admission:
    return Admission(plugins(around))


def plugins(around: Surroundings) -> list[Plugin]:
    """The quota is last, because it counts the result of all others."""
    lister, catch_up, authorizer = around.lister, around.catch_up, around.authorizer
    asker = Asker(around.caller, around.random)
    rights = Rights(authorizer)
    mutating, validating = (
        Invocations(lister, f"{kind}admissionpolic", around.equivalents, around.resource_of)
        for kind in ("mutating", "validating")
    )
    storage_classes = Cluster(lister, "storage.k8s.io", "storageclasses")
    return [
        NamespaceLifecycle(lister, catch_up),
        LimitRanger(lister),
        ServiceAccount(lister, catch_up, around.clock, around.random),
        NodeRestriction(lister),
        TaintNodesByCondition(),
        PodSecurity(lister),
        Priority(lister, catch_up),
        DefaultTolerationSeconds(),
        DefaultStorageClass(storage_classes),
        StorageObjectInUseProtection(),
        PersistentVolumeClaimResize(storage_classes),
        RuntimeClass(lister, catch_up),
        CertificateApproval(authorizer),
        CertificateSigning(authorizer),
        ClusterTrustBundleAttest(authorizer),
        CertificateSubjectRestriction(),
        DefaultIngressClass(lister),
        DenyServiceExternalIPs(),
        PodTopologyLabels(lister),
        MutatingPolicies(lister, mutating, rights, around.equivalents, (around.normalize, around.node_of)),
        MutatingWebhooks(lister, asker, around.equivalents, around.normalize, rights),
        RbacEscalation(authorizer, around.rbac),
        ValidatingPolicies(lister, validating, rights),
        ValidatingWebhooks(lister, asker, around.equivalents, rights),
        ResourceQuota(lister, around.ledger, around.clock),
    ]
