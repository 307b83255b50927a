"""Endpoints and endpoint slices.

source  Kubernetes, pkg/apis/core/validation: Endpoints; pkg/apis/discovery/validation: EndpointSlice
"""

from __future__ import annotations

from typing import Any

from cybernetes.model.field import FieldError, Path, duplicate, invalid, not_supported, required, too_many
from cybernetes.model.validation import names
from cybernetes.model.validation.meta import IMMUTABLE, validate_labels
from cybernetes.model.validation.services import validate_non_special_ip

Object = dict[str, Any]
_PROTOCOLS = ("SCTP", "TCP", "UDP")
_ADDRESS_TYPES = ("FQDN", "IPv4", "IPv6")
ENDPOINTS_MAX = 1000
_ADDRESSES_MAX = 100
_PORTS_MAX = 20000
_HINTS_MAX = 8


def validate_endpoints(endpoints: Object) -> list[FieldError]:
    errors: list[FieldError] = []
    for i, subset in enumerate(endpoints.get("subsets") or []):
        path = Path("subsets").index(i)
        ready, not_ready = subset.get("addresses") or [], subset.get("notReadyAddresses") or []
        if not ready and not not_ready:
            errors.append(required(path, "must specify `addresses` or `notReadyAddresses`"))
        for key, addresses in (("addresses", ready), ("notReadyAddresses", not_ready)):
            for j, address in enumerate(addresses):
                errors += _address(address, path.child(key).index(j))
        ports = subset.get("ports") or []
        for j, port in enumerate(ports):
            errors += _port(port, len(ports) > 1, path.child("ports").index(j))
    return errors


def _address(address: Object, path: Path) -> list[FieldError]:
    value = address.get("ip", "")
    errors = [invalid(path.child("ip"), value, each) for each in names.legacy_ip_address(value)]
    host, node = address.get("hostname", ""), address.get("nodeName")
    if host:
        errors += [invalid(path.child("hostname"), host, each) for each in names.dns_label(host)]
    if node is not None:
        errors += [invalid(path.child("nodeName"), node, each) for each in names.dns_subdomain(node)]
    return errors + validate_non_special_ip(value, path.child("ip"))


def _port(port: Object, needs_name: bool, path: Path) -> list[FieldError]:
    errors: list[FieldError] = []
    name, number, protocol = port.get("name", ""), port.get("port", 0), port.get("protocol", "")
    if needs_name and not name:
        errors.append(required(path.child("name")))
    elif name:
        errors += [invalid(path.child("name"), name, each) for each in names.dns_label(name)]
    errors += [invalid(path.child("port"), number, each) for each in names.port_number(number)]
    if not protocol:
        errors.append(required(path.child("protocol")))
    elif protocol not in _PROTOCOLS:
        errors.append(not_supported(path.child("protocol"), protocol, _PROTOCOLS))
    application = port.get("appProtocol")
    if application is not None:
        errors += [invalid(path.child("appProtocol"), application, each) for each in names.qualified_name(application)]
    return errors


def validate_endpoint_slice(slice_: Object) -> list[FieldError]:
    kind, path = slice_.get("addressType", ""), Path("addressType")
    errors: list[FieldError] = []
    if kind == "":
        errors.append(required(path))
    elif kind not in _ADDRESS_TYPES:
        errors.append(not_supported(path, kind, _ADDRESS_TYPES))
    endpoints = slice_.get("endpoints") or []
    if len(endpoints) > ENDPOINTS_MAX:
        return [*errors, too_many(Path("endpoints"), len(endpoints), ENDPOINTS_MAX)]
    for i, endpoint in enumerate(endpoints):
        errors += _endpoint(endpoint, kind, Path("endpoints").index(i))
    return errors + _slice_ports(slice_.get("ports") or [], Path("ports"))


def _endpoint(endpoint: Object, kind: str, path: Path) -> list[FieldError]:
    errors: list[FieldError] = []
    addresses, at = endpoint.get("addresses") or [], path.child("addresses")
    if not addresses:
        errors.append(required(at, "must contain at least 1 address"))
    elif len(addresses) > _ADDRESSES_MAX:
        errors.append(too_many(at, len(addresses), _ADDRESSES_MAX))
    for i, address in enumerate(addresses):
        errors += _slice_address(address, kind, at.index(i))
    node = endpoint.get("nodeName")
    if node is not None:
        errors += [invalid(path.child("nodeName"), node, each) for each in names.dns_subdomain(node)]
    topology = endpoint.get("deprecatedTopology")
    if topology:
        errors += validate_labels(topology, path.child("deprecatedTopology"))
    host = endpoint.get("hostname")
    if host is not None:
        errors += [invalid(path.child("hostname"), host, each) for each in names.dns_label(host)]
    return errors + _hints(endpoint.get("hints"), path.child("hints"))


def _slice_address(address: str, kind: str, path: Path) -> list[FieldError]:
    if kind == "FQDN":
        return [invalid(path, address, each) for each in _fully_qualified(address)]
    if kind not in ("IPv4", "IPv6"):
        return []
    parsed = names.parsed_ip(address)
    if parsed is None:
        return [invalid(path, address, each) for each in names.legacy_ip_address(address)]
    if parsed.version != int(kind[-1]):
        return [invalid(path, address, f"must be an {kind} address")]
    return validate_non_special_ip(address, path)


def _fully_qualified(text: str) -> list[str]:
    errors = names.dns_subdomain(text)
    if not errors and len(text.split(".")) < 2:
        errors.append("should be a domain with at least two segments separated by dots")
    return errors


def _hints(hints: Object | None, path: Path) -> list[FieldError]:
    errors: list[FieldError] = []
    for key, rule in (("forZones", names.label_value), ("forNodes", names.dns_subdomain)):
        entries, at = (hints or {}).get(key) or [], path.child(key)
        if len(entries) > _HINTS_MAX:
            errors.append(too_many(at, len(entries), _HINTS_MAX))
            continue
        seen: set[str] = set()
        for i, entry in enumerate(entries):
            name = entry.get("name", "")
            if name in seen:
                errors.append(duplicate(at.index(i).child("name"), name))
            seen.add(name)
            errors += [invalid(at.index(i).child("name"), name, each) for each in rule(name)]
    return errors


def _slice_ports(ports: list[Object], path: Path) -> list[FieldError]:
    if len(ports) > _PORTS_MAX:
        return [too_many(path, len(ports), _PORTS_MAX)]
    errors: list[FieldError] = []
    seen: set[str] = set()
    for i, port in enumerate(ports):
        at, name, protocol = path.index(i), port.get("name") or "", port.get("protocol")
        if name:
            errors += [invalid(at.child("name"), name, each) for each in names.dns_label(name)]
        if name in seen:
            errors.append(duplicate(at.child("name"), name))
        seen.add(name)
        if protocol is None:
            errors.append(required(at.child("protocol")))
        elif protocol not in _PROTOCOLS:
            errors.append(not_supported(at.child("protocol"), protocol, _PROTOCOLS))
        application = port.get("appProtocol")
        if application is not None:
            errors += [
                invalid(at.child("appProtocol"), application, each) for each in names.qualified_name(application)
            ]
    return errors


def validate_endpoint_slice_update(slice_: Object, old: Object) -> list[FieldError]:
    errors = validate_endpoint_slice(slice_)
    if slice_.get("addressType") != old.get("addressType"):
        errors.append(invalid(Path("addressType"), slice_.get("addressType"), IMMUTABLE))
    return errors
