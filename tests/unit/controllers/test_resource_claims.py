"""When a claim of devices is given back, and how one from a template is called."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from cybernetes.controllers.objects import Pod
from cybernetes.controllers.resourceclaim.plan import FINALIZER, Claim, Template, made_for, prefix, step


def pod(uid: str = "u1", **more: Any) -> Pod:
    metadata = {"name": "p", "namespace": "shop", "uid": uid, **more.pop("metadata", {})}
    return msgspec.convert({"metadata": metadata, **more}, Pod)


def claim(*users: str, owner: str = "", **metadata: Any) -> Claim:
    owners = [{"kind": "Pod", "name": "p", "uid": owner, "controller": True}] if owner else []
    meta = {"name": "c", "namespace": "shop", "finalizers": [FINALIZER], "ownerReferences": owners, **metadata}
    reserved = [{"resource": "pods", "name": "p", "uid": each} for each in users]
    return msgspec.convert({"metadata": meta, "status": {"allocation": {}, "reservedFor": reserved}}, Claim)


@pytest.mark.parametrize(
    ("found", "stays"),
    [
        (pod(), True),
        (None, False),
        (pod("u2"), False),
        (pod(status={"phase": "Succeeded"}), False),
        (pod(metadata={"deletionTimestamp": "2026-01-01T00:00:00Z"}), False),
        # Its containers may still use the devices.
        (pod(metadata={"deletionTimestamp": "2026-01-01T00:00:00Z"}, spec={"nodeName": "a"}), True),
    ],
)
def test_a_claim_is_given_back_when_its_last_pod_uses_it_no_more(found: Pod | None, stays: bool) -> None:
    planned = step(claim("u1"), {"shop/p": found})
    assert [each.uid for each in planned.reserved] == (["u1"] if stays else [])
    assert planned.deallocate is not stays


def test_a_claim_that_nobody_used_yet_is_left_alone_until_it_is_deleted() -> None:
    unused = claim()
    assert not step(unused, {}).changes(unused)
    deleted = claim(deletionTimestamp="2026-01-01T00:00:00Z")
    assert step(deleted, {}).deallocate


def test_a_claim_that_was_made_for_a_pod_goes_with_it() -> None:
    assert step(claim(owner="u1"), {"shop/p": None}).delete
    assert not step(claim(owner="u1"), {"shop/p": pod()}).delete
    assert not step(claim("u1"), {"shop/p": None}).delete


def test_names_of_generated_claims_keep_something_of_both() -> None:
    assert prefix("web", "gpu") == "web-gpu-"
    long = prefix("p" * 60, "c" * 60)
    assert len(long) == 57
    assert long.startswith("p" * 20)
    assert long.endswith("c" * 20 + "-")


def test_the_claim_has_what_the_template_says_and_whose_it_is() -> None:
    spec = {"metadata": {"labels": {"a": "b"}, "annotations": {"x": "y"}}, "spec": {"devices": {"requests": []}}}
    template = msgspec.json.decode(msgspec.json.encode({"metadata": {"name": "t"}, "spec": spec}), type=Template)
    made = made_for(pod(), "gpu", template)
    assert made["spec"] == {"devices": {"requests": []}}
    meta = made["metadata"]
    assert meta["labels"] == {"a": "b"}
    assert meta["annotations"] == {"x": "y", "resource.kubernetes.io/pod-claim-name": "gpu"}
    assert (meta["ownerReferences"][0]["uid"], meta["ownerReferences"][0]["controller"]) == ("u1", True)
