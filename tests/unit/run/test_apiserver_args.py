"""Flags of the API server: what people type, and what they are told."""

from __future__ import annotations

import pytest

from cybernetes.run.apiserver_args import ApiServerArgs, changed, names, presets


def test_texts_become_values_of_their_kind() -> None:
    args = changed(ApiServerArgs(), {"audit-log-maxage": "7", "anonymous-auth": "false", "api-audiences": "a,b"})
    assert (args.audit_log_maxage, args.anonymous_auth, args.api_audiences) == (7, False, ("a", "b"))


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("audit-log-age", "7", "has no flag --audit-log-age; did you mean --audit-log-maxage"),
        ("zzzz", "7", "has no flag --zzzz; `cybernetes apiserver --help` lists them"),
        ("audit-log-maxage", "old", "--audit-log-maxage=old: Expected `int`"),
        ("request-timeout", "soon", "request-timeout: .*soon"),
    ],
)
def test_a_wrong_flag_is_named_with_what_it_may_be(name: str, text: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        changed(ApiServerArgs(), {name: text})


def test_every_flag_says_what_it_is_when_nobody_gives_it() -> None:
    found = presets()
    assert set(found) == set(names()) and all(found.values())
    assert (found["anonymous-auth"], found["authorization-mode"], found["oidc-issuer-url"]) == (
        "true",
        "Node,RBAC",
        "none",
    )
