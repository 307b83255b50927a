"""What reading, filling and writing of objects costs: `python perf/schema.py [--json]`

Promise: a pod of 2 KB is decoded, defaulted and encoded again in the order of 100 microseconds.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

import orjson

from cybernetes.model import quantity
from cybernetes.model.schema import compile as schema
from cybernetes.model.schema.decode import decode
from cybernetes.model.schema.default import default
from cybernetes.wire import protobuf

ROUNDS, REPEATS = 7, 2000


def pod() -> dict[str, object]:
    """About 2 KB, as a deployment of an ordinary service makes it."""
    labels = {"app.kubernetes.io/name": "shop", "app.kubernetes.io/part-of": "store", "pod-template-hash": "5d8f9c7b66"}
    probe = {"httpGet": {"path": "/healthz", "port": "http"}, "periodSeconds": 5}
    resources = {"requests": {"cpu": "100m", "memory": "128Mi"}, "limits": {"memory": "256Mi"}}
    env = [{"name": f"SETTING_{i}", "value": f"value-{i}"} for i in range(5)]
    env.append({"name": "POD_IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}})
    owner = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "shop-5d8f9c7b66", "controller": True}
    container = {
        "name": "shop",
        "image": "registry.example.test/shop:1.24.0",
        "ports": [{"name": "http", "containerPort": 8080}, {"name": "metrics", "containerPort": 9090}],
        "env": env,
        "resources": resources,
        "livenessProbe": probe,
        "readinessProbe": probe,
        "volumeMounts": [{"name": "config", "mountPath": "/etc/shop"}, {"name": "tmp", "mountPath": "/tmp"}],
        "securityContext": {"runAsNonRoot": True, "allowPrivilegeEscalation": False},
    }
    sidecar = {**container, "name": "proxy", "ports": [{"containerPort": 15001}], "env": env[:2]}
    spec = {
        "containers": [container, sidecar],
        "volumes": [{"name": "config", "configMap": {"name": "shop"}}, {"name": "tmp", "emptyDir": {}}],
        "serviceAccountName": "shop",
        "nodeSelector": {"kubernetes.io/os": "linux"},
        "tolerations": [{"key": "dedicated", "operator": "Equal", "value": "shop", "effect": "NoSchedule"}],
    }
    metadata = {"generateName": "shop-5d8f9c7b66-", "labels": labels, "ownerReferences": [{**owner, "uid": "u" * 36}]}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}


def best_us(work: Callable[[], object]) -> float:
    best = float("inf")
    for _ in range(ROUNDS):
        start = time.perf_counter()
        for _ in range(REPEATS):
            work()
        best = min(best, (time.perf_counter() - start) / REPEATS)
    return best * 1e6


def measure() -> list[tuple[str, float, str]]:
    start = time.perf_counter()
    node = schema.kind_node("v1", "Pod")
    assert node is not None
    body = orjson.dumps(pod())

    def read() -> dict[str, object]:
        return decode(node, body, "application/json", kind="Pod", api_version="v1").object

    def whole() -> bytes:
        obj = read()
        default(node, obj)
        return orjson.dumps(obj)

    whole()
    first_ms = (time.perf_counter() - start) * 1e3
    obj = read()
    default(node, obj)
    message = protobuf.encode(node, obj)
    works = (
        ("parse and write JSON alone", lambda: orjson.dumps(orjson.loads(body))),
        ("decode", read),
        ("decode, default, encode", whole),
        ("protobuf encode", lambda: protobuf.encode(node, obj)),
        ("protobuf decode", lambda: protobuf.decode(node, message)),
        ("quantity, seen before", lambda: quantity.canonical("1.5Gi")),
    )
    return [("first pod, definitions loaded and compiled", first_ms, "ms")] + [
        (f"pod of {len(body)} bytes: {name}", best_us(work), "us") for name, work in works
    ]


def main() -> None:
    rows = measure()
    if "--json" in sys.argv:
        print(orjson.dumps([{"name": name, "value": value, "unit": unit} for name, value, unit in rows]).decode())
        return
    for name, value, unit in rows:
        print(f"{name:55} {value:10.2f} {unit}")


if __name__ == "__main__":
    main()
