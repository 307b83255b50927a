"""NetworkPolicies with ranges that may not mean what they say."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from cybernetes.model.field import Path
from cybernetes.model.resource import WriteContext
from cybernetes.model.warnings.addresses import of_range

Object = dict[str, Any]


def of_network_policy(policy: Object, old: Object | None, ctx: WriteContext) -> list[str]:
    return [warning for path, text in _ranges(policy.get("spec") or {}) for warning in of_range(text, path)]


def _ranges(spec: Object) -> Iterator[tuple[Path, str]]:
    for direction, side in (("ingress", "from"), ("egress", "to")):
        for i, rule in enumerate(spec.get(direction) or []):
            for j, peer in enumerate(rule.get(side) or []):
                path, block = Path("spec").child(direction).index(i).child(side).index(j), peer.get("ipBlock") or {}
                if block:
                    yield path.child("ipBlock").child("cidr"), block["cidr"]
                for k, text in enumerate(block.get("except") or []):
                    yield path.child("ipBlock").child("except").index(k), text
