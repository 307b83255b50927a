"""Flow schemas and priority levels."""

from __future__ import annotations

from typing import Any

FLOW = "io.k8s.api.flowcontrol.v1."


def flow_schema_spec(spec: dict[str, Any]) -> None:
    if not spec.get("matchingPrecedence"):
        spec["matchingPrecedence"] = 1000


def exempt(level: dict[str, Any]) -> None:
    level.setdefault("nominalConcurrencyShares", 0)
    level.setdefault("lendablePercent", 0)


def limited(level: dict[str, Any]) -> None:
    if level.get("nominalConcurrencyShares") is None:
        level["nominalConcurrencyShares"] = 30
    level.setdefault("lendablePercent", 0)


def queuing(settings: dict[str, Any]) -> None:
    for name, value in (("queues", 64), ("handSize", 8), ("queueLengthLimit", 50)):
        if not settings.get(name):
            settings[name] = value


DEFAULTS = {
    FLOW + "FlowSchemaSpec": flow_schema_spec,
    FLOW + "ExemptPriorityLevelConfiguration": exempt,
    FLOW + "LimitedPriorityLevelConfiguration": limited,
    FLOW + "QueuingConfiguration": queuing,
}
