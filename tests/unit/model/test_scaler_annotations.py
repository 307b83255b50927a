"""What autoscaling/v1 says of the fields that only autoscaling/v2 has: in annotations, which anybody may write."""

from __future__ import annotations

import orjson
import pytest

from cybernetes.base.errors import ApiError
from cybernetes.model import convert

PREFIX = "autoscaling.alpha.kubernetes.io/"
to_v2 = convert.between("autoscaling/v1", "autoscaling/v2", "HorizontalPodAutoscaler")
to_v1 = convert.between("autoscaling/v2", "autoscaling/v1", "HorizontalPodAutoscaler")
MEMORY = {"type": "Resource", "resource": {"name": "memory", "target": {"type": "AverageValue", "averageValue": "1Gi"}}}


def scaler(**annotations: str) -> dict[str, object]:
    told = {PREFIX + name.replace("_", "-"): text for name, text in annotations.items()}
    return {"apiVersion": "autoscaling/v1", "metadata": {"name": "a", "annotations": told}, "spec": {"maxReplicas": 2}}


def test_metrics_go_there_and_back() -> None:
    there = to_v2(scaler(metrics=orjson.dumps([MEMORY]).decode()))
    assert there["spec"]["metrics"] == [MEMORY] and "annotations" not in there["metadata"]
    assert orjson.loads(to_v1(there)["metadata"]["annotations"][f"{PREFIX}metrics"]) == [MEMORY]


@pytest.mark.parametrize("text", ["nonsense", "5", "[1]", "{}", '"', "[]},{"])
def test_what_does_not_fit_is_refused(text: str) -> None:
    with pytest.raises(ApiError) as refused:
        to_v2(scaler(metrics=text))
    assert refused.value.code == 400


@pytest.mark.parametrize(("name", "text"), [("behavior", "[1]"), ("conditions", "[1]"), ("current_metrics", "{}")])
def test_no_field_takes_another_shape(name: str, text: str) -> None:
    with pytest.raises(ApiError) as refused:
        to_v2(scaler(**{name: text}))
    assert refused.value.code == 400
