"""NetworkPolicies and real packets: what passes between pods, from outside and from the node, in both families."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from typing import Any

import orjson
import pytest

from cybernetes.network.objects import Node
from cybernetes.network.policy.objects import decode_namespace, decode_pod, decode_policy
from cybernetes.network.policy.script import change_script, install_script, look_script, remove_script
from cybernetes.network.policy.state import State

from ..proxy import lab

pytestmark = pytest.mark.privileged

WEB, DATA = lab.pod(1), lab.pod(2)
NODE = "n1"
RANGES = ("10.77.0.0/16", "fd77::/16")


def pod(number: int, app: str) -> dict[str, Any]:
    ports = [{"name": "http", "containerPort": lab.PORT, "protocol": "TCP"}]
    return {
        "metadata": {"namespace": "shop", "name": app, "labels": {"app": app}},
        "spec": {"nodeName": NODE, "containers": [{"ports": ports}]},
        "status": {"phase": "Running", "podIPs": [{"ip": lab.pod_ip(number, family)} for family in (4, 6)]},
    }


def policy(**spec: Any) -> dict[str, Any]:
    types = [each for each in ("Ingress", "Egress") if each.lower() in spec]
    given = {"podSelector": {"matchLabels": {"app": "data"}}, "policyTypes": types, **spec}
    return {"metadata": {"namespace": "shop", "name": "of-data"}, "spec": given}


class Filtered:
    """A node with two pods, `web` and `data`; policies come one after the other."""

    def __init__(self) -> None:
        self.state = State(NODE)
        self._policy: Any = None
        self.state.reduce_namespace(
            "shop", None, decode_namespace(b'{"metadata":{"name":"shop","labels":{"of":"us"}}}')
        )
        for number, app in ((1, "web"), (2, "data")):
            self.state.reduce_pod(f"shop/{app}", None, decode_pod(orjson.dumps(pod(number, app))))
        self.state.reduce_node(NODE, None, Node(NODE, RANGES))
        self.run(install_script(self.state.ledger.everything()))

    def run(self, script: str) -> None:
        done = subprocess.run(
            ["ip", "netns", "exec", lab.NODE, "nft", "-f", "-"],
            input=script,
            text=True,
            capture_output=True,
            check=False,
        )
        assert done.returncode == 0, f"{done.stderr}\n{script}"

    def apply(self, wanted: dict[str, Any] | None) -> None:
        read = decode_policy(orjson.dumps(wanted)) if wanted is not None else None
        self.state.reduce_policy("shop/of-data", self._policy, read)
        self._policy = read
        self.run(change_script(self.state.ledger.changes()))


@pytest.fixture(scope="module")
def filtered() -> Iterator[Filtered]:
    with lab.Lab(pods=2):
        yield Filtered()


def passes(caller: str, address: str, *, udp: bool = False) -> bool:
    """Whether there is an answer, which a busy machine may take its time for."""
    try:
        lab.ask(caller, address, lab.PORT, udp=udp)
    except TimeoutError:
        return False
    return True


def dropped(caller: str, address: str, *, udp: bool = False) -> bool:
    """Whether no answer came in the time in which it usually does."""
    try:
        lab.ask(caller, address, lab.PORT, udp=udp, timeout_s=0.4)
    except TimeoutError:
        return True
    return False


FROM_WEB = {"podSelector": {"matchLabels": {"app": "web"}}}
FROM_US = {"namespaceSelector": {"matchLabels": {"of": "us"}}}
FROM_OUTSIDE = [{"ipBlock": {"cidr": f"{lab.CLIENT_IP[4]}/24"}}, {"ipBlock": {"cidr": "fd02::/64"}}]
BUT_NOT_THIS = [{"ipBlock": {"cidr": "0.0.0.0/0", "except": [f"{lab.CLIENT_IP[4]}/32", "192.0.2.0/24"]}}]
# (what comes in of `data`, whether the pod `web` gets through, whether the client outside does)
INGRESS: list[tuple[list[dict[str, Any]], bool, bool]] = [
    ([], False, False),
    ([{}], True, True),
    ([{"from": [FROM_WEB]}], True, False),
    ([{"from": [FROM_US]}], True, False),
    ([{"from": [{**FROM_WEB, "namespaceSelector": {"matchLabels": {"of": "them"}}}]}], False, False),
    ([{"from": FROM_OUTSIDE}], False, True),
    ([{"from": BUT_NOT_THIS}], True, False),
    ([{"from": [FROM_WEB], "ports": [{"protocol": "TCP", "port": "http"}]}], True, False),
    ([{"ports": [{"protocol": "TCP", "port": 1}]}], False, False),
    ([{"ports": [{"protocol": "TCP", "port": 8000, "endPort": 9000}, {"protocol": "TCP", "port": 8080}]}], True, True),
    ([{"from": [FROM_WEB]}, {"from": FROM_OUTSIDE}], True, True),
]


@pytest.mark.parametrize("family", [4, 6])
@pytest.mark.parametrize(("rules", "web_passes", "client_passes"), INGRESS)
def test_what_comes_in(
    filtered: Filtered, rules: list[dict[str, Any]], web_passes: bool, client_passes: bool, family: int
) -> None:
    filtered.apply(policy(ingress=rules))
    address = lab.pod_ip(2, family)
    # A block of the other family says nothing of this one.
    expected_web = web_passes and not (family == 6 and rules and rules[0].get("from") == BUT_NOT_THIS)
    assert (passes if expected_web else dropped)(WEB, address)
    assert (passes if client_passes else dropped)(lab.CLIENT, address)
    assert passes(lab.NODE, address), "its own node always reaches a pod"
    assert passes(lab.CLIENT, lab.pod_ip(1, family)), "a pod that no policy selects is open"
    assert passes(DATA, lab.pod_ip(1, family)), "answers come in"


@pytest.mark.parametrize("family", [4, 6])
def test_what_goes_out(filtered: Filtered, family: int) -> None:
    web = lab.pod_ip(1, family)
    filtered.apply(policy(egress=[]))
    assert dropped(DATA, web)
    filtered.apply(policy(egress=[{"to": [FROM_WEB], "ports": [{"protocol": "UDP", "port": lab.PORT}]}]))
    assert dropped(DATA, web)
    assert passes(DATA, web, udp=True)
    filtered.apply(policy(egress=[{"to": [FROM_WEB], "ports": [{"protocol": "TCP", "port": "http"}]}]))
    assert passes(DATA, web)
    assert dropped(DATA, web, udp=True)
    filtered.apply(policy(egress=[{}]))
    assert passes(DATA, web)
    assert passes(WEB, lab.pod_ip(2, family)), "what comes in is not its matter"


def test_a_pod_is_closed_before_its_address_is_known(filtered: Filtered) -> None:
    filtered.apply(policy(ingress=[]))
    known = decode_pod(orjson.dumps(pod(2, "data")))
    starting = decode_pod(orjson.dumps({**pod(2, "data"), "status": {"phase": "Pending"}}))
    filtered.state.reduce_pod("shop/data", known, starting)
    filtered.run(change_script(filtered.state.ledger.changes()))
    assert dropped(WEB, lab.pod_ip(2)) and dropped(WEB, lab.pod_ip(2, 6))
    assert passes(DATA, lab.pod_ip(1)), "of what it sends no policy says anything"
    filtered.state.reduce_pod("shop/data", starting, known)
    filtered.run(change_script(filtered.state.ledger.changes()))
    assert dropped(WEB, lab.pod_ip(2))


def test_a_policy_that_goes_opens_its_pods(filtered: Filtered) -> None:
    filtered.apply(policy(ingress=[]))
    assert dropped(WEB, lab.pod_ip(2))
    filtered.apply(None)
    assert passes(WEB, lab.pod_ip(2))


def test_the_table_is_replaced_seen_and_removed(filtered: Filtered) -> None:
    filtered.apply(policy(ingress=[]))
    filtered.run(install_script(filtered.state.ledger.everything()))
    filtered.run(look_script())
    assert dropped(WEB, lab.pod_ip(2))
    filtered.run(remove_script())
    filtered.run(remove_script())
    assert passes(WEB, lab.pod_ip(2))
    with pytest.raises(AssertionError, match="No such file"):
        filtered.run(look_script())
    filtered.run(install_script(filtered.state.ledger.everything()))
