"""Tokens of other issuers: configuration, keys, claims, users."""

import asyncio
import json

import jwt as pyjwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from fake_lister import FakeLister

from cybernetes.auth import pki
from cybernetes.auth.asking import settled
from cybernetes.auth.authn import Authenticator, Nobody, Others
from cybernetes.auth.certificates import Authorities
from cybernetes.auth.oidc.config import ConfigError, parse
from cybernetes.auth.oidc.issuer import FETCH_PAUSE_S, JwtIssuer
from cybernetes.auth.tokens import InvalidToken, Issuer
from cybernetes.base.errors import ApiError, EdgeError
from cybernetes.base.random import SeededRandom
from cybernetes.wire.http.message import Request

URL = "https://idp.example.com"
HEAD = "apiVersion: apiserver.config.k8s.io/v1\nkind: AuthenticationConfiguration\n"
NOW = 1_760_000_000.0
USERNAME = "username: {claim: sub, prefix: 'idp:'}"


class Time:
    def __init__(self) -> None:
        self.ahead = 0.0

    def now(self):
        return NOW + self.ahead

    def monotonic(self):
        return self.ahead


class Idp:
    """Publishes keys and signs tokens."""

    def __init__(self, clock: Time) -> None:
        self.clock = clock
        self.keys = {"k1": ec.generate_private_key(ec.SECP256R1())}
        self.asked: list[str] = []
        self.discovery = {"issuer": URL, "jwks_uri": f"{URL}/keys"}
        self.down = False

    async def fetch(self, url):
        self.asked.append(url)
        if self.down:
            raise EdgeError("GET", url, "connection refused")
        if url.endswith("/keys"):
            kind = pyjwt.algorithms.ECAlgorithm
            rows = [{**kind.to_jwk(k.public_key(), as_dict=True), "kid": n, "use": "sig"} for n, k in self.keys.items()]
            return json.dumps({"keys": rows}).encode()
        return json.dumps(self.discovery).encode()

    def token(self, key="k1", algorithm="ES256", **claims):
        now = int(self.clock.now())
        body = {"iss": URL, "aud": "cluster", "sub": "ann", "exp": now + 600, "iat": now, **claims}
        body = {name: value for name, value in body.items() if value is not None}
        return pyjwt.encode(body, self.keys[key], algorithm, {"kid": key})


class World:
    def __init__(self, mappings=USERNAME, rules="", issuer="", **config):
        self.clock = Time()
        self.idp = Idp(self.clock)
        text = f"{HEAD}jwt:\n- issuer: {{url: {URL}, audiences: [cluster]{issuer}}}\n  claimMappings: {{{mappings}}}\n{rules}"
        (found,) = parse(text.encode()).jwt
        self.issuer = JwtIssuer(found, self.idp.fetch, self.clock)
        random = SeededRandom(1)
        own = Issuer(pki.new_key(random), self.clock, random)
        authority = pki.ca("ca", pki.Terms(NOW, random))
        self.others = Others([self.issuer])
        self.authenticator = Authenticator(
            FakeLister(), own, self.clock, Authorities(authority.certificate), others=self.others
        )

    def user(self, **claims):
        return self.of(self.idp.token(**claims))

    def of(self, token):
        return asyncio.run(settled(lambda: self.issuer.user(token)))[0]

    def identify(self, token=None, path="/api"):
        headers = {"authorization": f"Bearer {token}"} if token else {}
        return asyncio.run(settled(lambda: self.authenticator.identify(Request("GET", path, headers=headers))))


def test_a_token_is_its_bearers_and_goes_through_the_authenticator():
    world = World()
    user = world.identify(world.idp.token(jti="7"))
    assert (user.name, user.groups) == ("idp:ann", ("system:authenticated",))
    assert user.extra == {"authentication.kubernetes.io/credential-id": ["JTI=7"]}
    assert world.idp.asked == [f"{URL}/.well-known/openid-configuration", f"{URL}/keys"]


@pytest.mark.parametrize(
    "claims",
    [
        {"exp": NOW - 1},
        {"exp": None},
        {"nbf": NOW + 3600},
        {"aud": "another"},
        {"aud": None},
        {"iss": "https://evil.example.com"},
        {"sub": None},
        {"sub": 7},
        {"sub": ""},
    ],
)
def test_what_makes_a_token_invalid(claims):
    with pytest.raises(InvalidToken):
        World().user(**claims)


def test_one_of_several_audiences_is_enough():
    assert World().user(aud=["x", "cluster"]).name == "idp:ann"


def test_a_signature_by_another_key_of_the_same_name_is_worth_nothing():
    world = World()
    world.user()
    good = world.idp.keys["k1"]
    world.idp.keys["k1"] = ec.generate_private_key(ec.SECP256R1())
    forged = world.idp.token()
    world.idp.keys["k1"] = good
    with pytest.raises(InvalidToken):
        world.of(forged)


def test_the_token_does_not_choose_its_algorithm():
    world = World()
    for forged in (
        pyjwt.encode({"iss": URL, "aud": "cluster", "sub": "x", "exp": NOW + 60}, None, "none", {"kid": "k1"}),
        pyjwt.encode({"iss": URL, "aud": "cluster", "sub": "x", "exp": NOW + 60}, "s" * 32, "HS256", {"kid": "k1"}),
        pyjwt.encode(
            {"iss": URL, "aud": "cluster", "sub": "x", "exp": NOW + 60},
            rsa.generate_private_key(65537, 2048),
            "RS256",
            {"kid": "k1"},
        ),
    ):
        with pytest.raises(InvalidToken):
            world.of(forged)


def test_a_new_key_is_fetched_but_not_for_every_stranger():
    world = World()
    world.user()
    world.idp.keys["k2"] = ec.generate_private_key(ec.SECP256R1())
    with pytest.raises(InvalidToken):
        world.user(key="k2")
    assert len(world.idp.asked) == 2, "not asked again within the pause"
    world.clock.ahead += FETCH_PAUSE_S
    assert world.user(key="k2").name == "idp:ann"
    assert len(world.idp.asked) == 4


def test_keys_that_were_taken_back_are_forgotten():
    world = World()
    token = world.idp.token(exp=NOW + 1e6)
    world.of(token)
    world.idp.keys["k2"] = world.idp.keys.pop("k1")
    world.clock.ahead += 3601
    with pytest.raises(InvalidToken):
        world.of(token)


@pytest.mark.parametrize(
    "published",
    [
        {"issuer": "https://other.example.com", "jwks_uri": f"{URL}/keys"},
        {"issuer": URL, "jwks_uri": "http://x/keys"},
        {},
        [],
    ],
)
def test_a_discovery_document_that_is_not_to_be_believed_gives_no_keys(published):
    world = World()
    world.idp.discovery = published
    with pytest.raises(InvalidToken):
        world.user()


def test_an_issuer_that_does_not_answer_makes_its_tokens_unknown_and_no_error():
    world = World()
    world.idp.down = True
    with pytest.raises(ApiError) as caught:
        world.identify(world.idp.token())
    assert caught.value.code == 401


def test_discovery_may_be_elsewhere():
    world = World(issuer=", discoveryURL: 'https://inside.example.com/.well-known/openid-configuration'")
    world.user()
    assert world.idp.asked[0] == "https://inside.example.com/.well-known/openid-configuration"


GROUPS = f"{USERNAME}, groups: {{claim: groups, prefix: 'g:'}}"


@pytest.mark.parametrize(
    ("mappings", "claims", "expected"),
    [
        (GROUPS, {"groups": ["a", "b"]}, ("idp:ann", ("g:a", "g:b"), "", {})),
        (GROUPS, {"groups": "a"}, ("idp:ann", ("g:a",), "", {})),
        (GROUPS, {}, ("idp:ann", (), "", {})),
        (f"{USERNAME}, uid: {{claim: oid}}", {"oid": "u1"}, ("idp:ann", (), "u1", {})),
        ("username: {expression: \"claims.sub + '@x'\"}", {}, ("ann@x", (), "", {})),
        (
            f"{USERNAME}, groups: {{expression: \"claims.roles.split(',')\"}}",
            {"roles": "a,b"},
            ("idp:ann", ("a", "b"), "", {}),
        ),
        (f"{USERNAME}, groups: {{expression: claims.role}}", {"role": ""}, ("idp:ann", (), "", {})),
        (
            f"{USERNAME}, extra: [{{key: example.com/tenant, valueExpression: claims.tenant}}]",
            {"tenant": ["t"]},
            ("idp:ann", (), "", {"example.com/tenant": ["t"]}),
        ),
        (
            f"{USERNAME}, extra: [{{key: a.b/c, valueExpression: claims.tenant}}]",
            {"tenant": ""},
            ("idp:ann", (), "", {}),
        ),
        ("username: {claim: email, prefix: ''}", {"email": "a@b", "email_verified": True}, ("a@b", (), "", {})),
        ("username: {claim: email, prefix: ''}", {"email": "a@b"}, ("a@b", (), "", {})),
    ],
)
def test_claims_become_a_user(mappings, claims, expected):
    user = World(mappings).user(**claims)
    assert (user.name, tuple(g for g in user.groups if g != "system:authenticated"), user.uid, user.extra) == expected


@pytest.mark.parametrize(
    ("mappings", "claims"),
    [
        ("username: {claim: email, prefix: ''}", {"email": "a@b", "email_verified": False}),
        ("username: {claim: email, prefix: ''}", {"email": "a@b", "email_verified": "true"}),
        ("username: {expression: claims.name}", {"name": ""}),
        ("username: {expression: claims.name}", {"name": 7}),
        ("username: {expression: claims.name}", {}),
        (GROUPS, {"groups": [1]}),
        (GROUPS, {"groups": {"a": "b"}}),
        (f"{USERNAME}, uid: {{claim: oid}}", {}),
    ],
)
def test_claims_that_make_no_user(mappings, claims):
    with pytest.raises(InvalidToken):
        World(mappings).user(**claims)


def test_rules_about_claims_and_users():
    rules = """  claimValidationRules:
  - {claim: hd, requiredValue: example.com}
  - {expression: "claims.exp - claims.iat <= 900", message: "lives too long"}
  userValidationRules:
  - {expression: "!user.username.startsWith('idp:system')", message: "a reserved name"}
"""
    world = World(rules=rules)
    assert world.user(hd="example.com").name == "idp:ann"
    for claims, says in (
        ({}, "hd not present"),
        ({"hd": "evil.com"}, "hd value does not match"),
        ({"hd": "example.com", "exp": int(NOW) + 9999}, "lives too long"),
        ({"hd": "example.com", "sub": "system:admin"}, "a reserved name"),
    ):
        with pytest.raises(InvalidToken, match=says):
            world.user(**claims)


def test_a_changed_configuration_holds_at_once_for_tokens_that_were_believed():
    world = World()
    token = world.idp.token()
    world.identify(token)
    world.others.change([], Nobody())
    with pytest.raises(ApiError):
        world.identify(token)


def test_who_is_nobody_may_ask_what_the_configuration_says():
    world = World()
    world.others.change([], Nobody(True, frozenset(("/version",))))
    assert world.identify(path="/version").name == "system:anonymous"
    with pytest.raises(ApiError):
        world.identify(path="/livez")
    world.others.change([], Nobody(True, None))
    assert world.identify(path="/api").name == "system:anonymous"
    world.others.change([], Nobody(False, None))
    with pytest.raises(ApiError):
        world.identify(path="/livez")


ISSUER = "issuer: {url: https://a.example.com, audiences: [x]}"
MAPPED = f"claimMappings: {{{USERNAME}}}"


@pytest.mark.parametrize(
    ("jwt", "says"),
    [
        (f"{{issuer: {{url: http://a, audiences: [x]}}, {MAPPED}}}", "scheme must be https"),
        (f"{{issuer: {{url: 'https://u:p@a', audiences: [x]}}, {MAPPED}}}", "username"),
        (f"{{issuer: {{url: 'https://own.example.com', audiences: [x]}}, {MAPPED}}}", "service account"),
        (f"{{issuer: {{url: https://a, audiences: []}}, {MAPPED}}}", "audiences"),
        (f"{{issuer: {{url: https://a, audiences: [x, y]}}, {MAPPED}}}", "audienceMatchPolicy"),
        (f"{{issuer: {{url: https://a, audiences: [x], discoveryURL: https://a/}}, {MAPPED}}}", "different from url"),
        (f"{{issuer: {{url: https://a, audiences: [x], certificateAuthority: pem}}, {MAPPED}}}", "certificate"),
        (f"{{{ISSUER}, claimMappings: {{username: {{}}}}}}", "claim or expression"),
        (f"{{{ISSUER}, claimMappings: {{username: {{claim: sub}}}}}}", "prefix"),
        (f"{{{ISSUER}, claimMappings: {{username: {{claim: a, prefix: '', expression: claims.a}}}}}}", "both"),
        (f"{{{ISSUER}, claimMappings: {{username: {{expression: 'claims.'}}}}}}", "compilation failed"),
        (f"{{{ISSUER}, claimMappings: {{username: {{expression: '1'}}}}}}", "string"),
        (f"{{{ISSUER}, claimMappings: {{username: {{expression: claims.email}}}}}}", "email_verified"),
        (
            f"{{{ISSUER}, claimMappings: {{{USERNAME}, extra: [{{key: Foo, valueExpression: claims.a}}]}}}}",
            "lower case",
        ),
        (
            f"{{{ISSUER}, claimMappings: {{{USERNAME}, extra: [{{key: k8s.io/a, valueExpression: claims.a}}]}}}}",
            "reserved",
        ),
        (f"{{{ISSUER}, {MAPPED}, claimValidationRules: [{{}}]}}", "either claim or expression"),
        (f"{{{ISSUER}, {MAPPED}, userValidationRules: [{{expression: user.username}}]}}", "bool"),
        (f"{{{ISSUER}, {MAPPED}, userValidationRules: [{{expression: user.nothing}}]}}", "compilation failed"),
        (f"{{{ISSUER}, {MAPPED}}}, {{{ISSUER}, {MAPPED}}}", "twice"),
    ],
)
def test_what_is_wrong_with_a_configuration_is_said(jwt, says):
    with pytest.raises(ConfigError, match=says):
        parse(f"{HEAD}jwt: [{jwt}]".encode(), ("https://own.example.com",))


def test_conditions_for_nobody_need_that_nobody_is_let_in():
    with pytest.raises(ConfigError, match="enabled"):
        parse(f"{HEAD}anonymous: {{enabled: false, conditions: [{{path: /a}}]}}".encode())
