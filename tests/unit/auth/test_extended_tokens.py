"""Tokens of pods that last longer than was asked for, where the server is told to make such."""

import json
from base64 import urlsafe_b64decode

from cybernetes.apiserver.reviews.token_request import EXTENDED_S, _may_be_extended
from cybernetes.auth import pki
from cybernetes.auth.tokens import Bound, Issuer, Reference
from cybernetes.base.random import SeededRandom


class Noon:
    def now(self):
        return 1_760_000_000.0


def issuer() -> Issuer:
    return Issuer(pki.new_key(SeededRandom(1)), Noon(), SeededRandom(2))


def test_only_a_pods_own_token_that_nobody_chose_a_time_for_is_extended():
    own, pod = issuer(), Bound(pod=Reference("web", "u"))
    for seconds, bound, audiences, extended in (
        (3607, pod, own.audiences, True),
        (3600, pod, own.audiences, False),
        (3607, Bound(), own.audiences, False),
        (3607, pod, ["vault"], False),
    ):
        assert _may_be_extended({"expirationSeconds": seconds, "audiences": audiences}, bound, own) is extended


def test_an_extended_token_says_when_its_bearer_should_have_come_again():
    token = issuer().issue("a", Reference("b", "c"), Bound(), ("x",), EXTENDED_S, warn_after_s=3607)
    payload = token.split(".")[1]
    claims = json.loads(urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    assert claims["exp"] - claims["iat"] == EXTENDED_S
    assert claims["kubernetes.io"]["warnafter"] - claims["iat"] == 3607
