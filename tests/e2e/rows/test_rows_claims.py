"""Claims of StatefulSets: made with pods, kept or deleted as the set says."""

from __future__ import annotations

from typing import Any

from tests.e2e.rows.lab import SLEEP, Lab, Object, names_of
from tests.e2e.rows.test_rows_statefulsets import make, stateful_set

from cybernetes.client.target import PERSISTENT_VOLUME_CLAIMS, STATEFUL_SETS


async def _with_claims(lab: Lab, **policy: str) -> None:
    """Claims stay unbound, so their pods do not run; a set of parallel pods makes all of them at once."""
    claim = {
        "accessModes": ["ReadWriteOnce"],
        "resources": {"requests": {"storage": "1Mi"}},
        "storageClassName": "none",
    }
    more: dict[str, Any] = {
        "podManagementPolicy": "Parallel",
        "volumeClaimTemplates": [{"metadata": {"name": "data"}, "spec": claim}],
    }
    found = stateful_set("kept", 3, command=SLEEP, persistentVolumeClaimRetentionPolicy=policy, **more)
    await make(lab, found)
    await lab.until(lambda: _claims_are(lab, "data-kept-0", "data-kept-1", "data-kept-2"), "three claims")


async def _claims_are(lab: Lab, *names: str) -> bool:
    return names_of(await lab.list(PERSISTENT_VOLUME_CLAIMS)) == list(names)


async def _count(lab: Lab, number: int) -> bool:
    return len(await lab.pods()) == number


async def test_claims_are_kept_by_default(lab: Lab) -> None:
    await _with_claims(lab, whenScaled="Retain", whenDeleted="Retain")
    await lab.patch(STATEFUL_SETS, "kept", {"spec": {"replicas": 1}})
    await lab.until(lambda: _count(lab, 1), "one pod")
    await lab.delete(STATEFUL_SETS, "kept")
    await lab.until(lambda: _count(lab, 0), "no pod")
    assert await _claims_are(lab, "data-kept-0", "data-kept-1", "data-kept-2")


async def test_claims_go_with_scaling_down(lab: Lab) -> None:
    await _with_claims(lab, whenScaled="Delete", whenDeleted="Retain")
    await lab.patch(STATEFUL_SETS, "kept", {"spec": {"replicas": 1}})
    await lab.until(lambda: _claims_are(lab, "data-kept-0"), "the claims of the others are gone")


async def test_claims_go_with_the_set(lab: Lab) -> None:
    await _with_claims(lab, whenScaled="Retain", whenDeleted="Delete")
    claims: list[Object] = await lab.list(PERSISTENT_VOLUME_CLAIMS)
    assert {each["metadata"]["ownerReferences"][0]["kind"] for each in claims} == {"StatefulSet"}
    await lab.delete(STATEFUL_SETS, "kept")
    await lab.until(lambda: _claims_are(lab), "all claims are gone")
