"""Where a load balancer is reached, as the statuses of Services and Ingresses have it.

source  Kubernetes, validation of pkg/apis/core and networking: ValidateLoadBalancerStatus
"""

from __future__ import annotations

from typing import Any

from cybernetes.model.field import FieldError, Path, forbidden, invalid, not_supported, required
from cybernetes.model.validation import names

Object = dict[str, Any]
_PATH = Path("status").child("loadBalancer", "ingress")
_MODES = ("Proxy", "VIP")


def validate_service_status(service: Object, old: Object) -> list[FieldError]:
    if (service.get("spec") or {}).get("type") != "LoadBalancer":
        # What a service had as it was one may stay until somebody takes it away.
        given = _ingress(service) not in ([], _ingress(old))
        return [forbidden(_PATH, "may only be used when `spec.type` is 'LoadBalancer'")] if given else []
    errors = _reached(service, old)
    for i, each in enumerate(_ingress(service)):
        path, mode = _PATH.index(i).child("ipMode"), each.get("ipMode")
        if mode is None:
            errors += [required(path, "must be specified when `ip` is set")] if each.get("ip") else []
        elif not each.get("ip"):
            errors.append(forbidden(path, "may not be specified when `ip` is not set"))
        elif mode not in _MODES:
            errors.append(not_supported(path, mode, _MODES))
    return errors


def validate_ingress_status(ingress: Object, old: Object) -> list[FieldError]:
    return _reached(ingress, old)


def _reached(obj: Object, old: Object) -> list[FieldError]:
    """Addresses that were there before may stay whatever they are."""
    known = {each.get("ip") for each in _ingress(old)}
    errors: list[FieldError] = []
    for i, each in enumerate(_ingress(obj)):
        path, ip, host = _PATH.index(i), each.get("ip"), each.get("hostname")
        if ip and ip not in known:
            errors += [invalid(path.child("ip"), ip, problem) for problem in names.legacy_ip_address(ip)]
        if host:
            errors += [invalid(path.child("hostname"), host, problem) for problem in names.dns_subdomain(host)]
            if not names.legacy_ip_address(host):
                errors.append(invalid(path.child("hostname"), host, "must be a DNS name, not an IP address"))
    return errors


def _ingress(obj: Object) -> list[Object]:
    found: list[Object] = ((obj.get("status") or {}).get("loadBalancer") or {}).get("ingress") or []
    return found
