"""Tables as JSON values. Pure.

source  Kubernetes API Concepts, "Receiving resources as Tables"
"""

from __future__ import annotations

from typing import Any


def definition(name: str, type_: str, format_: str, description: str, priority: int) -> dict[str, Any]:
    return {"name": name, "type": type_, "format": format_, "description": description, "priority": priority}
