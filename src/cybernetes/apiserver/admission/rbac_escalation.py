"""Nobody grants what they don't have: roles and bindings are refused that hold more than their writer may do.

Whoever has the verb `escalate` on a role, or `bind` on a role that is bound, is trusted with that.

source  Kubernetes documentation "Using RBAC Authorization", privilege escalation prevention
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cybernetes.apiserver.admission.attributes import AdmissionAttributes, Place
from cybernetes.apiserver.admission.chain import Mutating, Step
from cybernetes.auth.authz import Attributes, Authorizer
from cybernetes.auth.lister import RBAC
from cybernetes.auth.rbac import Rbac
from cybernetes.auth.rules import Rule, describe, missing, parse_all, quoted_list
from cybernetes.auth.user import MASTERS
from cybernetes.base.errors import not_found
from cybernetes.model.field import quoted

Object = dict[str, Any]

_ROLES = ("roles", "clusterroles")
_BINDINGS = ("rolebindings", "clusterrolebindings")
_EVERYTHING = (Rule(("*",), ("*",), ("*",)), Rule(verbs=("*",), urls=("*",)))


class RbacEscalation(Mutating):
    """Last of the mutators: what it looks at is what will be validated and stored."""

    name = "RBACEscalation"

    def __init__(self, authorizer: Authorizer, rbac: Rbac) -> None:
        self._authorizer = authorizer
        self._rbac = rbac

    def mutator(self, place: Place) -> Step | None:
        if place.group != RBAC or place.operation not in ("CREATE", "UPDATE"):
            return None
        return (
            self._check_role if place.plural in _ROLES else self._check_binding if place.plural in _BINDINGS else None
        )

    def _check_role(self, attributes: AdmissionAttributes) -> None:
        role = attributes.new
        if MASTERS in attributes.user.groups or _same(attributes, "rules", "aggregationRule"):
            return
        if self._may(attributes, "escalate", attributes.plural, role["metadata"].get("name", "")):
            return
        self._confirm(attributes, parse_all(role))
        if role.get("aggregationRule") and self._lacking(attributes, _EVERYTHING):
            raise attributes.forbidden("must have cluster-admin privileges to use the aggregationRule")

    def _check_binding(self, attributes: AdmissionAttributes) -> None:
        binding = attributes.new
        if MASTERS in attributes.user.groups or _same(attributes, "subjects", "roleRef"):
            return
        role = binding.get("roleRef") or {}
        kind, name = role.get("kind", ""), role.get("name", "")
        if self._may(attributes, "bind", f"{kind.lower()}s", name):
            return
        rules = self._rbac.rules_of_role(kind, attributes.namespace, name)
        if rules is None:
            raise not_found(RBAC, kind.lower(), name)
        self._confirm(attributes, rules)

    def _may(self, attributes: AdmissionAttributes, verb: str, plural: str, name: str) -> bool:
        namespace = attributes.namespace
        asked = Attributes(attributes.user, verb, RBAC, "*", plural, namespace=namespace, name=name)
        return self._authorizer.decide(asked).allowed

    def _confirm(self, attributes: AdmissionAttributes, rules: Sequence[Rule]) -> None:
        lacking = self._lacking(attributes, rules)
        if lacking:
            user = attributes.user
            raise attributes.forbidden(
                f"user {quoted(user.name)} (groups={quoted_list(user.groups)}) is attempting to grant RBAC "
                "permissions not currently held:\n" + "\n".join(describe(lacking))
            )

    def _lacking(self, attributes: AdmissionAttributes, rules: Sequence[Rule]) -> list[Rule]:
        owned, _ = self._rbac.rules_for(attributes.user, attributes.namespace)
        return missing(owned, rules)


def _same(attributes: AdmissionAttributes, *parts: str) -> bool:
    """An update that leaves these parts alone grants nothing: labels, or what the garbage collector changes."""
    old = attributes.old
    return old is not None and all((attributes.new.get(each) or None) == (old.get(each) or None) for each in parts)
