"""The CIS benchmark's recommendations: what passes, what fails, and what is said then."""

import ssl
from importlib import resources

import msgspec
import pytest

from cybernetes.install.benchmark.checks import CHECKS, results
from cybernetes.install.benchmark.facts import KUBELET_READ_ONLY, PROXY_METRICS, Facts, FileFact
from cybernetes.kubelet.config import KubeletConfig
from cybernetes.run.apiserver_args import ApiServerArgs
from cybernetes.run.config import ApiServerConfig, ClusterConfig, NodeConfig, StoreConfig
from cybernetes.run.layout import Layout

PLUGINS = frozenset(("DenyServiceExternalIPs", "ServiceAccount", "NamespaceLifecycle", "NodeRestriction"))
POLICY = resources.files("cybernetes.install").joinpath("audit-policy.yaml").read_bytes()


def strong() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers("ECDHE+AESGCM:ECDHE+CHACHA20")
    return context


def facts(tmp_path, **changed) -> Facts:
    kinds = ("configuration", "kubeconfigs", "keys", "certificates", "folders", "store", "cni", "audit")
    answers = {
        "anonymous at the API": 401,
        "anonymous health": 200,
        "profiling of the API server": 404,
        "anonymous at the kubelet of n": 401,
        "anyone at the kubelet of n": 403,
    }
    found = Facts(
        config=ClusterConfig(nodes=(NodeConfig(name="n", address="10.0.0.1"),)),
        layout=Layout(tmp_path),
        files={kind: [FileFact(f"/{kind}", 0o700 if kind == "folders" else 0o600, 0, 0)] for kind in kinds},
        answers=answers,
        open=frozenset(),
        plugins=PLUGINS,
        tls=strong(),
        kubelet=KubeletConfig(node_name="n", node_ip="10.0.0.1"),
        audit_policy=POLICY,
    )
    return msgspec.structs.replace(found, **changed)


def failed(found: Facts) -> dict[str, str]:
    return {each.number: each.mend for each in results(found) if each.status == "fail"}


def args(**changed) -> ClusterConfig:
    return ClusterConfig(api_server=ApiServerConfig(extra_args=ApiServerArgs(**changed)))


def test_a_cluster_as_it_is_made_fails_nothing(tmp_path):
    assert failed(facts(tmp_path)) == {}


def test_every_recommendation_has_a_number_of_its_own():
    numbers = [each.number for each in CHECKS]
    assert len(set(numbers)) == len(numbers)


@pytest.mark.parametrize(
    ("kind", "mode", "number"),
    [
        ("configuration", 0o644, "1.1.1"),
        ("store", 0o755, "1.1.12"),
        ("kubeconfigs", 0o640, "1.1.13"),
        ("keys", 0o604, "1.1.21"),
        ("certificates", 0o666, "1.1.20"),
        ("cni", 0o644, "1.1.9"),
        ("audit", 0o744, "3.2.3"),
    ],
)
def test_modes_of_files(tmp_path, kind, mode, number):
    good = facts(tmp_path)
    found = failed(msgspec.structs.replace(good, files={**good.files, kind: [FileFact("/a b", mode, 0, 0)]}))
    assert list(found) == [number] and found[number].startswith("chmod") and "/a b" in found[number]


def test_owners_of_files(tmp_path):
    good = facts(tmp_path)
    found = failed(msgspec.structs.replace(good, files={**good.files, "keys": [FileFact("/k", 0o600, 1000, 0)]}))
    assert found["1.1.19"] == "chown root:root /k"


@pytest.mark.parametrize(
    ("question", "code", "number"),
    [
        ("anonymous at the API", 403, "1.2.1"),
        ("anonymous at the API", 200, "1.2.1"),
        ("profiling of the API server", 200, "1.2.15"),
        ("anonymous at the kubelet of n", 200, "4.2.1"),
        ("anyone at the kubelet of n", 200, "4.2.2"),
    ],
)
def test_answers_of_servers(tmp_path, question, code, number):
    good = facts(tmp_path)
    found = failed(msgspec.structs.replace(good, answers={**good.answers, question: code}))
    assert list(found) == [number] and str(code) in found[number]


def test_a_server_that_does_not_run_is_for_a_person_to_look_at(tmp_path):
    good = facts(tmp_path)
    silent = msgspec.structs.replace(good, answers=dict.fromkeys(good.answers, 0))
    judged = {each.number: each.status for each in results(silent)}
    assert judged["1.2.1"] == judged["4.2.1"] == "look" and failed(silent) == {}


@pytest.mark.parametrize(
    ("config", "number"),
    [
        (args(authorization_mode=("AlwaysAllow",)), "1.2.6"),
        (args(authorization_mode=("RBAC",)), "1.2.7"),
        (args(authorization_mode=("Node",)), "1.2.8"),
        (args(audit_log_path=""), "1.2.16"),
        (args(audit_log_maxage=7), "1.2.17"),
        (args(audit_log_maxbackup=2), "1.2.18"),
        (args(audit_log_maxsize=10), "1.2.19"),
        (args(service_account_extend_token_expiration=True), "1.2.30"),
        (args(service_account_max_token_expiration="8760h"), "1.2.31"),
    ],
)
def test_flags_of_the_api_server(tmp_path, config, number):
    assert number in failed(facts(tmp_path, config=config))


def test_open_ports_weak_ciphers_missing_plugins_and_policies(tmp_path):
    weak = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    weak.set_ciphers("ALL")
    quiet = b"apiVersion: audit.k8s.io/v1\nkind: Policy\nrules: [{level: None, verbs: [get]}, {level: Metadata}]\n"
    for changed, number in (
        ({"open": frozenset((("10.0.0.1", KUBELET_READ_ONLY),))}, "4.2.4"),
        ({"open": frozenset((("10.0.0.1", PROXY_METRICS),))}, "4.3.1"),
        ({"tls": weak}, "1.2.29"),
        ({"plugins": PLUGINS - {"NodeRestriction"}}, "1.2.14"),
        ({"audit_policy": b""}, "3.2.1"),
        ({"audit_policy": quiet}, "3.2.2"),
    ):
        assert number in failed(facts(tmp_path, **changed)), number


def test_an_etcd_of_ones_own_is_looked_at(tmp_path):
    config = ClusterConfig(store=StoreConfig(kind="etcd"))
    good = ("etcd", "--cert-file=a", "--key-file=b", "--client-cert-auth", "--trusted-ca-file=c")
    assert failed(facts(tmp_path, config=config, etcd=good)) == {}
    assert set(failed(facts(tmp_path, config=config, etcd=good[:1]))) == {"1.2.23", "2.1", "2.2", "2.7"}
