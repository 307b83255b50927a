"""Webhook configurations and admission policies."""

from __future__ import annotations

from typing import Any

ADMISSION = "io.k8s.api.admissionregistration.v1."
HTTPS = 443
WEBHOOK_SECONDS = 10


def webhook(obj: dict[str, Any]) -> None:
    obj.setdefault("failurePolicy", "Fail")
    obj.setdefault("matchPolicy", "Equivalent")
    obj.setdefault("namespaceSelector", {})
    obj.setdefault("objectSelector", {})
    obj.setdefault("timeoutSeconds", WEBHOOK_SECONDS)


def mutating_webhook(obj: dict[str, Any]) -> None:
    webhook(obj)
    obj.setdefault("reinvocationPolicy", "Never")


def rule(obj: dict[str, Any]) -> None:
    obj.setdefault("scope", "*")


def service_reference(obj: dict[str, Any]) -> None:
    obj.setdefault("port", HTTPS)


def policy_spec(spec: dict[str, Any]) -> None:
    spec.setdefault("failurePolicy", "Fail")


def match_resources(obj: dict[str, Any]) -> None:
    obj.setdefault("matchPolicy", "Equivalent")
    obj.setdefault("namespaceSelector", {})
    obj.setdefault("objectSelector", {})


DEFAULTS = {
    ADMISSION + "ValidatingWebhook": webhook,
    ADMISSION + "MutatingWebhook": mutating_webhook,
    ADMISSION + "RuleWithOperations": rule,
    ADMISSION + "NamedRuleWithOperations": rule,
    ADMISSION + "ServiceReference": service_reference,
    ADMISSION + "ValidatingAdmissionPolicySpec": policy_spec,
    ADMISSION + "MutatingAdmissionPolicySpec": policy_spec,
    ADMISSION + "MatchResources": match_resources,
}
