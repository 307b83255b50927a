"""Claims of StatefulSets: made with pods, kept or deleted as the set says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.e2e.rows.lab import SLEEP, Lab, Object, names_of
from tests.e2e.rows.test_rows_statefulsets import make, stateful_set

from cybernetes.client.target import PERSISTENT_VOLUME_CLAIMS, PERSISTENT_VOLUMES, PODS, STATEFUL_SETS


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


async def test_a_claim_of_no_class_is_a_folder_that_outlives_its_pods(lab: Lab) -> None:
    claim = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Mi"}}}
    await lab.make(PERSISTENT_VOLUME_CLAIMS, {"metadata": {"name": "data"}, "spec": claim})
    await lab.until(lambda: lab.events("WaitForFirstConsumer"), "the claim waits for a pod")
    how: dict[str, Any] = {
        "volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": "data"}}],
        "container": {"volumeMounts": [{"name": "data", "mountPath": "/data"}]},
        "securityContext": {"runAsUser": 1000, "runAsNonRoot": True},
        "command": ("/bin/sh", "-c", "echo $HOSTNAME >> /data/visitors; exec sleep 1000"),
    }
    first = await lab.run_pod("first", **how)
    bound = await lab.get(PERSISTENT_VOLUME_CLAIMS, "data")
    assert (bound["spec"]["storageClassName"], bound["status"]["phase"]) == ("local", "Bound")
    await lab.delete(PODS, "first")
    await lab.until_gone(PODS, "first")
    second = await lab.run_pod("second", **how)
    assert second["spec"]["nodeName"] == first["spec"]["nodeName"], "the data is there"
    assert (await lab.run("second", "cat", "/data/visitors")).split() == ["first", "second"]
    volume = await lab.client.get(PERSISTENT_VOLUMES, bound["spec"]["volumeName"])
    folder = Path(volume["spec"]["local"]["path"])
    assert (folder / "visitors").exists()
    await lab.delete(PODS, "second")
    await lab.delete(PERSISTENT_VOLUME_CLAIMS, "data")
    await lab.until_gone(PERSISTENT_VOLUMES, folder.name)
    assert not folder.exists()  # noqa: ASYNC240 -- one look
