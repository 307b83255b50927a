"""DefaultTolerationSeconds: a pod stays five minutes on a node that is not ready or can't be reached."""

from __future__ import annotations

from cybernetes.apiserver.admission.attributes import AdmissionAttributes, Place
from cybernetes.apiserver.admission.chain import Mutating, Step

TAINTS = ("node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable")
SECONDS = 300


class DefaultTolerationSeconds(Mutating):
    name = "DefaultTolerationSeconds"

    def mutator(self, place: Place) -> Step | None:
        return _tolerate if place.is_pod("CREATE", "UPDATE") else None


def _tolerate(attributes: AdmissionAttributes) -> None:
    spec = attributes.new["spec"]
    tolerations = spec.get("tolerations") or []
    added = [
        {"key": taint, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": SECONDS}
        for taint in TAINTS
        if not any(_covers(each, taint) for each in tolerations)
    ]
    if added:
        spec["tolerations"] = [*tolerations, *added]


def _covers(toleration: dict[str, object], taint: str) -> bool:
    return toleration.get("key") in (None, "", taint) and toleration.get("effect") in (None, "", "NoExecute")
