import hashlib
from base64 import b64encode, urlsafe_b64encode

import jwt
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from fake_lister import FakeClock, FakeLister, obj

from cybernetes.auth import pki
from cybernetes.auth.authn import TOKEN_CACHE_S, Authenticator
from cybernetes.auth.certificates import Authorities
from cybernetes.auth.tokens import Bound, InvalidToken, Issuer, Reference
from cybernetes.auth.user import User
from cybernetes.base.clock import rfc3339
from cybernetes.base.errors import ApiError
from cybernetes.base.random import SeededRandom
from cybernetes.wire.http.message import Request

ACCOUNT = Reference("bot", "uid-bot")


class World:
    def __init__(self):
        self.clock, self.random = FakeClock(), SeededRandom(7)
        self.terms = pki.Terms(self.clock.now(), self.random)
        self.ca = pki.ca("kubernetes", pki.Terms(self.clock.now(), self.random, pki.CA_LIFETIME_S))
        self.proxy_ca = pki.ca("front-proxy", self.terms)
        self.issuer = Issuer(pki.new_key(self.random), self.clock, self.random)
        self.account = obj("ServiceAccount", "bot", "shop")
        self.lister = FakeLister(self.account)
        authorities = Authorities(self.ca.certificate, self.proxy_ca.certificate, ("proxy",))
        static = {hashlib.sha256(b"fixed").hexdigest(): User("fixed")}
        self.used = []
        self.authenticator = Authenticator(
            self.lister,
            self.issuer,
            self.clock,
            authorities,
            static,
            legacy_used=lambda namespace, secret: self.used.append((namespace, secret)),
        )

    def identify(self, token=None, certificate=None, path="/api", **headers):
        if token is not None:
            headers["authorization"] = f"Bearer {token}"
        return self.authenticator.identify(Request("GET", path, headers=headers, certificate=certificate))

    def refuses(self, **request):
        with pytest.raises(ApiError) as refused:
            self.identify(**request)
        return (refused.value.code, refused.value.message) == (401, "Unauthorized")

    def token(self, bound=None, audiences=None, lifetime_s=3600):
        return self.issuer.issue("shop", ACCOUNT, bound or Bound(), audiences or self.issuer.audiences, lifetime_s)


@pytest.fixture
def world():
    return World()


def der(credential):
    return x509.load_pem_x509_certificate(credential.certificate).public_bytes(Encoding.DER)


def test_a_certificate_names_user_and_groups(world):
    shown = der(pki.client(world.ca, "alice", ["dev", "ops"], world.terms))
    user = world.identify(certificate=shown)
    assert (user.name, user.groups) == ("alice", ("dev", "ops", "system:authenticated"))
    digest = hashlib.sha256(shown).hexdigest()
    assert user.extra == {"authentication.kubernetes.io/credential-id": [f"X509SHA256={digest}"]}


def test_a_certificate_is_refused_when_it_is_over_or_another_authoritys_or_a_servers(world):
    shown = der(pki.client(world.ca, "alice", [], pki.Terms(world.clock.now(), world.random, 60)))
    assert world.identify(certificate=shown).name == "alice"
    world.clock.at += 61
    assert world.refuses(certificate=shown)
    strange = pki.ca("kubernetes", world.terms)
    assert world.refuses(certificate=der(pki.client(strange, "alice", ["system:masters"], world.terms)))
    assert world.refuses(certificate=der(pki.serving(world.ca, "alice", world.terms, names=["a"])))


def test_headers_of_a_front_proxy_count_only_with_its_certificate(world):
    headers = {"x-remote-user": "alice", "x-remote-group": "cn=dev,ou=x, ops", "x-remote-extra-scopes": "a"}
    proxy = der(pki.client(world.proxy_ca, "proxy", [], world.terms))
    user = world.identify(certificate=proxy, **headers)
    groups = ("cn=dev,ou=x", "ops", "system:authenticated")
    assert (user.name, user.groups, user.extra) == ("alice", groups, {"scopes": ["a"]})
    mallory = der(pki.client(world.ca, "mallory", [], world.terms))
    assert world.identify(certificate=mallory, **headers).name == "mallory"
    assert world.refuses(certificate=der(pki.client(world.proxy_ca, "other", [], world.terms)), **headers)
    assert world.refuses(**headers)


def test_only_health_may_be_asked_without_a_credential(world):
    assert world.identify(path="/livez").groups == ("system:unauthenticated",)
    assert world.refuses(path="/api")
    assert world.refuses(path="/livez/etcd")
    assert world.refuses(path="/version")
    assert world.refuses(path="/livez", token="wrong")


def test_a_token_names_its_service_account(world):
    user = world.identify(token=world.token())
    assert user.name == "system:serviceaccount:shop:bot"
    assert user.uid == "uid-bot"
    assert user.groups == ("system:serviceaccounts", "system:serviceaccounts:shop", "system:authenticated")
    assert user.extra["authentication.kubernetes.io/credential-id"][0].startswith("JTI=")


def test_a_websockets_protocol_may_carry_the_token(world):
    encoded = urlsafe_b64encode(world.token().encode()).rstrip(b"=").decode()
    protocol = f"base64url.bearer.authorization.k8s.io.{encoded}, v5.channel.k8s.io"
    assert world.identify(**{"sec-websocket-protocol": protocol}).name == "system:serviceaccount:shop:bot"


def test_a_token_is_over_at_its_time(world):
    token = world.token(lifetime_s=600)
    world.clock.at += 599
    assert world.identify(token=token)
    world.clock.at += TOKEN_CACHE_S
    assert world.refuses(token=token)


def test_a_token_ends_with_its_service_account_at_the_latest_when_the_cache_does(world):
    token = world.token()
    assert world.identify(token=token)
    world.lister.remove(world.account)
    world.clock.at += TOKEN_CACHE_S
    assert world.refuses(token=token)
    world.lister.put({**world.account, "metadata": {**world.account["metadata"], "uid": "another"}})
    assert world.refuses(token=token)


def test_a_token_ends_with_its_pod_after_a_minute_of_grace(world):
    pod = obj("Pod", "web", "shop", spec={})
    token = world.token(Bound(pod=Reference("web", "uid-web")))
    assert world.refuses(token=token)
    world.lister.put(pod)
    user = world.identify(token=token)
    assert user.extra["authentication.kubernetes.io/pod-name"] == ["web"]
    pod["metadata"]["deletionTimestamp"] = rfc3339(world.clock.now())
    world.lister.put(pod)
    world.clock.at += 50
    assert world.identify(token=token)
    world.clock.at += 20
    assert world.refuses(token=token)


def test_a_token_for_another_audience_is_no_token_here(world):
    token = world.token(audiences=["vault"])
    assert world.refuses(token=token)
    found = world.authenticator.review(token, ("vault", "other"))
    assert found.audiences == ("vault",)
    with pytest.raises(InvalidToken, match=r'audiences \[".+"\] is invalid for the target audiences \[".+"\]'):
        world.authenticator.review(world.token(), ("vault",))


def test_signature_algorithm_and_issuer_are_not_the_tokens_choice(world):
    head, body, signature = world.token().split(".")
    assert world.refuses(token=f"{head}.{body}.{'A' * len(signature)}")
    claims = jwt.decode(world.token(), options={"verify_signature": False})
    assert world.refuses(token=jwt.encode(claims, None, "none"))
    public = pki.public_key(pki.new_key(SeededRandom(7)))
    assert world.refuses(token=jwt.encode(claims, public.decode()[27:60], "HS256"))
    other = Issuer(pki.new_key(SeededRandom(9)), world.clock, world.random)
    assert world.refuses(token=other.issue("shop", ACCOUNT, Bound(), other.audiences, 3600))
    assert world.refuses(token="a" * 40_000)


def test_claims_are_those_of_kubernetes(world):
    bound = Bound(pod=Reference("web", "u1"), node=Reference("n1", "u2"))
    claims = jwt.decode(world.token(bound, ["a"]), options={"verify_signature": False})
    now = int(world.clock.now())
    assert claims.pop("jti")
    assert claims == {
        "aud": ["a"],
        "exp": now + 3600,
        "iat": now,
        "nbf": now,
        "iss": "https://kubernetes.default.svc.cluster.local",
        "sub": "system:serviceaccount:shop:bot",
        "kubernetes.io": {
            "namespace": "shop",
            "serviceaccount": {"name": "bot", "uid": "uid-bot"},
            "pod": {"name": "web", "uid": "u1"},
            "node": {"name": "n1", "uid": "u2"},
        },
    }


def test_a_legacy_token_lives_with_its_secret(world):
    token = world.issuer.issue_legacy("shop", ACCOUNT, "bot-token")
    assert world.refuses(token=token)
    world.lister.put(obj("Secret", "bot-token", "shop"))
    assert world.identify(token=token).name == "system:serviceaccount:shop:bot"
    assert world.used == [("shop", "bot-token")]
    world.clock.at += TOKEN_CACHE_S + 1
    marked = {"labels": {"kubernetes.io/legacy-token-invalid-since": "2026-01-01"}}
    world.lister.put(obj("Secret", "bot-token", "shop", metadata=marked))
    assert world.refuses(token=token)


def test_of_tokens_that_end_nobody_is_told(world):
    world.lister.put(obj("Secret", "s", "shop"))
    assert world.identify(token=world.token(Bound(secret=Reference("s", "uid-s")))).name.endswith(":bot")
    assert world.used == []


def bootstrap_secret(**data):
    values = {
        "token-id": "abcdef",
        "token-secret": "0123456789abcdef",
        "usage-bootstrap-authentication": "true",
        "auth-extra-groups": "system:bootstrappers:shop,system:masters",
        **data,
    }
    encoded = {key: b64encode(value.encode()).decode() for key, value in values.items()}
    return obj("Secret", "bootstrap-token-abcdef", "kube-system", type="bootstrap.kubernetes.io/token", data=encoded)


def test_a_bootstrap_token_gives_the_bootstrappers_groups_and_no_others(world):
    world.lister.put(bootstrap_secret())
    user = world.identify(token="abcdef.0123456789abcdef")
    assert user.name == "system:bootstrap:abcdef"
    assert user.groups == ("system:bootstrappers", "system:bootstrappers:shop", "system:authenticated")
    assert world.refuses(token="abcdef.0123456789abcdeX")
    assert world.refuses(token="abcdef.")


@pytest.mark.parametrize(
    "data", [{"usage-bootstrap-authentication": "false"}, {"expiration": "2023-11-14T00:00:00Z"}, {"expiration": "x"}]
)
def test_a_bootstrap_token_that_is_over_or_for_something_else_is_refused(world, data):
    world.lister.put(bootstrap_secret(**data))
    assert world.refuses(token="abcdef.0123456789abcdef")


def test_a_fixed_token_has_its_user(world):
    assert world.identify(token="fixed").groups == ("system:authenticated",)


def test_the_same_seed_gives_the_same_keys():
    first, second = (pki.ca("a", pki.Terms(1e9, SeededRandom(3))) for _ in range(2))
    assert first == second


def test_a_signed_request_keeps_its_names_and_gets_the_usages_and_no_more_time_than_the_authority(world):
    key = pki.new_key(world.random)
    asked = pki.request(key, "system:node:n1", ["system:nodes"], names=["n1"], addresses=["10.0.0.1"])
    facts = pki.read_request(asked)
    assert facts == pki.RequestFacts("system:node:n1", ("system:nodes",), ("n1",), ("10.0.0.1",))
    usages = ["digital signature", "server auth"]
    terms = pki.Terms(world.clock.now(), world.random, 20 * pki.YEAR_S)
    certificate = x509.load_pem_x509_certificate(pki.sign(world.ca, asked, usages, terms))
    extended = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert [each._name for each in extended] == ["serverAuth"]
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["n1"]
    assert certificate.not_valid_after_utc.timestamp() == pki.expires_at(world.ca.certificate)
    assert not certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    with pytest.raises(ValueError):
        pki.read_request(b"-----BEGIN CERTIFICATE REQUEST-----\n-----END CERTIFICATE REQUEST-----\n")


def test_another_name_of_the_issuer_and_a_former_key_are_still_read(world):
    old_key, clock, random = pki.new_key(SeededRandom(9)), FakeClock(), SeededRandom(8)
    before = Issuer(old_key, clock, random, url="https://old.example.com")
    token = before.issue("shop", Reference("web", "u"), Bound(), before.audiences, 600)
    former = (pki.public_key(old_key),)
    urls = ("https://old.example.com",)
    after = Issuer(pki.new_key(random), clock, random, url="https://new.example.com", former=former, former_urls=urls)
    assert after.read(token).account.name == "web"
    assert after.key_set().count(b"kid") == 2
    with pytest.raises(InvalidToken):
        Issuer(pki.new_key(random), clock, random, url="https://new.example.com", former=former).read(token)
