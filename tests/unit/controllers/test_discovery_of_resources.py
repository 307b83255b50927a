"""What controllers that work on all resources learn of them."""

from __future__ import annotations

import virtual
from fake_api import FakeApi

from cybernetes.client.api import ApiClient
from cybernetes.client.target import DEPLOYMENTS, NODES, PODS
from cybernetes.controllers.discovery import Discovery, discover


def discovered(stale: str = "") -> tuple[Discovery, FakeApi]:
    async def main() -> tuple[Discovery, FakeApi]:
        clock = virtual.VirtualClock()
        api = FakeApi(clock)
        api.stale = frozenset({stale} if stale else ())
        return await discover(ApiClient(api, user_agent="test", clock=clock)), api

    return virtual.run(main())


def test_everything_is_learned_in_two_requests() -> None:
    found, api = discovered()
    targets = [each.target for each in found.resources]
    assert {PODS, NODES, DEPLOYMENTS} <= set(targets)
    assert len(targets) == len(set(targets))
    assert found.failures == ()
    assert all("list" in each.verbs for each in found.resources)
    assert api.requests == [("GET", "/api"), ("GET", "/apis")]


def test_a_group_whose_server_is_away_is_a_failure_and_hides_no_other() -> None:
    found, _ = discovered(stale="apps")
    assert found.failures == ("apps/v1: stale GroupVersion discovery: apps/v1",)
    targets = [each.target for each in found.resources]
    assert PODS in targets and DEPLOYMENTS not in targets
