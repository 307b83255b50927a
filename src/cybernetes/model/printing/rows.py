"""What single resources print beside the cells of their columns, by (group, plural)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from cybernetes.model.printing.formats import AGE
from cybernetes.model.printing.pods import row_conditions
from cybernetes.model.resource import Column, Object

CONDITIONS: Mapping[tuple[str, str], Callable[[Object], list[dict[str, Any]]]] = {("", "pods"): row_conditions}
# The reference gives rows of addresses a cell more than their table has columns.
EXTRA_CELLS: Mapping[tuple[str, str], tuple[Column, ...]] = {("networking.k8s.io", "ipaddresses"): (AGE,)}
