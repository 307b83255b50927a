"""Network policies, ingresses, ingress classes, IP addresses, service ranges.

source  Kubernetes, pkg/apis/networking/validation
"""

from __future__ import annotations

import ipaddress
from typing import Any

from cybernetes.model.field import FieldError, Path, forbidden, invalid, not_supported, required, too_long
from cybernetes.model.validation import names
from cybernetes.model.validation.meta import IMMUTABLE
from cybernetes.model.validation.selectors import validate_label_selector

Object = dict[str, Any]
_SPEC = Path("spec")
_INGRESS_CLASS = "kubernetes.io/ingress.class"
_CONTROLLER_MAX = 250
_PATH_TYPES = ("Exact", "ImplementationSpecific", "Prefix")
_BAD_PATHS = ("//", "/./", "/../", "%2f", "%2F")
_BAD_ENDINGS = ("/..", "/.")


def validate_network_policy(policy: Object) -> list[FieldError]:
    spec = policy.get("spec") or {}
    errors = validate_label_selector(spec.get("podSelector") or {}, _SPEC.child("podSelector"))
    for key, peers in (("ingress", "from"), ("egress", "to")):
        for i, rule in enumerate(spec.get(key) or []):
            path = _SPEC.child(key).index(i)
            for j, port in enumerate(rule.get("ports") or []):
                errors += _policy_port(port, path.child("ports").index(j))
            for j, peer in enumerate(rule.get(peers) or []):
                errors += _peer(peer, path.child(peers).index(j))
    types = spec.get("policyTypes") or []
    if len(types) > 2:
        return [*errors, invalid(_SPEC.child("policyTypes"), types, "may not specify more than two policyTypes")]
    for i, kind in enumerate(types):
        if kind not in ("Ingress", "Egress"):
            errors.append(not_supported(_SPEC.child("policyTypes").index(i), kind, ("Ingress", "Egress")))
    return errors


def _policy_port(port: Object, path: Path) -> list[FieldError]:
    errors: list[FieldError] = []
    protocol = port.get("protocol")
    if protocol is not None and protocol not in ("TCP", "UDP", "SCTP"):
        errors.append(not_supported(path.child("protocol"), protocol, ("TCP", "UDP", "SCTP")))
    number, end = port.get("port"), port.get("endPort")
    if isinstance(number, int):
        errors += [invalid(path.child("port"), number, each) for each in names.port_number(number)]
        if end is not None:
            if end < number:
                errors.append(invalid(path.child("endPort"), number, "must be greater than or equal to `port`"))
            errors += [invalid(path.child("endPort"), end, each) for each in names.port_number(end)]
    elif number is not None:
        if end is not None:
            errors.append(invalid(path.child("endPort"), end, "may not be specified when `port` is non-numeric"))
        errors += [invalid(path.child("port"), number, each) for each in names.port_name(number)]
    elif end is not None:
        errors.append(invalid(path.child("endPort"), end, "may not be specified when `port` is not specified"))
    return errors


def _peer(peer: Object, path: Path) -> list[FieldError]:
    errors: list[FieldError] = []
    found = 0
    for key in ("podSelector", "namespaceSelector"):
        if peer.get(key) is not None:
            found += 1
            errors += validate_label_selector(peer[key], path.child(key))
    block = peer.get("ipBlock")
    if block is not None:
        found += 1
        errors += _ip_block(block, path.child("ipBlock"))
    if not found:
        errors.append(required(path, "must specify a peer"))
    elif found > 1 and block is not None:
        errors.append(forbidden(path, "may not specify both ipBlock and another peer"))
    return errors


def _ip_block(block: Object, path: Path) -> list[FieldError]:
    whole = block.get("cidr", "")
    if not whole:
        return [required(path.child("cidr"))]
    wrong = names.legacy_cidr(whole)
    if wrong:
        return [invalid(path.child("cidr"), whole, each) for each in wrong]
    errors: list[FieldError] = []
    outer = ipaddress.ip_network(whole, strict=False)
    for i, part in enumerate(block.get("except") or []):
        at = path.child("except").index(i)
        wrong = names.legacy_cidr(part)
        errors += [invalid(at, part, each) for each in wrong]
        if wrong:
            continue
        inner = ipaddress.ip_network(part, strict=False)
        if inner.version != outer.version or not inner.subnet_of(outer) or inner.prefixlen <= outer.prefixlen:  # type: ignore[arg-type]
            errors.append(invalid(at, part, "must be a strict subset of `cidr`"))
    return errors


def validate_new_ingress(ingress: Object) -> list[FieldError]:
    """The old annotation may stand beside the field if it names the same class."""
    named = (ingress["metadata"].get("annotations") or {}).get(_INGRESS_CLASS)
    class_name = (ingress.get("spec") or {}).get("ingressClassName")
    if named is None or class_name is None or named == class_name:
        return validate_ingress(ingress)
    path = Path("annotations").child(_INGRESS_CLASS)
    return [*validate_ingress(ingress), invalid(path, named, "must match `ingressClassName` when both are specified")]


def validate_ingress_update(ingress: Object, old: Object) -> list[FieldError]:
    return validate_ingress(ingress)


def validate_ingress(ingress: Object) -> list[FieldError]:
    spec = ingress.get("spec") or {}
    errors: list[FieldError] = []
    rules, default = spec.get("rules") or [], spec.get("defaultBackend")
    if not rules and default is None:
        errors.append(invalid(_SPEC, None, "either `defaultBackend` or `rules` must be specified"))
    if default is not None:
        errors += _backend(default, _SPEC.child("defaultBackend"))
    for i, rule in enumerate(rules):
        errors += _ingress_rule(rule, _SPEC.child("rules").index(i))
    for i, tls in enumerate(spec.get("tls") or []):
        errors += _tls(tls, _SPEC.child("tls").index(i))
    class_name = spec.get("ingressClassName")
    if class_name is not None:
        path = _SPEC.child("ingressClassName")
        errors += [invalid(path, class_name, each) for each in names.dns_subdomain(class_name)]
    return errors


def _tls(tls: Object, path: Path) -> list[FieldError]:
    errors: list[FieldError] = []
    for i, host in enumerate(tls.get("hosts") or []):
        rule = names.wildcard_subdomain if "*" in host else names.dns_subdomain
        errors += [invalid(path.child("hosts").index(i), host, each) for each in rule(host)]
    secret = tls.get("secretName", "")
    if secret:
        errors += [invalid(path.child("secretName"), secret, each) for each in names.dns_subdomain(secret)]
    return errors


def _ingress_rule(rule: Object, path: Path) -> list[FieldError]:
    errors: list[FieldError] = []
    host = rule.get("host", "")
    if host:
        if names.parsed_ip(host) is not None:
            errors.append(invalid(path.child("host"), host, "must be a DNS name, not an IP address"))
        check = names.wildcard_subdomain if "*" in host else names.dns_subdomain
        errors += [invalid(path.child("host"), host, each) for each in check(host)]
    http = rule.get("http")
    if http is None:
        return errors
    paths, at = http.get("paths") or [], path.child("http", "paths")
    if not paths:
        errors.append(required(at))
    for i, each in enumerate(paths):
        errors += _http_path(each, at.index(i))
    return errors


def _http_path(entry: Object, path: Path) -> list[FieldError]:
    kind, where = entry.get("pathType"), entry.get("path", "")
    if kind is None:
        return [required(path.child("pathType"), "pathType must be specified")]
    errors: list[FieldError] = []
    if kind in ("Exact", "Prefix"):
        if not where.startswith("/"):
            errors.append(invalid(path.child("path"), where, "must be an absolute path"))
        if where:
            for bad in _BAD_PATHS:
                if bad in where:
                    errors.append(invalid(path.child("path"), where, f"must not contain '{bad}'"))
            for bad in _BAD_ENDINGS:
                if where.endswith(bad):
                    errors.append(invalid(path.child("path"), where, f"cannot end with '{bad}'"))
    elif kind == "ImplementationSpecific":
        if where and not where.startswith("/"):
            errors.append(invalid(path.child("path"), where, "must be an absolute path"))
    else:
        errors.append(not_supported(path.child("pathType"), kind, _PATH_TYPES))
    return errors + _backend(entry.get("backend") or {}, path.child("backend"))


def _backend(backend: Object, path: Path) -> list[FieldError]:
    service, resource = backend.get("service"), backend.get("resource")
    if service is not None and resource is not None:
        return [invalid(path, "", "cannot set both resource and service backends")]
    if resource is not None:
        return _typed_reference(resource, path.child("resource"))
    if service is None:
        return [invalid(path, "", "resource or service backend is required")]
    errors: list[FieldError] = []
    name, port = service.get("name", ""), service.get("port") or {}
    at = path.child("service")
    if not name:
        errors.append(required(at.child("name")))
    else:
        errors += [invalid(at.child("name"), name, each) for each in names.dns_label(name)]
    port_name, number = port.get("name", ""), port.get("number", 0)
    if port_name and number:
        errors.append(invalid(path, "", "cannot set both port name & port number"))
    elif port_name:
        errors += [invalid(at.child("port", "name"), port_name, each) for each in names.port_name(port_name)]
    elif number:
        errors += [invalid(at.child("port", "number"), number, each) for each in names.port_number(number)]
    else:
        errors.append(required(path, "port name or number is required"))
    return errors


def _typed_reference(reference: Object, path: Path) -> list[FieldError]:
    errors: list[FieldError] = []
    group = reference.get("apiGroup") or ""
    if group:
        errors += [invalid(path.child("apiGroup"), group, each) for each in names.dns_subdomain(group)]
    for key in ("kind", "name"):
        value = reference.get(key, "")
        if not value:
            errors.append(required(path.child(key)))
        else:
            errors += [invalid(path.child(key), value, each) for each in names.path_segment(value)]
    return errors


def validate_ingress_class(ingress_class: Object) -> list[FieldError]:
    spec = ingress_class.get("spec") or {}
    controller, path = spec.get("controller", ""), _SPEC.child("controller")
    errors: list[FieldError] = []
    if len(controller) > _CONTROLLER_MAX:
        errors.append(too_long(path, _CONTROLLER_MAX))
    errors += _domain_prefixed(controller, path)
    parameters = spec.get("parameters")
    if parameters is not None:
        errors += _class_parameters(parameters, _SPEC.child("parameters"))
    return errors


def _domain_prefixed(text: str, path: Path) -> list[FieldError]:
    if not text:
        return [required(path)]
    domain, slash, rest = text.partition("/")
    if not slash or not domain or not rest:
        return [invalid(path, text, 'must be a domain-prefixed path (such as "acme.io/foo")')]
    return [invalid(path, domain, each) for each in names.dns_subdomain(domain)]


def _class_parameters(parameters: Object, path: Path) -> list[FieldError]:
    errors = _typed_reference(parameters, path)
    scope, namespace = parameters.get("scope"), parameters.get("namespace")
    if scope is None:
        return [*errors, required(path.child("scope"))]
    if scope not in ("Cluster", "Namespace"):
        errors.append(not_supported(path.child("scope"), scope, ("Cluster", "Namespace")))
    if scope == "Namespace":
        if not namespace:
            errors.append(required(path.child("namespace"), "`parameters.scope` is set to 'Namespace'"))
        else:
            errors += [invalid(path.child("namespace"), namespace, each) for each in names.dns_label(namespace)]
    elif scope == "Cluster" and namespace is not None:
        errors.append(forbidden(path.child("namespace"), "`parameters.scope` is set to 'Cluster'"))
    return errors


def validate_ingress_class_update(ingress_class: Object, old: Object) -> list[FieldError]:
    now, before = (ingress_class.get("spec") or {}).get("controller"), (old.get("spec") or {}).get("controller")
    changed = [invalid(_SPEC.child("controller"), now, IMMUTABLE)] if now != before else []
    return validate_ingress_class(ingress_class) + changed


def ip_address_name(text: str) -> list[str]:
    parsed = names.parsed_ip(text)
    if parsed is None:
        return [names.IP_MESSAGE]
    return [] if str(parsed) == text else [f'must be in canonical form ("{parsed}")']


def validate_ip_address(address: Object) -> list[FieldError]:
    parent, path = (address.get("spec") or {}).get("parentRef"), _SPEC.child("parentRef")
    if parent is None:
        return [required(path)]
    errors: list[FieldError] = []
    group = parent.get("group", "")
    if group:
        errors += [invalid(path.child("group"), group, each) for each in names.dns_subdomain(group)]
    for key in ("resource", "name"):
        value = parent.get(key, "")
        if not value:
            errors.append(required(path.child(key)))
        else:
            errors += [invalid(path.child(key), value, each) for each in names.path_segment(value)]
    namespace = parent.get("namespace", "")
    if namespace:
        errors += [invalid(path.child("namespace"), namespace, each) for each in names.path_segment(namespace)]
    return errors


def validate_ip_address_update(address: Object, old: Object) -> list[FieldError]:
    now, before = (address.get("spec") or {}).get("parentRef"), (old.get("spec") or {}).get("parentRef")
    return [invalid(_SPEC.child("parentRef"), now, IMMUTABLE)] if now != before else []


def validate_service_cidr(service_cidr: Object) -> list[FieldError]:
    ranges, path = (service_cidr.get("spec") or {}).get("cidrs") or [], _SPEC.child("cidrs")
    if not ranges:
        return [required(path, "at least one CIDR required")]
    if len(ranges) > 2:
        return [invalid(path, ranges, "may only hold up to 2 values")]
    errors: list[FieldError] = []
    for i, each in enumerate(ranges):
        errors += [invalid(path.index(i), each, text) for text in names.cidr(each)]
    if not errors and len(ranges) == 2 and (":" in ranges[0]) == (":" in ranges[1]):
        text = "may specify no more than one IP for each IP family, i.e 192.168.0.0/24 and 2001:db8::/64"
        errors.append(invalid(path, ranges, text))
    return errors


def validate_service_cidr_update(service_cidr: Object, old: Object) -> list[FieldError]:
    now, before = (service_cidr.get("spec") or {}).get("cidrs") or [], (old.get("spec") or {}).get("cidrs") or []
    path = _SPEC.child("cidrs")
    if len(before) == len(now) and before != now:
        return [invalid(path.index(i), each, IMMUTABLE) for i, each in enumerate(now) if each != before[i]]
    if len(before) == 1 and len(now) == 2 and now[0] == before[0]:
        return validate_service_cidr(service_cidr)
    return [] if now == before else [invalid(path, now, IMMUTABLE)]
