"""What the zone says about a name. Pure: no wire format, no clock.

source  "Kubernetes DNS-Based Service Discovery" 1.1.0: records of services, endpoints, pods; RFC 2308: negative answers
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable

import msgspec

from cybernetes.dns.objects import Endpoint, Port, Service
from cybernetes.dns.zone import Zone

SCHEMA_VERSION = "1.1.0"
TTL_S = 5
TURNS_MAX = 8
_SERVICES = "svc"
_TYPES = {4: "A", 6: "AAAA"}
_NAMESPACE = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")


class Record(msgspec.Struct, frozen=True, order=True):
    """name without a dot at its end; data as zone files have it."""

    name: str
    type: str
    data: str


class Answer(msgspec.Struct, frozen=True):
    """exists: whether the name has records of any type, or names below it.

    alias  where a CNAME leads that could not be followed within the zone
    """

    records: tuple[Record, ...] = ()
    additional: tuple[Record, ...] = ()
    exists: bool = True
    alias: str = ""


ABSENT = Answer(exists=False)


class Domain(msgspec.Struct, frozen=True):
    """name: `cluster.local`. server: the address that the zone's name server has, that of `kube-dns`."""

    name: str
    server: str
    ranges: tuple[str, ...] = ()

    def holds(self, name: str) -> bool:
        """Whether names like this are answered here rather than forwarded. name in lower case, without end dot."""
        if name == self.name or name.endswith(f".{self.name}"):
            return True
        address = reverse_address(name)
        return address is not None and any(
            ipaddress.ip_address(address) in ipaddress.ip_network(each) for each in self.ranges
        )


def answer(zone: Zone, domain: Domain, name: str, record_type: str) -> Answer:
    """name in lower case, without the dot at its end. ABSENT for a name that does not exist."""
    address = reverse_address(name)
    if address is not None:
        return _pointer(zone, domain, name, address, record_type)
    if name == domain.name:
        return _apex(domain, record_type)
    labels = name.removesuffix(f".{domain.name}").split(".")
    match labels:
        case ["dns-version"]:
            return _of_type([Record(name, "TXT", f'"{SCHEMA_VERSION}"')], record_type)
        case ["dns"]:
            return Answer()
        case ["ns", "dns"]:
            return _of_type([_address_record(name, domain.server)], record_type)
        case [*_, "pod"]:
            return _pod(name, labels[:-1], record_type)
        case [*_, "svc"]:
            return _below_services(zone, domain, name, labels[:-1], record_type)
        case _:
            return ABSENT


def turns(found: Answer) -> int:
    """In how many orders its addresses are told."""
    return max(1, min(TURNS_MAX, len(_addresses(found))))


def turned(found: Answer, turn: int) -> Answer:
    """The answer that begins with another address each turn: many a client takes the first, or what fits."""
    addresses = _addresses(found)
    at = turn * len(addresses) // turns(found) % max(1, len(addresses))
    rest = [each for each in found.records if each.type not in _TYPES.values()]
    return msgspec.structs.replace(found, records=(*rest, *addresses[at:], *addresses[:at]))


def _addresses(found: Answer) -> list[Record]:
    return [each for each in found.records if each.type in _TYPES.values()]


def soa(domain: Domain, serial: int) -> Record:
    data = f"ns.dns.{domain.name}. hostmaster.{domain.name}. {serial & 0xFFFFFFFF} 7200 1800 86400 {TTL_S}"
    return Record(domain.name, "SOA", data)


def reverse_address(name: str) -> str | None:
    """The address that a name below in-addr.arpa or ip6.arpa stands for; None for other or incomplete names."""
    labels = name.split(".")
    try:
        if name.endswith(".in-addr.arpa") and len(labels) == 6:
            return str(ipaddress.IPv4Address(".".join(reversed(labels[:4]))))
        if name.endswith(".ip6.arpa") and len(labels) == 34:
            digits = "".join(reversed(labels[:32]))
            return str(ipaddress.IPv6Address(int(digits, 16))) if all(len(each) == 1 for each in labels[:32]) else None
    except ValueError:
        return None
    return None


def _apex(domain: Domain, record_type: str) -> Answer:
    server = f"ns.dns.{domain.name}"
    records = [Record(domain.name, "NS", f"{server}."), soa(domain, 1)]
    found = _of_type(records, record_type)
    additional = (_address_record(server, domain.server),) if record_type in ("NS", "ANY") else ()
    return Answer(found.records, additional)


def _pointer(zone: Zone, domain: Domain, name: str, address: str, record_type: str) -> Answer:
    targets = []
    for key in zone.at(address):
        service = zone.services.get(key)
        if service is None:
            continue
        base = _service_name(service, domain)
        if address in service.addresses:
            targets.append(base)
        elif service.headless:
            targets += [f"{each.label}.{base}" for each, _ in zone.endpoints(key) if each.address == address]
    if not targets:
        return ABSENT
    return _of_type([Record(name, "PTR", f"{target}.") for target in dict.fromkeys(targets)], record_type)


def _pod(name: str, labels: list[str], record_type: str) -> Answer:
    """`10-244-1-7.NAMESPACE.pod`: the address is in the name, whether or not such a pod runs."""
    if not labels or len(labels) == 1:
        return Answer() if not labels or _NAMESPACE.fullmatch(labels[0]) else ABSENT
    if len(labels) != 2:
        return ABSENT
    dashed = labels[0]
    for text in (dashed.replace("-", "."), dashed.replace("-", ":")):
        try:
            address = str(ipaddress.ip_address(text))
        except ValueError:
            continue
        return _of_type([_address_record(name, address)], record_type)
    return ABSENT


def _below_services(zone: Zone, domain: Domain, name: str, labels: list[str], record_type: str) -> Answer:
    """labels: what stands before `svc`, the namespace last."""
    if not labels:
        return Answer()
    namespace = labels[-1]
    if len(labels) == 1:
        return Answer() if namespace in zone.namespaces else ABSENT
    service = zone.services.get(f"{namespace}/{labels[-2]}")
    if service is None:
        return ABSENT
    match labels[:-2]:
        case []:
            return _service(zone, domain, service, name, record_type)
        case [label] if label.startswith("_"):
            # `_tcp.web`: exists because `_http._tcp.web` does.
            return Answer() if any(f"_{each.protocol}" == label for each in service.ports) else ABSENT
        case [label]:
            return _endpoint(zone, service, name, label, record_type)
        case [port, protocol]:
            return _service_record(zone, domain, service, name, port, protocol, record_type)
        case _:
            return ABSENT


def _service(zone: Zone, domain: Domain, service: Service, name: str, record_type: str) -> Answer:
    if service.external:
        return _alias(zone, domain, service, name, record_type)
    if record_type == "SRV":
        ports = [] if service.headless and not service.ports else list(service.ports)
        return _srv(zone, domain, service, name, ports)
    if service.addresses:
        return _of_type([_address_record(name, each) for each in service.addresses], record_type)
    found = [endpoint for endpoint, _ in zone.endpoints(_key(service))]
    if not found:
        # As CoreDNS: a headless service without endpoints has no name, so that clients do not cache its emptiness.
        return ABSENT
    return _of_type([_address_record(name, each.address) for each in found], record_type)


def _alias(zone: Zone, domain: Domain, service: Service, name: str, record_type: str) -> Answer:
    alias = Record(name, "CNAME", f"{service.external}.")
    if record_type == "CNAME" or not domain.holds(service.external) or service.external == name:
        return Answer((alias,), alias="" if record_type == "CNAME" else service.external)
    # One step within the zone; an alias of an alias is the resolver's to follow.
    labels = service.external.removesuffix(f".{domain.name}").split(".")
    target = zone.services.get(f"{labels[-2]}/{labels[-3]}") if len(labels) >= 3 else None
    if target is not None and target.external:
        return Answer((alias,))
    found = answer(zone, domain, service.external, record_type)
    return Answer((alias, *found.records), found.additional)


def _endpoint(zone: Zone, service: Service, name: str, label: str, record_type: str) -> Answer:
    """`HOSTNAME.web` or `10-244-1-7.web`: of headless services only."""
    if not service.headless:
        return ABSENT
    found = [each for each, _ in zone.endpoints(_key(service)) if each.label == label]
    if not found:
        return ABSENT
    return _of_type([_address_record(name, each.address) for each in found], record_type)


def _service_record(
    zone: Zone, domain: Domain, service: Service, name: str, port: str, protocol: str, record_type: str
) -> Answer:
    """`_http._tcp.web`."""
    chosen = [
        each for each in service.ports if each.name and (f"_{each.name}", f"_{each.protocol}") == (port, protocol)
    ]
    if not chosen:
        return ABSENT
    if record_type not in ("SRV", "ANY"):
        return Answer()
    return _srv(zone, domain, service, name, chosen)


def _srv(zone: Zone, domain: Domain, service: Service, name: str, ports: list[Port]) -> Answer:
    """Priority 0; the weights of targets are equal, and together about 100."""
    base = _service_name(service, domain)
    if service.addresses:
        records = [Record(name, "SRV", f"0 100 {each.port} {base}.") for each in ports]
        return Answer(tuple(records), tuple(_address_record(base, each) for each in service.addresses))
    found: list[tuple[Endpoint, int]] = []
    wanted = {(each.name, each.protocol) for each in ports}
    for endpoint, offered in zone.endpoints(_key(service)):
        found += [(endpoint, each.port) for each in offered if (each.name, each.protocol) in wanted]
    if not found:
        return ABSENT
    weight = max(1, 100 // len(found))
    records = [Record(name, "SRV", f"0 {weight} {port} {each.label}.{base}.") for each, port in found]
    additional = [_address_record(f"{each.label}.{base}", each.address) for each, _ in found]
    return Answer(tuple(dict.fromkeys(records)), tuple(dict.fromkeys(additional)))


def _of_type(records: Iterable[Record], record_type: str) -> Answer:
    """Those of the type; with none left the name exists nevertheless."""
    return Answer(tuple(dict.fromkeys(each for each in records if record_type in (each.type, "ANY"))))


def _address_record(name: str, address: str) -> Record:
    return Record(name, _TYPES[ipaddress.ip_address(address).version], address)


def _service_name(service: Service, domain: Domain) -> str:
    return f"{service.name}.{service.namespace}.{_SERVICES}.{domain.name}"


def _key(service: Service) -> str:
    return f"{service.namespace}/{service.name}"
