"""Logs of several pods, terminals, and a node that is drained, with kubectl of several releases."""

from __future__ import annotations

import asyncio
import os
import pty
import subprocess
from pathlib import Path

from tests.e2e.clients.binaries import program
from tests.e2e.kubelet.cluster import NODE, Cluster, cluster, pod
from tests.e2e.kubelet.test_pods import UNTIL_TERM
from tests.e2e.kubelet.testbed import Testbed

RELEASES = (30, 31, 37)


def _ready(obj: dict[str, object]) -> bool:
    statuses = obj.get("status", {}).get("containerStatuses") or ()  # type: ignore[attr-defined]
    return bool(statuses) and all(each["ready"] for each in statuses)


def _in_a_terminal(kubectl: Path, kubeconfig: Path, typed: bytes, *arguments: str) -> bytes:
    """What a person sees who types `typed`."""
    ours, theirs = pty.openpty()
    command = [str(kubectl), "--kubeconfig", str(kubeconfig), *arguments]
    with subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True) as process:
        os.close(theirs)
        os.write(ours, typed)
        seen = b""
        while True:
            try:
                read = os.read(ours, 4096)
            except OSError:
                break
            if not read:
                break
            seen += read
        process.wait(20)
    os.close(ours)
    return seen


def test_logs_of_all_pods_with_a_label(testbed: Testbed) -> None:
    async def main() -> None:
        async with cluster(testbed) as c:
            for name in ("one", "two"):
                talking = pod(name, f"echo from {name}; {UNTIL_TERM}")
                talking["metadata"]["labels"] = {"app": "talk"}
                await c.create(talking)
            for name in ("one", "two"):
                await c.until(name, _ready)
            code, out, err = await c.kubectl("logs", "-l", "app=talk", "--prefix", "--since=1h", "--all-containers")
            assert (code, err) == (0, "")
            assert sorted(out.splitlines()) == ["[pod/one/c] from one", "[pod/two/c] from two"]
            assert (await c.kubectl("logs", "one", "--since-time=2099-01-01T00:00:00Z"))[1] == ""
            await c.delete("one", 0)
            await c.delete("two", 0)

    asyncio.run(main())


def test_terminals_and_drained_nodes_for_every_release(testbed: Testbed) -> None:
    async def main() -> None:
        async with cluster(testbed) as c:
            await c.create(pod("box", UNTIL_TERM))
            await c.until("box", _ready)
            for release in RELEASES:
                await _speaks(c, program("kubectl", release))
            code, out, err = await c.kubectl("drain", NODE, "--force", "--grace-period=1", timeout_s=60)
            assert (code, out.splitlines()[-1]) == (0, f"node/{NODE} drained"), err
            assert "evicting pod default/box" in out and "pod/box evicted" in out
            await c.gone("box")

    asyncio.run(main())


async def _speaks(c: Cluster, kubectl: Path) -> None:
    seen = await asyncio.to_thread(
        _in_a_terminal,
        kubectl,
        c.kubeconfig,
        b"test -t 0 && echo a terminal; exit 3\n",
        "exec",
        "-it",
        "box",
        "--",
        "sh",
    )
    assert b"\na terminal\r\n" in seen and b"exit code 3" in seen
