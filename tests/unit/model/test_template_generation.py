"""How often a DaemonSet's template has changed: an annotation that the server alone counts."""

from __future__ import annotations

from typing import Any

import pytest

from cybernetes.base.random import SeededRandom
from cybernetes.model.resource import WriteContext
from cybernetes.model.resources.apps.daemonsets import RESOURCE

COUNT = "deprecated.daemonset.template.generation"
CONTEXT = WriteContext(now=0.0, random=SeededRandom(1))


def daemon_set(count: str | None = None, image: str = "a") -> dict[str, Any]:
    annotations = {} if count is None else {COUNT: count}
    spec = {"template": {"spec": {"containers": [{"image": image}]}}}
    metadata = {"name": "x", "generation": 1, "annotations": annotations}
    return {"apiVersion": "apps/v1", "kind": "DaemonSet", "metadata": metadata, "spec": spec, "status": {}}


def counted(obj: dict[str, Any]) -> str:
    return obj["metadata"]["annotations"][COUNT]


@pytest.mark.parametrize(("given", "kept"), [(None, "1"), ("7", "7"), ("0", "1"), ("many", "1")])
def test_it_begins_with_one_or_where_another_cluster_was(given: str | None, kept: str) -> None:
    made = daemon_set(given)
    RESOURCE.strategy.prepare_create(made, CONTEXT)
    assert counted(made) == kept


@pytest.mark.parametrize(("before", "after"), [("3", "4"), ("many", "2")])
def test_another_template_is_one_more_whatever_the_writer_says(before: str, after: str) -> None:
    changed = daemon_set("99", "b")
    RESOURCE.strategy.prepare_update(changed, daemon_set(before), CONTEXT)
    assert counted(changed) == after


def test_writers_of_the_status_do_not_count() -> None:
    (strategy,) = [each.strategy for each in RESOURCE.subresources if each.strategy is not None]
    written = daemon_set("many")
    strategy.prepare_update(written, daemon_set("3"), CONTEXT)
    assert counted(written) == "3"
