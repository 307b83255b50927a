"""Whether the priority level of a flow schema is there, as a condition of the schema."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

Object = dict[str, Any]


def dangling(schema: Object, level_names: Collection[str], now: str) -> Object | None:
    """The condition that a flow schema should have; None when it has it. now: RFC 3339."""
    level = schema["spec"]["priorityLevelConfiguration"]["name"]
    found = level in level_names
    if found:
        what = f'references the PriorityLevelConfiguration object named "{level}" and it exists'
    else:
        what = f'references the PriorityLevelConfiguration object named "{level}" but there is no such object'
    wanted = {
        "type": "Dangling",
        "status": "False" if found else "True",
        "reason": "Found" if found else "NotFound",
        "message": f"This FlowSchema {what}",
    }
    conditions = (schema.get("status") or {}).get("conditions") or ()
    has = next((each for each in conditions if each["type"] == "Dangling"), None)
    if has is not None and all(has.get(key) == value for key, value in wanted.items()):
        return None
    changed = has is None or has["status"] != wanted["status"]
    return {**wanted, "lastTransitionTime": now if changed or has is None else has["lastTransitionTime"]}
