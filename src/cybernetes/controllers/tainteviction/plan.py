"""How long a pod may stay on a node with NoExecute taints.

source  Kubernetes documentation "Taints and Tolerations", taint based evictions
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from cybernetes.controllers.objects import Taint, Toleration
from cybernetes.model.placement import tolerates


def no_execute(taints: Sequence[Taint]) -> tuple[Taint, ...]:
    return tuple(each for each in taints if each.effect == "NoExecute")


def patience_s(tolerations: Sequence[Toleration], taints: Sequence[Taint]) -> float:
    """Seconds that the pod may stay from the moment the taints are seen; 0: none, infinity: for ever."""
    used = []
    for taint in taints:
        matching = [each for each in tolerations if tolerates(each, taint)]
        if not matching:
            return 0.0
        used.append(matching[0])
    limits = [each.toleration_seconds for each in used if each.toleration_seconds is not None]
    return max(0.0, float(min(limits))) if limits else math.inf
