"""Decides whether this node takes a pod that was bound to it.

source  Kubernetes, pkg/kubelet/lifecycle: order of the questions, reasons and messages
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from cybernetes.kubelet import eviction, pods, preemption, resources, security
from cybernetes.kubelet.pods import Object
from cybernetes.kubelet.resources import Amounts
from cybernetes.kubelet.tools import Tools
from cybernetes.kubelet.verdict import Rejection, Verdict
from cybernetes.model import placement
from cybernetes.model.validation.resources import is_extended


class Around(msgspec.Struct, frozen=True):
    """The node that decides.

    active    the pods that it runs now, among them the one to decide about
    node      this machine's Node object as last seen; None before it was
    released  called when a pod needs less of the node than before
    end       ends a pod for good
    """

    active: Callable[[], Sequence[Object]]
    pressures: Callable[[], frozenset[str]]
    node: Callable[[], Object | None]
    released: Callable[[], None]
    end: Callable[[Object, Verdict], None]


class Admission:
    def __init__(self, tools: Tools, around: Around) -> None:
        self._tools = tools
        self._around = around

    def released(self) -> None:
        self._around.released()

    def others(self, pod: Object) -> list[Object]:
        return [each for each in self._around.active() if pods.uid(each) != pods.uid(pod)]

    def decide(self, pod: Object) -> Rejection | None:
        others = self.others(pod)
        config = self._tools.config
        pressed = eviction.rejection(pod, self._around.pressures())
        if pressed is not None:
            return pressed
        unsafe = security.forbidden_sysctl(pod, config.allowed_unsafe_sysctls)
        if unsafe:
            return Rejection("SysctlForbidden", f'forbidden sysctl: "{unsafe}" not allowlisted')
        if (pod["spec"].get("os") or {}).get("name") not in (None, "linux"):
            return Rejection("PodOSNotSupported", "Failed to admit pod as the OS field doesn't match node OS")
        unknown = unsupported(pod)
        if unknown:
            return Rejection("PodFeatureUnsupported", unknown)
        node = self._around.node()
        misplaced = unwanted(pod, node)
        if misplaced is not None:
            return misplaced
        allocatable = offered(self._tools.allocatable, node)
        short = short_of(pod, others, allocatable)
        if short is not None and not self._make_room(pod, others, allocatable):
            return short
        return ports_taken(pod, others)

    def _make_room(self, pod: Object, others: Sequence[Object], allocatable: Amounts) -> bool:
        """End pods for a critical one. They stop while it starts: their share is its from now on."""
        if not pods.is_critical(pod):
            return False
        chosen = preemption.victims(pod, others, preemption.missing(pod, others, allocatable))
        for each in chosen:
            self._tools.say(each, "", "Warning", "Preempting", preemption.EVENT)
            self._around.end(each, preemption.VERDICT)
        return bool(chosen)


def unwanted(pod: Object, node: Object | None) -> Rejection | None:
    """Whoever binds a pod may have seen another node than this is now, or not have looked at it at all."""
    if node is None or pods.is_static(pod):
        return None
    meta, spec = node["metadata"], pod["spec"]
    if not placement.wants(spec, meta["name"], meta.get("labels") or {}):
        text = "Predicate NodeAffinity failed: node(s) didn't match Pod's node affinity/selector"
        return Rejection("NodeAffinity", text)
    for taint in (node.get("spec") or {}).get("taints") or ():
        if taint.get("effect") == "NoExecute" and not placement.bears(spec.get("tolerations") or (), taint):
            shown = f"{{{taint['key']}: {taint.get('value') or ''}}}"
            return Rejection(
                "TaintToleration", f"Predicate TaintToleration failed: node(s) had untolerated taint {shown}"
            )
    return None


def unsupported(pod: Object) -> str:
    """What this node can't do for the pod, rather than half of it; "" when it can do everything."""
    if pod["spec"].get("hostUsers") is False:
        return "hostUsers: false needs a runtime with user namespaces, which this node does not have"
    if pod["spec"].get("resourceClaims"):
        return "resourceClaims: no driver can prepare devices on this node"
    return ""


def offered(own: Amounts, node: Object | None) -> Amounts:
    """What pods may have: what this kubelet found, and the extended resources that others say the node has."""
    told = ((node or {}).get("status") or {}).get("allocatable") or {}
    return {**{name: resources.amount(name, text) for name, text in told.items() if is_extended(name)}, **own}


def short_of(pod: Object, others: Sequence[Object], allocatable: Amounts) -> Rejection | None:
    """The first resource that the node has not enough of.

    Extended resources that nobody says the node has are not asked for: who bound the pod may know better.
    """
    room = allocatable.get("pods", 0)
    if len(others) + 1 > room:
        return _short("pods", 1, len(others), room)
    used: dict[str, int] = {}
    for each in others:
        for name, value in resources.pod_requests(each).items():
            used[name] = used.get(name, 0) + value
    for name, value in sorted(resources.pod_requests(pod).items()):
        if name not in allocatable and is_extended(name):
            continue
        if value and used.get(name, 0) + value > allocatable.get(name, 0):
            return _short(name, value, used.get(name, 0), allocatable.get(name, 0))
    return None


def _short(name: str, requested: int, used: int, capacity: int) -> Rejection:
    text = f"Node didn't have enough resource: {name}, requested: {requested}, used: {used}, capacity: {capacity}"
    return Rejection(f"OutOf{name}", text)


def ports_taken(pod: Object, others: Sequence[Object]) -> Rejection | None:
    taken = {port for each in others for port in _host_ports(each)}
    for ip, protocol, port in _host_ports(pod):
        for other_ip, other_protocol, other_port in taken:
            same = (protocol, port) == (other_protocol, other_port)
            if same and (ip == other_ip or "0.0.0.0" in (ip, other_ip)):
                return Rejection(
                    "NodePorts",
                    "Predicate NodePorts failed: node(s) didn't have free ports for the requested pod ports",
                )
    return None


def _host_ports(pod: Object) -> list[tuple[str, str, int]]:
    return [
        (port.get("hostIP") or "0.0.0.0", port.get("protocol") or "TCP", int(port["hostPort"]))
        for each in [*pods.containers(pod), *(c for c in pods.init_containers(pod) if pods.is_sidecar(c))]
        for port in each.get("ports") or ()
        if port.get("hostPort")
    ]
