"""The order of version names, v2 before v1 before v1beta1.

source  Kubernetes documentation "Versions in CustomResourceDefinitions", version priority
"""

from __future__ import annotations

import re
from typing import Any

_VERSION = re.compile(r"v([0-9]+)(?:(alpha|beta)([0-9]+))?\Z")


def version_rank(version: str) -> tuple[Any, ...]:
    """Sort key of version names: v2, v1, v1beta1, v1alpha1, then other names in order of the alphabet."""
    found = _VERSION.match(version)
    if found is None:
        return (1, 0, 0, 0, version)
    stage = {None: 0, "beta": 1, "alpha": 2}[found[2]]
    return (0, stage, -int(found[1]), -int(found[3] or 0), "")
