"""ipFamilyPolicy and ipFamilies of a Service, in a cluster of one family or of two. Pure; in place.

source  Kubernetes documentation "IPv4/IPv6 dual-stack", Services; KEP-563 "IPv4/IPv6 dual-stack support"
"""

from __future__ import annotations

from collections.abc import Sequence

from cybernetes.apiserver.services.fields import NONE, SPEC, Object, Spec, headless, invalid, needs_address
from cybernetes.model.field import FieldError
from cybernetes.model.field import invalid as invalid_field
from cybernetes.model.validation.services import validate_address_fields

SINGLE, PREFER, REQUIRE = "SingleStack", "PreferDualStack", "RequireDualStack"
_POLICY = SPEC.child("ipFamilyPolicy")


def decide(service: Object, old: Spec | None, configured: Sequence[str]) -> None:
    """Fill in what the client left open, and cut off what it wants to give back. Raises ApiError 422.

    old         the spec before an update, None for a new Service; what was allocated is carried over already
    configured  the cluster's families, its default one first
    """
    spec = service["spec"]
    if not needs_address(spec) or _prefers_what_it_has(spec, old):
        return
    bare = headless(spec) and not spec.get("selector")
    spec["ipFamilyPolicy"] = (
        spec.get("ipFamilyPolicy") or (old or {}).get("ipFamilyPolicy") or (REQUIRE if bare else SINGLE)
    )
    _refuse(service, validate_address_fields(spec))
    if old is not None and spec["ipFamilyPolicy"] == SINGLE:
        _give_second_back(spec, old)
    families, unknown = _families_of_addresses(spec, configured)
    _refuse(service, [*_reduced(spec, old), *_too_many(spec), *unknown])
    # Who has endpoints of his own behind a name knows which families they have, whatever the cluster's are.
    if not bare:
        _refuse(service, _not_configured(spec["ipFamilyPolicy"], families, configured))
    families = families or list(configured[:1])
    if spec["ipFamilyPolicy"] != SINGLE and len(families) == 1 and (bare or len(configured) > 1):
        families.append("IPv6" if families[0] == "IPv4" else "IPv4")
    spec["ipFamilies"] = families


def _prefers_what_it_has(spec: Spec, old: Spec | None) -> bool:
    """A preference is followed when it is expressed, not when the cluster gets another family, or loses one."""
    same = ("type", "ipFamilyPolicy", "clusterIPs", "ipFamilies")
    return old is not None and spec.get("ipFamilyPolicy") == PREFER and all(spec.get(n) == old.get(n) for n in same)


def _give_second_back(spec: Spec, old: Spec) -> None:
    """Who asks for one family and changes nothing else keeps the first."""
    for name in ("clusterIPs", "ipFamilies"):
        if spec.get(name) and spec[name] == old.get(name):
            spec[name] = spec[name][:1]


def _reduced(spec: Spec, old: Spec | None) -> list[FieldError]:
    policy = spec["ipFamilyPolicy"]
    if old is None or policy == SINGLE:
        return []
    named = {"clusterIPs": "cluster IP", "ipFamilies": "IP family"}
    return [
        invalid_field(_POLICY, policy, f"must be 'SingleStack' to release the secondary {text}")
        for name, text in named.items()
        if spec.get(name) and len(spec[name]) < len(old.get(name) or ())
    ]


def _too_many(spec: Spec) -> list[FieldError]:
    policy = spec["ipFamilyPolicy"]
    if policy != SINGLE:
        return []
    named = {"clusterIPs": "cluster IPs", "ipFamilies": "IP families"}
    why = "must be 'RequireDualStack' or 'PreferDualStack' when multiple"
    return [
        invalid_field(_POLICY, policy, f"{why} {text} are specified")
        for name, text in named.items()
        if len(spec.get(name) or ()) == 2
    ]


def _families_of_addresses(spec: Spec, configured: Sequence[str]) -> tuple[list[str], list[FieldError]]:
    """ipFamilies as asked for, and those that follow from the addresses asked for."""
    families, errors = list(spec.get("ipFamilies") or ()), []
    addresses = [each for each in spec.get("clusterIPs") or () if each != NONE]
    for i, address in enumerate(addresses[len(families) :], len(families)):
        family = family_of(address)
        if family in configured:
            families.append(family)
        else:
            path = SPEC.child("clusterIPs").index(i)
            errors.append(invalid_field(path, addresses, f"{family} is not configured on this cluster"))
    return families, errors


def _not_configured(policy: str, families: Sequence[str], configured: Sequence[str]) -> list[FieldError]:
    errors = []
    if policy == REQUIRE and len(configured) < 2:
        errors.append(invalid_field(_POLICY, policy, "this cluster is not configured for dual-stack services"))
    return errors + [
        invalid_field(SPEC.child("ipFamilies").index(i), each, "not configured on this cluster")
        for i, each in enumerate(families)
        if each not in configured
    ]


def family_of(address: str) -> str:
    return "IPv6" if ":" in address else "IPv4"


def _refuse(service: Object, errors: list[FieldError]) -> None:
    if errors:
        raise invalid(service, errors)
