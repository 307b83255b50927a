"""Services.

source  Kubernetes, pkg/apis/core/validation: Service and ServiceUpdate
"""

from __future__ import annotations

from typing import Any

from cybernetes.model.field import FieldError, Path, duplicate, forbidden, invalid, not_supported, required
from cybernetes.model.validation import names
from cybernetes.model.validation.meta import validate_labels

Service = dict[str, Any]
_SPEC = Path("spec")
_TYPES = ("ClusterIP", "ExternalName", "LoadBalancer", "NodePort")
_PROTOCOLS = ("SCTP", "TCP", "UDP")
_FAMILIES = ("IPv4", "IPv6")
_FAMILY_POLICIES = ("PreferDualStack", "RequireDualStack", "SingleStack")
_DISTRIBUTIONS = ("PreferClose", "PreferSameZone", "PreferSameNode")
_AFFINITY_SECONDS_MAX = 86400
_KUBELET_PORT = 10250
_ONLY_LOAD_BALANCER = "may only be used when `type` is 'LoadBalancer'"


def is_headless(spec: dict[str, Any]) -> bool:
    return spec.get("clusterIP") == "None"


def is_externally_accessible(spec: dict[str, Any]) -> bool:
    kind = spec.get("type")
    return kind in ("LoadBalancer", "NodePort") or (kind == "ClusterIP" and bool(spec.get("externalIPs")))


def needs_health_check(spec: dict[str, Any]) -> bool:
    return spec.get("type") == "LoadBalancer" and spec.get("externalTrafficPolicy") == "Local"


def validate_service(service: Service) -> list[FieldError]:
    spec = service.get("spec") or {}
    ports = spec.get("ports") or []
    errors: list[FieldError] = []
    if not ports and not is_headless(spec) and spec.get("type") != "ExternalName":
        errors.append(required(_SPEC.child("ports")))
    errors += _of_type(spec)
    names_seen: set[str] = set()
    for i, port in enumerate(ports):
        errors += _port(port, len(ports) > 1, names_seen, _SPEC.child("ports").index(i))
    errors += validate_labels(spec.get("selector"), _SPEC.child("selector"))
    errors += _session_affinity(spec)
    errors += validate_address_fields(spec)
    for i, address in enumerate(spec.get("externalIPs") or []):
        errors += _external_ip(address, _SPEC.child("externalIPs").index(i))
    errors += _type(spec)
    errors += _node_ports(ports, spec)
    errors += _repeated_ports(ports)
    errors += _load_balancer_fields(spec)
    errors += _external_traffic(spec)
    return errors + _internal_traffic(spec) + _traffic_distribution(spec)


def _of_type(spec: dict[str, Any]) -> list[FieldError]:
    errors: list[FieldError] = []
    kind = spec.get("type")
    if kind == "LoadBalancer":
        for i, port in enumerate(spec.get("ports") or []):
            if port.get("port") == _KUBELET_PORT:
                text = f"may not expose port {_KUBELET_PORT} externally since it is used by kubelet"
                errors.append(invalid(_SPEC.child("ports").index(i), _KUBELET_PORT, text))
    if kind in ("LoadBalancer", "NodePort") and is_headless(spec):
        text = f"may not be set to 'None' for {kind} services"
        errors.append(invalid(_SPEC.child("clusterIPs").index(0), "None", text))
    if kind == "ExternalName":
        for key in ("clusterIPs", "ipFamilies", "ipFamilyPolicy"):
            if spec.get(key):
                errors.append(forbidden(_SPEC.child(key), "may not be set for ExternalName services"))
        name = spec.get("externalName", "").removesuffix(".")
        path = _SPEC.child("externalName")
        errors += [invalid(path, name, each) for each in names.dns_subdomain(name)] if name else [required(path)]
    return errors


def _port(port: dict[str, Any], needs_name: bool, seen: set[str], path: Path) -> list[FieldError]:
    errors: list[FieldError] = []
    name = port.get("name", "")
    if needs_name and not name:
        errors.append(required(path.child("name")))
    elif name:
        errors += [invalid(path.child("name"), name, each) for each in names.dns_label(name)]
        if name in seen:
            errors.append(duplicate(path.child("name"), name))
        seen.add(name)
    number = port.get("port", 0)
    errors += [invalid(path.child("port"), number, each) for each in names.port_number(number)]
    protocol = port.get("protocol", "")
    if not protocol:
        errors.append(required(path.child("protocol")))
    elif protocol not in _PROTOCOLS:
        errors.append(not_supported(path.child("protocol"), protocol, _PROTOCOLS))
    target = port.get("targetPort", 0)
    check: Any = names.port_number if isinstance(target, int) else names.port_name
    errors += [invalid(path.child("targetPort"), target, each) for each in check(target)]
    application = port.get("appProtocol")
    if application is not None:
        errors += [invalid(path.child("appProtocol"), application, each) for each in names.qualified_name(application)]
    return errors


def _session_affinity(spec: dict[str, Any]) -> list[FieldError]:
    affinity, path = spec.get("sessionAffinity", ""), _SPEC.child("sessionAffinity")
    errors: list[FieldError] = []
    if not affinity:
        errors.append(required(path))
    elif affinity not in ("ClientIP", "None"):
        errors.append(not_supported(path, affinity, ("ClientIP", "None")))
    config, at = spec.get("sessionAffinityConfig"), _SPEC.child("sessionAffinityConfig")
    if affinity == "None" and config is not None:
        errors.append(forbidden(at, "must not be set when session affinity is None"))
    if affinity != "ClientIP":
        return errors
    needed = "when session affinity type is ClientIP"
    if config is None:
        return [*errors, required(at, needed)]
    if config.get("clientIP") is None:
        return [*errors, required(at.child("clientIP"), needed)]
    seconds, where = config["clientIP"].get("timeoutSeconds"), at.child("clientIP", "timeoutSeconds")
    if seconds is None:
        return [*errors, required(where, needed)]
    if not 0 < seconds <= _AFFINITY_SECONDS_MAX:
        errors.append(invalid(where, seconds, f"must be greater than 0 and less than {_AFFINITY_SECONDS_MAX}"))
    return errors


def validate_address_fields(spec: dict[str, Any]) -> list[FieldError]:
    """clusterIP, clusterIPs, ipFamilies and ipFamilyPolicy, as far as they can be judged without the cluster."""
    if spec.get("type") == "ExternalName":
        return []
    errors: list[FieldError] = []
    first, addresses, path = spec.get("clusterIP", ""), spec.get("clusterIPs") or [], _SPEC.child("clusterIPs")
    if first:
        if not addresses:
            errors.append(required(path))
        elif addresses[0] != first:
            errors.append(invalid(path, addresses, "first value must match `clusterIP`"))
    elif addresses:
        errors.append(invalid(path, addresses, "must be empty when `clusterIP` is not specified"))
    errors += _families(spec)
    wrong: list[FieldError] = []
    for i, address in enumerate(addresses):
        if i == 0 and address == "None":
            if len(addresses) > 1:
                wrong.append(invalid(path, addresses, "'None' must be the first and only value"))
            continue
        wrong += [invalid(path.index(i), address, each) for each in names.legacy_ip_address(address)]
    if len(addresses) > 2:
        errors.append(invalid(path, addresses, "may only hold up to 2 values"))
    if wrong:
        return errors + wrong
    if len(addresses) == 2 and (":" in addresses[0]) == (":" in addresses[1]):
        errors.append(invalid(path, addresses, "may specify no more than one IP for each IP family"))
    return errors + _addresses_of_families(addresses, spec.get("ipFamilies") or [], path)


def _families(spec: dict[str, Any]) -> list[FieldError]:
    errors: list[FieldError] = []
    seen: set[str] = set()
    for i, family in enumerate(spec.get("ipFamilies") or []):
        path = _SPEC.child("ipFamilies").index(i)
        if family not in _FAMILIES:
            errors.append(not_supported(path, family, _FAMILIES))
        if family in seen:
            errors.append(duplicate(path, family))
        seen.add(family)
    policy = spec.get("ipFamilyPolicy")
    if policy is not None and policy not in _FAMILY_POLICIES:
        errors.append(not_supported(_SPEC.child("ipFamilyPolicy"), policy, _FAMILY_POLICIES))
    return errors


def _addresses_of_families(addresses: list[str], families: list[str], path: Path) -> list[FieldError]:
    errors: list[FieldError] = []
    for i, (address, family) in enumerate(zip(addresses, families, strict=False)):
        if address == "None":
            continue
        actual = "IPv6" if ":" in address else "IPv4"
        if family in _FAMILIES and family != actual:
            text = f"expected an {family} value as indicated by `ipFamilies[{i}]`"
            errors.append(invalid(path.index(i), address, text))
    return errors


def _external_ip(address: str, path: Path) -> list[FieldError]:
    wrong = names.legacy_ip_address(address)
    return [invalid(path, address, each) for each in wrong] or validate_non_special_ip(address, path)


def validate_non_special_ip(address: str, path: Path) -> list[FieldError]:
    """An address that traffic can be sent to: not loopback, link-local, multicast nor unspecified."""
    parsed = names.parsed_ip(address)
    if parsed is None:
        return [invalid(path, address, "must be a valid IP address")]
    errors: list[FieldError] = []
    if parsed.is_unspecified:
        errors.append(invalid(path, address, f"may not be unspecified ({address})"))
    if parsed.is_loopback:
        errors.append(invalid(path, address, "may not be in the loopback range (127.0.0.0/8, ::1/128)"))
    if parsed.is_link_local:
        errors.append(invalid(path, address, "may not be in the link-local range (169.254.0.0/16, fe80::/10)"))
    if str(parsed).startswith(("224.0.0.", "ff02:")):
        text = "may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)"
        errors.append(invalid(path, address, text))
    return errors


def _type(spec: dict[str, Any]) -> list[FieldError]:
    kind, path = spec.get("type", ""), _SPEC.child("type")
    if not kind:
        return [required(path)]
    return [] if kind in _TYPES else [not_supported(path, kind, _TYPES)]


def _node_ports(ports: list[dict[str, Any]], spec: dict[str, Any]) -> list[FieldError]:
    errors: list[FieldError] = []
    seen: set[tuple[str, int]] = set()
    for i, port in enumerate(ports):
        number, path = port.get("nodePort", 0), _SPEC.child("ports").index(i).child("nodePort")
        if not number:
            continue
        if spec.get("type") == "ClusterIP":
            errors.append(forbidden(path, "may not be used when `type` is 'ClusterIP'"))
        key = (port.get("protocol", ""), number)
        if key in seen:
            errors.append(duplicate(path, number))
        seen.add(key)
    return errors


def _repeated_ports(ports: list[dict[str, Any]]) -> list[FieldError]:
    errors: list[FieldError] = []
    seen: set[tuple[str, int]] = set()
    for i, port in enumerate(ports):
        key = (port.get("protocol", ""), port.get("port", 0))
        if key in seen:
            # The reference prints the part of its internal struct that is compared.
            shown = {
                "Name": "",
                "Protocol": key[0],
                "AppProtocol": None,
                "Port": key[1],
                "TargetPort": 0,
                "NodePort": 0,
            }
            errors.append(duplicate(_SPEC.child("ports").index(i), shown))
        seen.add(key)
    return errors


def _load_balancer_fields(spec: dict[str, Any]) -> list[FieldError]:
    errors: list[FieldError] = []
    kind, ranges = spec.get("type"), spec.get("loadBalancerSourceRanges") or []
    path = _SPEC.child("LoadBalancerSourceRanges")
    if ranges and kind != "LoadBalancer":
        errors.append(forbidden(path, _ONLY_LOAD_BALANCER))
    for i, each in enumerate(ranges):
        errors += [invalid(path.index(i), each, text) for text in names.legacy_cidr(each.strip())]
    if spec.get("allocateLoadBalancerNodePorts") is not None and kind != "LoadBalancer":
        errors.append(forbidden(_SPEC.child("allocateLoadBalancerNodePorts"), _ONLY_LOAD_BALANCER))
    if spec.get("allocateLoadBalancerNodePorts") is None and kind == "LoadBalancer":
        errors.append(required(_SPEC.child("allocateLoadBalancerNodePorts")))
    balancer = spec.get("loadBalancerClass")
    if balancer is not None:
        at = _SPEC.child("loadBalancerClass")
        if kind != "LoadBalancer":
            errors.append(forbidden(at, _ONLY_LOAD_BALANCER))
        else:
            errors += [invalid(at, balancer, each) for each in names.qualified_name(balancer)]
    return errors


def _external_traffic(spec: dict[str, Any]) -> list[FieldError]:
    errors: list[FieldError] = []
    policy, path = spec.get("externalTrafficPolicy", ""), _SPEC.child("externalTrafficPolicy")
    if not is_externally_accessible(spec):
        if policy:
            errors.append(invalid(path, policy, "may only be set for externally-accessible services"))
    elif not policy:
        errors.append(required(path))
    elif policy not in ("Cluster", "Local"):
        errors.append(not_supported(path, policy, ("Cluster", "Local")))
    port, at = spec.get("healthCheckNodePort", 0), _SPEC.child("healthCheckNodePort")
    if port and not needs_health_check(spec):
        text = "may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'"
        errors.append(invalid(at, port, text))
    elif port:
        errors += [invalid(at, port, each) for each in names.port_number(port)]
    return errors


def _internal_traffic(spec: dict[str, Any]) -> list[FieldError]:
    policy, path = spec.get("internalTrafficPolicy"), _SPEC.child("internalTrafficPolicy")
    if policy is None:
        return [] if spec.get("type") == "ExternalName" or spec.get("type") not in _TYPES else [required(path)]
    return [] if policy in ("Cluster", "Local") else [not_supported(path, policy, ("Cluster", "Local"))]


def _traffic_distribution(spec: dict[str, Any]) -> list[FieldError]:
    value = spec.get("trafficDistribution")
    if value is None or value in _DISTRIBUTIONS:
        return []
    return [not_supported(_SPEC.child("trafficDistribution"), value, _DISTRIBUTIONS)]


def validate_service_update(service: Service, old: Service) -> list[FieldError]:
    spec, before = service.get("spec") or {}, old.get("spec") or {}
    errors = _cluster_ip_changes(spec, before) + _family_changes(spec, before)
    balancer, old_balancer = spec.get("loadBalancerClass"), before.get("loadBalancerClass")
    if before.get("type") == "LoadBalancer" == spec.get("type") and balancer != old_balancer:
        errors.append(invalid(_SPEC.child("loadBalancerClass"), balancer, "may not change once set"))
    both_checked = needs_health_check(before) and needs_health_check(spec)
    if both_checked and spec.get("healthCheckNodePort") != before.get("healthCheckNodePort"):
        errors.append(forbidden(_SPEC.child("healthCheckNodePort"), "field is immutable"))
    return errors + validate_service(service)


def _cluster_ip_changes(spec: dict[str, Any], before: dict[str, Any]) -> list[FieldError]:
    if "ExternalName" in (spec.get("type"), before.get("type")):
        return []
    now, then, path = spec.get("clusterIPs") or [], before.get("clusterIPs") or [], _SPEC.child("clusterIPs")
    if not then:
        return []
    if not now:
        return [invalid(path.index(0), now, "primary clusterIP can not be unset")]
    if now[0] != then[0]:
        return [invalid(path.index(0), now, "may not change once set")]
    if len(now) == len(then) == 2 and now[1] != then[1]:
        return [invalid(path.index(1), now, "may not change once set")]
    return _release(spec, "clusterIP") if len(now) < len(then) else []


def _family_changes(spec: dict[str, Any], before: dict[str, Any]) -> list[FieldError]:
    # Nothing was allocated for a headless Service that would depend on its families.
    if "ExternalName" in (spec.get("type"), before.get("type")) or is_headless(spec) or is_headless(before):
        return []
    now, then, path = spec.get("ipFamilies") or [], before.get("ipFamilies") or [], _SPEC.child("ipFamilies")
    if not then:
        return []
    if not now:
        return [invalid(path.index(0), now, "primary ipFamily can not be unset")]
    if len(now) == len(then):
        return [
            invalid(path.index(0), now, "may not change once set") for a, b in zip(now, then, strict=True) if a != b
        ]
    if now[0] != then[0]:
        return [invalid(path.index(0), now, "may not change once set")]
    return _release(spec, "ipFamily") if len(now) < len(then) else []


def _release(spec: dict[str, Any], what: str) -> list[FieldError]:
    policy = spec.get("ipFamilyPolicy")
    if policy == "SingleStack":
        return []
    text = f"must be set to 'SingleStack' when releasing the secondary {what}"
    return [invalid(_SPEC.child("ipFamilyPolicy"), policy, text)]
