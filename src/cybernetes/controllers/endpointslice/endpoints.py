"""Which endpoints a Service should have: one per pod that can be reached, with its condition.

source  Kubernetes documentation "EndpointSlices"
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from cybernetes.controllers import pods
from cybernetes.controllers.endpointslice.hints import ZONE_LABEL
from cybernetes.controllers.endpointslice.objects import Conditions, Endpoint, Hints, Named, Port, Ports, TargetRef
from cybernetes.controllers.objects import Node, Pod, Service, ServicePort


def families(service: Service) -> tuple[str, ...]:
    """IPv4, IPv6, or both."""
    if service.spec.ip_families:
        return service.spec.ip_families
    return ("IPv6",) if ":" in service.spec.cluster_ip else ("IPv4",)


def is_followed(service: Service) -> bool:
    """Whether its endpoints are the pods that it selects: others bring their own, and another name has none."""
    return bool(service.spec.selector) and service.spec.type != "ExternalName"


def is_headless(service: Service) -> bool:
    return service.spec.cluster_ip == "None"


def desired(
    service: Service, selected: Sequence[Pod], nodes: Mapping[str, Node], family: str
) -> dict[Ports, list[Endpoint]]:
    """Endpoints of one family by the ports that they have; named target ports may differ from pod to pod."""
    found: dict[Ports, list[Endpoint]] = {}
    for pod in selected:
        address = address_of(pod, family)
        if pods.is_terminal(pod) or not address:
            continue
        ports = ports_of(service, pod)
        if ports or (is_headless(service) and not service.spec.ports):
            endpoint = endpoint_of(service, pod, address, nodes.get(pod.spec.node_name))
            found.setdefault(ports, []).append(endpoint)
    return found


def address_of(pod: Pod, family: str) -> str:
    """The pod's address of this family; "" when it has none (yet)."""
    listed = [each.ip for each in pod.status.pod_ips] or [pod.status.pod_ip]
    return next((ip for ip in listed if ip and (":" in ip) == (family == "IPv6")), "")


def ports_of(service: Service, pod: Pod) -> Ports:
    found = []
    for each in service.spec.ports:
        number = target_port(each, pod)
        if number:
            found.append(
                Port(name=each.name, port=number, protocol=each.protocol, app_protocol=each.app_protocol or "")
            )
    return tuple(sorted(found))


def target_port(port: ServicePort, pod: Pod) -> int:
    """The container port that a service port leads to; 0 when the pod has none of that name and protocol."""
    if isinstance(port.target_port, int):
        return port.target_port or port.port
    sidecars = (each for each in pod.spec.init_containers if each.restart_policy == "Always")
    for container in (*pod.spec.containers, *sidecars):
        for each in container.ports:
            if each.name == port.target_port and each.protocol == port.protocol:
                return each.container_port
    return 0


def endpoint_of(service: Service, pod: Pod, address: str, node: Node | None) -> Endpoint:
    serving = pods.is_ready(pod)
    terminating = bool(pod.metadata.deletion_timestamp)
    ready = service.spec.publish_not_ready_addresses or (serving and not terminating)
    zone = node.metadata.labels.get(ZONE_LABEL) if node else None
    return Endpoint(
        addresses=(address,),
        conditions=Conditions(ready=ready, serving=serving, terminating=terminating),
        hostname=hostname_of(service, pod),
        target_ref=target_ref(pod),
        node_name=pod.spec.node_name or None,
        zone=zone,
        hints=_hints(service, pod, zone, ready),
    )


def hostname_of(service: Service, pod: Pod) -> str | None:
    """The name that DNS gives the pod within the service."""
    return pod.spec.hostname if pod.spec.hostname and pod.spec.subdomain == service.metadata.name else None


def target_ref(pod: Pod) -> TargetRef:
    metadata = pod.metadata
    return TargetRef(kind="Pod", namespace=metadata.namespace, name=metadata.name, uid=metadata.uid)


def _hints(service: Service, pod: Pod, zone: str | None, ready: bool) -> Hints | None:
    """For whom the endpoint is the near one."""
    if not ready:
        return None
    zones = (Named(name=zone),) if zone else ()
    match service.spec.traffic_distribution:
        case "PreferClose" | "PreferSameZone" if zones:
            return Hints(for_zones=zones)
        case "PreferSameNode" if pod.spec.node_name:
            # Nodes without an endpoint fall back to those of their zone.
            return Hints(for_zones=zones, for_nodes=(Named(name=pod.spec.node_name),))
    return None
