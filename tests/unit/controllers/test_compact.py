"""Pods are decoded small, and say the same as before."""

from __future__ import annotations

import msgspec
import orjson
from world import pod

from cybernetes.controllers.compact import SHARED_MAX, PodDecoder
from cybernetes.controllers.objects import Pod


def body(name: str, **labels: str) -> bytes:
    found = pod(name, **labels)
    found["spec"]["nodeName"] = "node-1"
    found["spec"]["tolerations"] = [{"key": "k", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300}]
    found["spec"]["volumes"] = [
        {"name": "token", "projected": {"sources": []}},
        {"name": "data", "persistentVolumeClaim": {"claimName": "c"}},
    ]
    found["status"] = {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}
    return orjson.dumps(found)


def test_equal_parts_are_one_value() -> None:
    decode = PodDecoder()
    a, b = decode(body("a", app="web")), decode(body("b", app="web"))
    assert a.metadata.labels is b.metadata.labels
    assert a.spec.tolerations is b.spec.tolerations and a.spec.containers is b.spec.containers
    assert a.status.conditions is b.status.conditions and a.spec.node_name is b.spec.node_name


def test_nothing_is_lost_but_volumes_that_nobody_looks_at() -> None:
    plain = msgspec.json.decode(body("a", app="web"), type=Pod)
    wanted = msgspec.structs.replace(plain, spec=msgspec.structs.replace(plain.spec, volumes=plain.spec.volumes[1:]))
    assert PodDecoder()(body("a", app="web")) == wanted


def test_pods_without_labels_have_an_empty_dict() -> None:
    decode = PodDecoder()
    assert decode(body("a")).metadata.labels == {} and decode(body("b")).metadata.labels == {}


def test_what_is_remembered_is_bounded() -> None:
    decode = PodDecoder()
    for n in range(SHARED_MAX // 4):
        decode(body("a", number=str(n)))
        decode(body("a", other=str(n)))
    assert len(decode.shared) <= SHARED_MAX
