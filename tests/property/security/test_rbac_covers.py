"""Escalation is refused exactly where some single permission is not held: covering against deciding."""

from __future__ import annotations

import itertools

from fake_lister import ALICE
from hypothesis import given, settings
from hypothesis import strategies as st

from cybernetes.auth.authz import Attributes
from cybernetes.auth.rules import Rule, missing

VERBS, GROUPS, RESOURCES, NAMES = ("get", "list"), ("", "apps"), ("pods", "pods/log", "scales"), ("x", "y")


def some(values: tuple[str, ...], *more: str) -> st.SearchStrategy[tuple[str, ...]]:
    return st.lists(st.sampled_from((*values, *more)), min_size=1, max_size=2, unique=True).map(tuple)


names = st.one_of(st.just(()), some(NAMES))
rules = st.builds(Rule, some(VERBS, "*"), some(GROUPS, "*"), some(RESOURCES, "*", "*/log"), names)
REQUESTS = [
    Attributes(ALICE, verb, group, resource=resource.split("/")[0], subresource=resource.partition("/")[2], name=name)
    for verb, group, resource, name in itertools.product(VERBS, GROUPS, RESOURCES, (*NAMES, "z"))
]


@settings(max_examples=400, deadline=None)
@given(st.lists(rules, max_size=4), st.lists(rules, max_size=2))
def test_who_covers_rules_may_do_all_that_they_allow(owned, wanted):
    if missing(owned, wanted):
        return
    for request in REQUESTS:
        if any(each.allows(request) for each in wanted):
            assert any(each.allows(request) for each in owned)


@settings(max_examples=200, deadline=None)
@given(st.lists(rules, max_size=4))
def test_nobody_lacks_what_he_has(owned):
    assert missing(owned, owned) == []


@settings(max_examples=200, deadline=None)
@given(st.lists(rules, max_size=3), st.lists(rules, min_size=1, max_size=2))
def test_what_is_missing_is_not_held(owned, wanted):
    """Each missing permission that names things plainly is one that the owner may not do."""
    for single in missing(owned, wanted):
        if "*" in (*single.verbs, *single.groups, *single.resources) or any("*/" in r for r in single.resources):
            continue
        resource, _, subresource = single.resources[0].partition("/")
        name = single.names[0] if single.names else "anything-else"
        request = Attributes(
            ALICE, single.verbs[0], single.groups[0], resource=resource, subresource=subresource, name=name
        )
        assert not any(each.allows(request) for each in owned)
