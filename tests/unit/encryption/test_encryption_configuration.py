"""EncryptionConfiguration files: what is taken, what is refused, and which provider a resource has."""

from base64 import b64encode

import pytest

from cybernetes.base.errors import EdgeError
from cybernetes.base.random import SeededRandom
from cybernetes.store.encryption.build import build, without_configuration
from cybernetes.store.encryption.config import ConfigError, parse
from cybernetes.store.envelope import AesGcm

RANDOM = SeededRandom(1)
OWN = AesGcm([b"o" * 32], RANDOM)
HEAD = "apiVersion: apiserver.config.k8s.io/v1\nkind: EncryptionConfiguration\n"
ONE, TWO, LONG = (b64encode(bytes([n]) * size).decode() for n, size in ((1, 16), (2, 16), (3, 32)))


def rules(resources: str):
    return build(parse(f"{HEAD}resources:\n{resources}".encode()), OWN, RANDOM, connect=None).rules


def keys(provider: str, **named: str) -> str:
    listed = ", ".join(f"{{name: {name}, secret: {secret}}}" for name, secret in named.items())
    return f"{{{provider}: {{keys: [{listed}]}}}}"


@pytest.mark.parametrize("provider", ["aesgcm", "aescbc", "secretbox"])
@pytest.mark.parametrize("value", [b"", b"x", b"fifteen bytes..", b"sixteen bytes...", b"v1 Secret\n{}" * 1000])
def test_a_value_comes_back_and_is_nowhere_in_what_is_stored(provider, value):
    envelope = rules(f"- {{resources: [secrets], providers: [{keys(provider, k1=LONG)}]}}").of("/core/secrets/a/b")
    sealed = envelope.seal("/core/secrets/a/b", value)
    assert sealed.startswith(f"k8s:enc:{provider}:v1:k1:".encode())
    assert envelope.open("/core/secrets/a/b", sealed) == value
    assert len(value) < 8 or value not in sealed
    assert envelope.seal("/core/secrets/a/b", value) != sealed


@pytest.mark.parametrize("provider", ["aesgcm", "secretbox"])
def test_a_changed_value_does_not_open(provider):
    envelope = rules(f"- {{resources: [secrets], providers: [{keys(provider, k1=LONG)}]}}").of("/core/secrets/a")
    sealed = envelope.seal("/core/secrets/a", b"value")
    for broken in (sealed[:-1] + bytes([sealed[-1] ^ 1]), sealed[:-1], sealed[:30]):
        with pytest.raises(EdgeError):
            envelope.open("/core/secrets/a", broken)


def test_a_value_of_another_path_does_not_open():
    envelope = rules(f"- {{resources: [secrets], providers: [{keys('aesgcm', k1=LONG)}]}}").of("/core/secrets/a")
    with pytest.raises(EdgeError, match="another path"):
        envelope.open("/core/secrets/b", envelope.seal("/core/secrets/a", b"value"))


def test_the_first_key_of_the_first_provider_seals_and_all_of_them_open():
    old = rules(f"- {{resources: [secrets], providers: [{keys('aescbc', a=ONE, b=TWO)}]}}").of("/core/secrets/x")
    new = rules(
        f"- {{resources: [secrets], providers: [{keys('aesgcm', z=TWO)}, {keys('aescbc', b=TWO, a=ONE)}, {{identity: {{}}}}]}}"
    ).of("/core/secrets/x")
    sealed = old.seal("/core/secrets/x", b"v")
    assert sealed.startswith(b"k8s:enc:aescbc:v1:a:")
    for value, stored in ((b"v", sealed), (b"own", OWN.seal("/core/secrets/x", b"own")), (b"plain", b"plain")):
        assert new.open("/core/secrets/x", stored) == value
        assert not new.is_current(stored)
    assert new.is_current(new.seal("/core/secrets/x", b"v"))
    with pytest.raises(EdgeError, match="no provider of the configuration opens k8s:enc:aesgcm:v1:z"):
        old.open("/core/secrets/x", new.seal("/core/secrets/x", b"v"))


def test_identity_first_makes_values_plain_again():
    envelope = rules(f"- {{resources: [secrets], providers: [{{identity: {{}}}}, {keys('aesgcm', a=ONE)}]}}").of(
        "/core/secrets/x"
    )
    assert envelope.seal("/core/secrets/x", b"v") == b"v"
    assert not envelope.is_current(OWN.seal("/core/secrets/x", b"v"))


@pytest.mark.parametrize(
    ("pattern", "sealed", "plain"),
    [
        ("secrets", ["/core/secrets/a/b"], ["/core/configmaps/a/b", "/core/secretstores/a/b"]),
        ("deployments.apps", ["/apps/deployments/a/b"], ["/apps/daemonsets/a/b", "/core/deployments/a/b"]),
        ("widgets.example.com", ["/example.com/widgets/a/b"], ["/com/widgets.example/a"]),
        ("*.apps", ["/apps/deployments/a/b", "/apps/daemonsets/a/b"], ["/core/pods/a/b", "/appsx/a/b"]),
        ("*.", ["/core/pods/a/b", "/core/configmaps/a/b"], ["/apps/deployments/a/b"]),
        ("*.*", ["/core/pods/a/b", "/apps/deployments/a/b", "/example.com/widgets/a"], []),
    ],
)
def test_what_a_pattern_covers(pattern, sealed, plain):
    found = rules(f"- {{resources: ['{pattern}'], providers: [{keys('aesgcm', k=ONE)}]}}")
    for key in sealed:
        assert found.of(key).seal(key, b"v").startswith(b"k8s:enc:aesgcm:v1:k:")
    assert [key for key in plain if found.of(key) is not None] == []


def test_the_first_pattern_that_fits_decides():
    found = rules(
        f"- {{resources: [configmaps], providers: [{{identity: {{}}}}]}}\n"
        f"- {{resources: ['*.'], providers: [{keys('aesgcm', k=ONE)}]}}\n"
        f"- {{resources: ['*.*'], providers: [{keys('aescbc', k=TWO)}]}}\n"
    )
    assert found.of("/core/configmaps/a").seal("/core/configmaps/a", b"v") == b"v"
    assert found.of("/core/secrets/a").seal("/core/secrets/a", b"v").startswith(b"k8s:enc:aesgcm")
    assert found.of("/apps/deployments/a").seal("/apps/deployments/a", b"v").startswith(b"k8s:enc:aescbc")


def test_secrets_that_nobody_names_have_the_clusters_own_key():
    found = rules(f"- {{resources: [configmaps], providers: [{keys('aesgcm', k=ONE)}]}}")
    assert found.of("/core/secrets/a") is OWN
    assert without_configuration(OWN).rules.of("/core/secrets/a") is OWN
    assert without_configuration(OWN).rules.of("/core/configmaps/a") is None


KMS = "apiVersion: v2, name: k, endpoint: 'unix:///run/k.sock'"


@pytest.mark.parametrize(
    ("resources", "says"),
    [
        ("[]", "at least one"),
        ("[{resources: [], providers: [{identity: {}}]}]", "resources: at least one"),
        ("[{resources: [secrets], providers: []}]", "providers: at least one"),
        ("[{resources: [secrets], providers: [{}]}]", "exactly one provider"),
        ("[{resources: [secrets], providers: [{identity: {}, aesgcm: {keys: []}}]}]", "exactly one provider"),
        ("[{resources: [secrets], providers: [{aesgcm: {keys: []}}]}]", "keys: at least one"),
        (f"[{{resources: [secrets], providers: [{keys('secretbox', a=ONE)}]}}]", "16 bytes"),
        (f"[{{resources: [secrets], providers: [{keys('aesgcm', a='c2hvcnQ=')}]}}]", "5 bytes"),
        (f"[{{resources: [secrets], providers: [{keys('aesgcm', a='not_base64')}]}}]", "not base64"),
        ("[{resources: [secrets], providers: [{rot13: {}}]}]", "rot13"),
        ("[{resources: [Secrets], providers: [{identity: {}}]}]", "capital"),
        ("[{resources: ['*'], providers: [{identity: {}}]}]", r"\*\.\*"),
        ("[{resources: [events], providers: [{identity: {}}]}]", "events"),
        ("[{resources: [secrets], providers: [{kms: {name: k, endpoint: 'unix:///k'}}]}]", "only v2"),
        (f"[{{resources: [secrets], providers: [{{kms: {{{KMS}, cachesize: 1}}}}]}}]", "cachesize"),
        ("[{resources: [secrets], providers: [{kms: {apiVersion: v2, name: k, endpoint: '/k'}}]}]", "unix:///"),
        (f"[{{resources: [secrets], providers: [{{kms: {{{KMS}, timeout: soon}}}}]}}]", "duration"),
        (
            f"[{{resources: [a], providers: [{{kms: {{{KMS}}}}}]}}, "
            f"{{resources: [b], providers: [{{kms: {{{KMS}, timeout: 1s}}}}]}}]",
            "two services",
        ),
    ],
)
def test_what_is_wrong_is_said(resources, says):
    with pytest.raises(ConfigError, match=says):
        parse(f"{HEAD}resources: {resources}".encode())


def test_no_key_is_in_what_is_said():
    with pytest.raises(ConfigError) as caught:
        parse(f"{HEAD}resources: [{{resources: [secrets], providers: [{keys('secretbox', a=ONE)}]}}]".encode())
    assert ONE not in str(caught.value)
