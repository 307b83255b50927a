"""Proxy: from API objects to rules in the kernel, then one changed endpoint. `python perf/proxy.py [--json] [--quick]`

Needs root. Each run is a process of its own in a network namespace of its own. Time from the start includes reading
the objects' JSON, planning, encoding and the kernel's transaction; memory is the process's peak, Python included.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

NAMESPACE = "cyb-px-perf"
ENDPOINTS = 2
SERVICE_RANGES = ("10.96.0.0/12",)
CHANGES = 50

# services -> mode -> promise
PROMISES: dict[tuple[str, int], dict[str, float]] = {
    ("nftables", 10_000): {"start_s": 1.0, "memory_mb": 80.0, "change_ms": 5.0, "restart_s": 1.0},
    ("nftables", 50_000): {"change_ms": 5.0},
    # Without nf_tables in the kernel there is only this one. The kernel copies the whole table for every change.
    ("iptables-legacy", 10_000): {"start_s": 2.0},
    # After every change the kernel walks all chains that packets can come to, once a rule.
    ("iptables-nft", 10_000): {"start_s": 2.0, "change_ms": 30.0},
    ("iptables-nft", 1_000): {"change_ms": 15.0},
}
# Wall time on a busy machine says little; the processor's time, children included, says the rest.
UNITS = {
    **dict.fromkeys(("start_cpu_s", "start_s", "restart_s", "kernel_s"), "s"),
    **dict.fromkeys(("change_ms", "change_cpu_ms"), "ms"),
    "memory_mb": "MB",
}


def services(count: int) -> Iterator[bytes]:
    for n in range(count):
        address = f"10.{96 + (n >> 16)}.{n >> 8 & 255}.{n & 255}"
        body = {
            "metadata": {"name": f"service-{n}", "namespace": "shop", "uid": f"{n:032x}", "labels": {"app": f"a{n}"}},
            "spec": {
                "type": "ClusterIP",
                "clusterIP": address,
                "clusterIPs": [address],
                "selector": {"app": f"a{n}"},
                "sessionAffinity": "None",
                "internalTrafficPolicy": "Cluster",
                "ipFamilies": ["IPv4"],
                "ipFamilyPolicy": "SingleStack",
                "ports": [{"name": "http", "port": 80, "protocol": "TCP", "targetPort": 8080}],
            },
            "status": {"loadBalancer": {}},
        }
        yield json.dumps(body).encode()


def endpoint_slice(n: int, salt: int = 0) -> bytes:
    endpoints = [
        {
            "addresses": [f"10.{128 + (n >> 14)}.{n >> 6 & 255}.{(n & 63) * 4 + each + (salt if each == 0 else 0)}"],
            "conditions": {"ready": True, "serving": True, "terminating": False},
            "nodeName": f"node-{n % 100}",
            "targetRef": {"kind": "Pod", "name": f"pod-{n}-{each}", "namespace": "shop"},
        }
        for each in range(ENDPOINTS)
    ]
    body = {
        "metadata": {
            "name": f"service-{n}-abcde",
            "namespace": "shop",
            "labels": {"kubernetes.io/service-name": f"service-{n}"},
        },
        "addressType": "IPv4",
        "endpoints": endpoints,
        "ports": [{"name": "http", "port": 8080, "protocol": "TCP"}],
    }
    return json.dumps(body).encode()


def plane_of(mode: str) -> Any:
    if mode.startswith("iptables"):
        from cybernetes.proxy.packets.iptables import IptablesDataplane

        return IptablesDataplane(4, mode.partition("-")[2])
    from cybernetes.proxy.dataplane import TableDataplane
    from cybernetes.proxy.packets.nft import NftPackets

    return TableDataplane(NftPackets(4))


async def measure(mode: str, count: int) -> dict[str, float]:
    from cybernetes.proxy import decode
    from cybernetes.proxy.frame import LocalPods, Settings
    from cybernetes.proxy.objects import NodeFacts
    from cybernetes.proxy.state import State

    state = State(NodeFacts("node-1"))
    settings = Settings(
        LocalPods(("10.128.0.0/9",)), nodeport_ips=(bytes((10, 0, 0, 1)),), service_ranges=SERVICE_RANGES
    )
    spent = spent_cpu = 0.0
    for body in services(count):
        started, cpu = time.perf_counter(), time.process_time()
        read = decode.service(body)
        state.reduce_service(read.key, read)
        spent, spent_cpu = spent + time.perf_counter() - started, spent_cpu + time.process_time() - cpu
    for n in range(count):
        body = endpoint_slice(n)
        started, cpu = time.perf_counter(), time.process_time()
        state.reduce_slice(f"shop/service-{n}-abcde", None, decode.endpoint_slice(body))
        spent, spent_cpu = spent + time.perf_counter() - started, spent_cpu + time.process_time() - cpu
    plane = plane_of(mode)
    started, cpu = time.perf_counter(), _cpu_s()
    state.take_changed()
    await plane.install(_views(state), settings, lambda _: None)
    installed, cpu = time.perf_counter() - started, _cpu_s() - cpu
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    cpu_before = _cpu_s()
    changes = [await _change(plane, state, n, salt) for n in range(0, count, count // CHANGES) for salt in (2, 0)]
    change_cpu = (_cpu_s() - cpu_before) / len(changes)
    again = plane_of(mode)
    started = time.perf_counter()
    await again.install(_views(state), settings, lambda _: None)
    restart = time.perf_counter() - started
    return {
        "start_s": spent + installed,
        "start_cpu_s": spent_cpu + cpu,
        "kernel_s": installed,
        "memory_mb": memory,
        "change_cpu_ms": change_cpu * 1000,
        "change_ms": statistics.median(changes) * 1000,
        "restart_s": spent + restart,
    }


def _views(state: Any) -> Iterator[Any]:
    for key in sorted(state.services):
        yield from state.views(key, 4)


def _cpu_s() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)


async def _change(plane: Any, state: Any, n: int, salt: int) -> float:
    from cybernetes.proxy import decode

    body = endpoint_slice(n, salt)
    key = f"shop/service-{n}-abcde"
    started = time.perf_counter()
    old = dict(state._slices[f"shop/service-{n}"])[key]
    state.reduce_slice(key, old, decode.endpoint_slice(body))
    changes = {view.key: view for each in state.take_changed() for view in state.views(each, 4)}
    await plane.change(changes, lambda _: None)
    return time.perf_counter() - started


def run_apart(mode: str, count: int) -> dict[str, float]:
    subprocess.run(["ip", "netns", "del", NAMESPACE], check=False, capture_output=True)
    subprocess.run(["ip", "netns", "add", NAMESPACE], check=True)
    try:
        command = ["ip", "netns", "exec", NAMESPACE, sys.executable, __file__, "--run", mode, str(count)]
        printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        found: dict[str, float] = json.loads(printed)
        return found
    finally:
        subprocess.run(["ip", "netns", "del", NAMESPACE], check=False, capture_output=True)


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--json", action="store_true")
    arguments.add_argument("--quick", action="store_true", help="only the smallest of each mode")
    arguments.add_argument("--run", nargs=2, metavar=("MODE", "SERVICES"), help=argparse.SUPPRESS)
    given = arguments.parse_args()
    if given.run:
        print(json.dumps(asyncio.run(measure(given.run[0], int(given.run[1])))))
        return 0
    from cybernetes import native

    if native.kind() != "compiled" or os.geteuid():
        print("perf/proxy.py needs the compiled kernels and root", file=sys.stderr)
        return 2
    broken = 0
    rows = []
    for (mode, count), promises in PROMISES.items():
        if given.quick and count > 10_000:
            continue
        for name, value in run_apart(mode, count).items():
            promise = promises.get(name)
            kept = promise is None or value <= promise
            broken += not kept
            rows.append(
                {"name": f"{mode} {count} services: {name}", "value": value, "unit": UNITS[name], "promise": promise}
            )
    if given.json:
        print(json.dumps(rows))
    else:
        for row in rows:
            promise = f"<= {row['promise']} {row['unit']}" if row["promise"] else ""
            print(f"{row['name']:48} {row['value']:10.3f} {row['unit']:4} {promise}")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
