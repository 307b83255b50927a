"""The recommendations, one after the other. Pure.

A check is a number, what is asked for, and a function of the facts: "" when it holds, else what mends it.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterator
from typing import Literal

import msgspec

from cybernetes.apiserver.audit import policy
from cybernetes.apiserver.request import parse
from cybernetes.auth.user import User
from cybernetes.base.duration import parse as parse_duration
from cybernetes.install.benchmark.facts import (
    CONTROLLERS,
    KUBELET_READ_ONLY,
    PROXY_METRICS,
    SCHEDULER,
    Facts,
    FileFact,
)
from cybernetes.run.apiserver_args import ApiServerArgs
from cybernetes.wire.http.message import Request

Status = Literal["pass", "built", "none", "fail", "look"]
_STRONG = ("GCM", "CHACHA20")
_ARG = "cybernetes up --apiserver-arg"


class Result(msgspec.Struct, frozen=True):
    """built: holds by how this program is made, nothing was looked at. none: there is nothing here that it is about.
    look: a person has to judge. mend: how, or what to see; "" for what holds.
    """

    number: str
    title: str
    status: Status
    mend: str = ""


class Check(msgspec.Struct, frozen=True):
    number: str
    title: str
    mend: Callable[[Facts], str]


def results(facts: Facts) -> Iterator[Result]:
    for each in CHECKS:
        said = each.mend(facts)
        word, colon, mend = said.partition(": ")
        if colon and word in _WORDS:
            yield Result(each.number, each.title, _WORDS[word], mend)
        else:
            yield Result(each.number, each.title, "fail" if said else "pass", said)


_WORDS: dict[str, Status] = {"look": "look", "none": "none", "built": "built"}
_LOOK, _NONE, _BUILT = "look: ", "none: ", "built: "


def _holds(facts: Facts) -> str:
    """What this program does in the only way it can; tests of its own hold it."""
    return _BUILT


def _modes(kind: str, most: int) -> Callable[[Facts], str]:
    def mend(facts: Facts) -> str:
        if not facts.files.get(kind):
            return _NONE
        wrong = [each.path for each in facts.files[kind] if _mode(each) & ~most]
        return f"chmod {most:o} {' '.join(wrong)}" if wrong else ""

    return mend


def _mode(fact: FileFact) -> int:
    return fact.mode & 0o777


def _owners(*kinds: str) -> Callable[[Facts], str]:
    def mend(facts: Facts) -> str:
        wrong = [each.path for kind in kinds for each in facts.files.get(kind, ()) if (each.uid, each.gid) != (0, 0)]
        return f"chown root:root {' '.join(wrong)}" if wrong else ""

    return mend


def _answers(question: str, *good: int) -> Callable[[Facts], str]:
    """0 stands for a server that does not run: nothing is open then, and nothing can be said."""

    def mend(facts: Facts) -> str:
        asked = {name: code for name, code in facts.answers.items() if name.startswith(question)}
        if not asked:
            return _NONE
        bad = [f"{name}: {code}" for name, code in asked.items() if code and code not in good]
        if bad:
            return f"expected {' or '.join(map(str, good))}; {'; '.join(bad)}"
        if not any(asked.values()):
            return f"{_LOOK}the server does not run here, or does not answer"
        return ""

    return mend


def _closed(port: int) -> Callable[[Facts], str]:
    def mend(facts: Facts) -> str:
        found = sorted(address for address, each in facts.open if each == port)
        return f"something listens on port {port} of {', '.join(found)}: stop it" if found else ""

    return mend


def _plugin(name: str) -> Callable[[Facts], str]:
    return lambda facts: "" if name in facts.plugins else f"this version has no admission plugin {name}"


def _arg(holds: Callable[[ApiServerArgs], bool], mend: str) -> Callable[[Facts], str]:
    return lambda facts: "" if holds(facts.config.api_server.extra_args) else f"{_ARG} {mend}"


def _tls(facts: Facts) -> str:
    if facts.tls is None:
        return f"{_LOOK}there is no certificate of the API server on this machine"
    if facts.tls.minimum_version < ssl.TLSVersion.TLSv1_2:
        return "the server takes TLS before 1.2"
    weak = [each["name"] for each in facts.tls.get_ciphers() if not any(part in each["name"] for part in _STRONG)]
    return f"weak ciphers: {', '.join(weak)}" if weak else ""


def _etcd(*flags: str) -> Callable[[Facts], str]:
    def mend(facts: Facts) -> str:
        if facts.config.store.kind != "etcd":
            return _NONE
        if not facts.etcd:
            return f"{_LOOK}no etcd runs on this machine; look at the members that the configuration names"
        missing = [flag for flag in flags if not any(each.startswith(flag) for each in facts.etcd)]
        return f"etcd was started without {', '.join(missing)}" if missing else ""

    return mend


def _audited(facts: Facts) -> str:
    try:
        found = policy.parse(facts.audit_policy)
    except policy.PolicyError:
        return f"{_ARG} audit-policy-file=FILE, or remove it: `up` writes a policy where there is none"
    someone = User("someone", groups=("system:authenticated",))
    asked = {
        "reads of secrets": ("GET", "/api/v1/namespaces/a/secrets/b"),
        "sessions in pods": ("POST", "/api/v1/namespaces/a/pods/b/exec"),
        "port-forwards": ("POST", "/api/v1/namespaces/a/pods/b/portforward"),
        "changes of pods": ("POST", "/api/v1/namespaces/a/pods"),
        "changes of deployments": ("POST", "/apis/apps/v1/namespaces/a/deployments"),
        "changes of roles": ("POST", "/apis/rbac.authorization.k8s.io/v1/clusterroles"),
        "reviews of tokens": ("POST", "/apis/authentication.k8s.io/v1/tokenreviews"),
    }
    missing = [
        what
        for what, (method, path) in asked.items()
        if found.decide(someone, parse(Request(method, path))) is policy.NOTHING
    ]
    return f"the audit policy does not record {', '.join(missing)}" if missing else ""


def _is_audited(facts: Facts) -> str:
    args = facts.config.api_server.extra_args
    if args.audit_policy_file == "" or args.audit_log_path == "":
        return f"{_ARG} audit-log-path=FILE, and a policy"
    return ""


def _encrypts(facts: Facts) -> str:
    args = facts.config.api_server.extra_args
    if args.encryption_provider_config:
        return f"{_LOOK}see that {args.encryption_provider_config} begins with aesgcm, secretbox or kms for secrets"
    return ""


def _pids(facts: Facts) -> str:
    return "" if facts.kubelet.pod_pids_max > 0 else "set a limit of processes for pods"


CHECKS: tuple[Check, ...] = (
    Check("1.1.1", "configuration is for root only (600)", _modes("configuration", 0o600)),
    Check("1.1.2", "configuration belongs to root", _owners("configuration")),
    Check("1.1.9", "configurations of pod networks are for root only (600)", _modes("cni", 0o600)),
    Check("1.1.10", "configurations of pod networks belong to root", _owners("cni")),
    Check("1.1.11", "etcd's data is for its user only (700)", _modes("etcd", 0o700)),
    Check("1.1.12", "the state in SQLite is for root only (600 in 700)", _modes("store", 0o700)),
    Check("1.1.13", "kubeconfigs are for root only (600)", _modes("kubeconfigs", 0o600)),
    Check("1.1.14", "kubeconfigs belong to root", _owners("kubeconfigs")),
    Check("1.1.19", "folders of keys belong to root", _owners("folders", "keys", "certificates")),
    Check("1.1.20", "certificates are not written by others (644)", _modes("certificates", 0o644)),
    Check("1.1.21", "keys are for root only (600)", _modes("keys", 0o600)),
    Check("1.2.1", "nobody unknown gets beyond health checks", _answers("anonymous at the API", 401)),
    Check("1.2.2", "there is no file of tokens", _holds),
    Check("1.2.3", "DenyServiceExternalIPs is on", _plugin("DenyServiceExternalIPs")),
    Check("1.2.4", "the API server shows kubelets a certificate", _holds),
    Check("1.2.5", "the API server verifies kubelets by an authority and by name", _holds),
    Check(
        "1.2.6",
        "nothing is always allowed",
        _arg(lambda args: "AlwaysAllow" not in args.authorization_mode, "authorization-mode=Node,RBAC"),
    ),
    Check(
        "1.2.7",
        "the node authorizer is asked",
        _arg(
            lambda args: bool(args.authorization_config) or "Node" in args.authorization_mode,
            "authorization-mode=Node,RBAC",
        ),
    ),
    Check(
        "1.2.8",
        "RBAC is asked",
        _arg(
            lambda args: bool(args.authorization_config) or "RBAC" in args.authorization_mode,
            "authorization-mode=Node,RBAC",
        ),
    ),
    Check(
        "1.2.9",
        "requests are limited",
        _holds,
    ),
    Check(
        "1.2.10",
        "there is no AlwaysAdmit",
        lambda facts: "AlwaysAdmit is there" if "AlwaysAdmit" in facts.plugins else "",
    ),
    Check(
        "1.2.11",
        "images are pulled with the pod's own credentials",
        lambda facts: f"{_LOOK}AlwaysPullImages is not served: use imagePullPolicy Always where tenants share nodes",
    ),
    Check("1.2.12", "ServiceAccount is on", _plugin("ServiceAccount")),
    Check("1.2.13", "NamespaceLifecycle is on", _plugin("NamespaceLifecycle")),
    Check("1.2.14", "NodeRestriction is on", _plugin("NodeRestriction")),
    Check("1.2.15", "the API server has no profiling", _answers("profiling of the API server", 404)),
    Check("1.2.16", "requests are audited", _is_audited),
    Check(
        "1.2.17",
        "audit logs are kept 30 days",
        _arg(lambda args: args.audit_log_maxage == 0 or args.audit_log_maxage >= 30, "audit-log-maxage=30"),
    ),
    Check(
        "1.2.18",
        "ten audit logs are kept",
        _arg(lambda args: args.audit_log_maxbackup == 0 or args.audit_log_maxbackup >= 10, "audit-log-maxbackup=10"),
    ),
    Check(
        "1.2.19", "an audit log has 100 MB", _arg(lambda args: args.audit_log_maxsize >= 100, "audit-log-maxsize=100")
    ),
    Check("1.2.20", "requests end after 60 seconds", _holds),
    Check("1.2.21", "tokens end with their service accounts", _holds),
    Check("1.2.22", "tokens are signed with a key of their own", _holds),
    Check("1.2.23", "etcd knows the API server by a certificate", _etcd("--client-cert-auth")),
    Check("1.2.24", "the API server serves TLS only", _holds),
    Check("1.2.25", "clients are known by certificates of the cluster's authority", _holds),
    Check("1.2.27", "Secrets are encrypted in the store", _encrypts),
    Check("1.2.29", "TLS 1.2 and strong ciphers only", _tls),
    Check(
        "1.2.30",
        "tokens are not extended",
        _arg(
            lambda args: not args.service_account_extend_token_expiration,
            "service-account-extend-token-expiration=false",
        ),
    ),
    Check(
        "1.2.31",
        "tokens last a day at most",
        _arg(
            lambda args: parse_duration(args.service_account_max_token_expiration) <= 24 * 3600,
            "service-account-max-token-expiration=24h",
        ),
    ),
    Check("1.3.1", "ended pods are collected", _holds),
    Check("1.3.2", "the controller manager has no profiling, and no port beyond this machine", _closed(CONTROLLERS)),
    Check("1.3.3", "each controller has a service account of its own", _holds),
    Check("1.3.5", "pods are told the cluster's authority", _holds),
    Check("1.3.6", "kubelets' serving certificates are rotated", _holds),
    Check("1.4.1", "the scheduler has no profiling, and no port beyond this machine", _closed(SCHEDULER)),
    Check("2.1", "etcd serves TLS", _etcd("--cert-file", "--key-file")),
    Check("2.2", "etcd asks clients for certificates", _etcd("--client-cert-auth")),
    Check("2.7", "etcd has an authority of its own", _etcd("--trusted-ca-file")),
    Check(
        "3.2.1",
        "there is an audit policy",
        lambda facts: "" if facts.audit_policy else "remove audit-policy-file: `up` writes a policy",
    ),
    Check("3.2.2", "the audit policy covers what matters", _audited),
    Check("3.2.3", "audit logs are for root only", _modes("audit", 0o700)),
    Check("4.1.1", "files of kubelets and proxies belong to root", _owners("kubeconfigs", "keys")),
    Check("4.2.1", "kubelets don't answer who is unknown", _answers("anonymous at the kubelet", 401)),
    Check("4.2.2", "kubelets ask the API server who may", _answers("anyone at the kubelet", 403)),
    Check("4.2.3", "kubelets know clients by the cluster's authority", _holds),
    Check("4.2.4", "kubelets have no read-only port", _closed(KUBELET_READ_ONLY)),
    Check("4.2.6", "kubelets change no settings of the kernel", _holds),
    Check("4.2.9", "kubelets serve with certificates of the cluster", _holds),
    Check("4.2.10", "kubelets renew their client certificates", _holds),
    Check("4.2.11", "kubelets renew their serving certificates", _holds),
    Check("4.2.12", "kubelets take TLS 1.2 and strong ciphers only", _tls),
    Check("4.2.13", "processes of a pod are limited", _pids),
    Check("4.3.1", "the proxy's metrics are for this machine only", _closed(PROXY_METRICS)),
)
