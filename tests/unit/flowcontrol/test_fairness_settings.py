"""Objects to seats, requests to schemas, borrowing, seats of lists."""

from __future__ import annotations

from typing import Any

import pytest

from cybernetes.apiserver.flowcontrol import borrowing, matching, settings
from cybernetes.apiserver.flowcontrol.borrowing import DemandMeter, Wish
from cybernetes.apiserver.flowcontrol.gate import RetryAfter
from cybernetes.apiserver.flowcontrol.seats import estimate
from cybernetes.apiserver.flowcontrol.settings import Seats
from cybernetes.apiserver.request import RequestInfo
from cybernetes.auth.user import User
from cybernetes.model import fairness
from cybernetes.wire.http.message import Request

LEVELS = [settings.read(each) for each in fairness.levels()]


def info(verb: str = "list", resource: str = "pods", group: str = "", **more: str) -> RequestInfo:
    return RequestInfo("/x", verb, True, group, "v1", resource, **more)


def test_the_server_is_divided_by_shares() -> None:
    seats = settings.seats(LEVELS, 600)
    assert {name: each.nominal for name, each in seats.items()} == {
        "exempt": 0, "catch-all": 13, "system": 74, "node-high": 98, "leader-election": 25, "workload-high": 98,
        "workload-low": 245, "global-default": 49,
    }  # fmt: skip
    assert seats["workload-low"].minimum == 245 - 220
    assert seats["catch-all"].maximum == 600


@pytest.mark.parametrize(
    ("user", "asked", "schema"),
    [
        (User("admin", groups=("system:masters",)), info(), "exempt"),
        (User("ann", groups=("system:authenticated",)), info(), "global-default"),
        (User("ann", groups=("system:authenticated",)), RequestInfo("/healthz", "get"), "probes"),
        (User("ann", groups=("system:authenticated",)), RequestInfo("/healthz/etcd", "get"), "global-default"),
        (User("system:node:a", groups=("system:nodes",)), info("update", "nodes", name="a"), "system-node-high"),
        (User("system:node:a", groups=("system:nodes",)), info(namespace="shop"), "system-nodes"),
        (
            User("system:kube-scheduler"),
            info("update", "leases", "coordination.k8s.io", namespace="kube-system"),
            "system-leader-election",
        ),
        (User("system:kube-scheduler"), info(namespace="shop"), "kube-scheduler"),
        (
            User("system:serviceaccount:kube-system:dns", groups=("system:serviceaccounts",)),
            info(namespace="x"),
            "kube-system-service-accounts",
        ),
        (
            User("system:serviceaccount:shop:web", groups=("system:serviceaccounts",)),
            info(namespace="shop"),
            "service-accounts",
        ),
        (User("nobody"), info(), None),
    ],
)
def test_the_first_schema_that_fits_takes_a_request(user: User, asked: RequestInfo, schema: str | None) -> None:
    classifier = matching.Classifier(map(matching.read, fairness.schemas()))
    found = classifier.classify(user, asked)
    assert (found.name if found else None) == schema
    assert classifier.classify(user, asked) is found


def test_flows_are_kept_apart_by_user_or_namespace() -> None:
    schemas = {each.name: each for each in map(matching.read, fairness.schemas())}
    asked = info(namespace="shop")
    assert matching.distinguisher(schemas["service-accounts"], User("ann"), asked) == "ann"
    assert matching.distinguisher(schemas["kube-scheduler"], User("ann"), asked) == "shop"
    assert matching.distinguisher(schemas["exempt"], User("ann"), asked) == ""


def test_demand_is_averaged_over_its_time() -> None:
    meter = DemandMeter(0.0)
    meter.change(10, 1.0)
    meter.change(-10, 2.0)
    demand = meter.take(4.0)
    assert (demand.high, demand.average) == (10, 2.5)
    assert demand.envelope == pytest.approx(2.5 + 4.33, abs=0.01)
    assert meter.take(5.0).high == 0


def test_idle_levels_lend_and_get_back_what_they_want() -> None:
    busy, idle = Seats(50, 40, 100), Seats(50, 10, 100)
    lent = borrowing.allocate({"busy": Wish(busy, 90, 90.0), "idle": Wish(idle, 0, 0.0)}, 100)
    assert lent == {"busy": 90, "idle": 10}
    back = borrowing.allocate({"busy": Wish(busy, 90, 90.0), "idle": Wish(idle, 70, 70.0)}, 100)
    assert back == {"busy": 50, "idle": 50}
    limited = borrowing.allocate({"busy": Wish(Seats(50, 40, 60), 90, 90.0), "idle": Wish(idle, 0, 0.0)}, 100)
    assert limited["busy"] == 60


@pytest.mark.parametrize(
    ("asked", "query", "stored", "seats"),
    [
        (info(), {}, 50, 1),
        (info(), {}, 450, 5),
        (info(), {}, 100_000, 10),
        (info(), {"limit": ["200"]}, 100_000, 2),
        (info(), {"limit": ["200"], "labelSelector": ["a=b"]}, 400, 4),
        (info(name="one"), {}, 100_000, 1),
        (info("get"), {}, 100_000, 1),
        (info("watch"), {}, 100_000, 10),
        (info("watch"), {"resourceVersion": ["77"]}, 100_000, 1),
    ],
)
def test_long_lists_take_more_seats(asked: RequestInfo, query: dict[str, list[str]], stored: int, seats: int) -> None:
    request: Any = Request("GET", "/x", query, {}, b"")
    assert estimate(request, asked, stored, 245) == seats
    assert estimate(request, asked, stored, 10) == 1, "a small level gives no list more than a part of it"


def test_clients_stay_away_longer_while_many_are_refused() -> None:
    retry = RetryAfter()
    assert retry.refused(0.0) == 1
    for _ in range(20):
        retry.refused(0.5)
    assert retry.refused(1.5) == 2
    assert retry.refused(9.0) == 1
