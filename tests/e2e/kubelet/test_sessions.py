"""Logs, exec, attach and port-forward with the real kubectl and with older protocols."""

from __future__ import annotations

import asyncio
import os
from typing import Any

from tests.e2e.kubelet.cluster import Cluster, cluster, pod
from tests.e2e.kubelet.test_pods import UNTIL_TERM, phase, ready, state, waits
from tests.e2e.kubelet.testbed import Testbed

SERVE = "mkdir /www; echo served > /www/x; httpd -h /www -p 8080; echo up; echo bad >&2; " + UNTIL_TERM


def test_kubectl_reads_logs(testbed: Testbed) -> None:
    async def scenario() -> None:
        async with cluster(testbed) as c:
            await c.create(pod("talks", "seq 1 5; echo err >&2; printf part; sleep 0.2; echo ial; exit 1"))
            await c.until("talks", waits("CrashLoopBackOff"))
            code, out, err = await c.kubectl("logs", "talks")
            assert (code, err) == (0, "")
            assert sorted(out.split()) == sorted(["1", "2", "3", "4", "5", "err", "partial"])
            assert (await c.kubectl("logs", "talks", "--tail=1"))[1] == "partial\n"
            assert (await c.kubectl("logs", "talks", "--limit-bytes=3"))[1] == out[:3]
            stamped = (await c.kubectl("logs", "talks", "--timestamps"))[1].splitlines()[0]
            assert stamped.endswith(f"Z {out.splitlines()[0]}") and stamped[4] == "-"
            assert "1\n2\n" in (await c.kubectl("logs", "talks", "-p"))[1]
            await c.delete("talks")
            await c.gone("talks")

    asyncio.run(scenario())


def test_kubectl_follows_a_log_until_the_container_ends(testbed: Testbed) -> None:
    async def scenario() -> None:
        async with cluster(testbed) as c:
            await c.create(pod("slow", "for i in 1 2 3 4; do echo $i; sleep 0.3; done", restartPolicy="Never"))
            await c.until("slow", lambda obj: "running" in state(obj))
            code, out, _ = await c.kubectl("logs", "-f", "slow")
            assert (code, out) == (0, "1\n2\n3\n4\n")
            await c.until("slow", phase("Succeeded"))
            assert (await c.kubectl("logs", "slow"))[1] == "1\n2\n3\n4\n"
            await c.delete("slow")
            await c.gone("slow")

    asyncio.run(scenario())


def test_kubectl_runs_commands(testbed: Testbed) -> None:
    async def scenario() -> None:
        async with cluster(testbed) as c:
            await c.create(pod("box", SERVE))
            await c.until("box", ready)
            assert await c.kubectl("exec", "box", "--", "echo", "hi there") == (0, "hi there\n", "")
            code, out, err = await c.kubectl("exec", "box", "--", "sh", "-c", "echo out; echo err >&2; exit 7")
            assert (code, out) == (7, "out\n")
            assert err.splitlines()[0] == "err"
            assert "command terminated with exit code 7" in err
            big = b"0123456789abcdef" * 65536
            code, out, _ = await c.kubectl("exec", "-i", "box", "--", "wc", "-c", stdin=big)
            assert (code, out.strip()) == (0, str(len(big)))
            await _copies(c, testbed)
            await c.delete("box")
            await c.gone("box")

    asyncio.run(scenario())


async def _copies(c: Cluster, testbed: Testbed) -> None:
    source, back = testbed.root / "source", testbed.root / "back"
    source.write_bytes(b"x" * 300_000)
    code, _, err = await c.kubectl("cp", str(source), "box:/tmp-copy")
    assert code == 0, err
    code, _, err = await c.kubectl("cp", "box:/tmp-copy", str(back))
    assert code == 0, err
    assert back.read_bytes() == source.read_bytes()


def test_kubectl_attaches(testbed: Testbed) -> None:
    async def scenario() -> None:
        async with cluster(testbed) as c:
            reader = 'while read line; do echo "got $line"; [ "$line" = end ] && exit 0; done'
            await c.create(pod("tap", reader, container={"stdin": True, "stdinOnce": True}, restartPolicy="Never"))
            await c.until("tap", ready)
            code, out, _ = await c.kubectl("attach", "-i", "tap", stdin=b"one\nend\n")
            assert code == 0
            assert "got one\ngot end\n" in out
            await c.until("tap", phase("Succeeded"))
            await c.delete("tap")
            await c.gone("tap")

    asyncio.run(scenario())


def test_kubectl_forwards_ports(testbed: Testbed) -> None:
    async def scenario() -> None:
        async with cluster(testbed) as c:
            await c.create(pod("web", SERVE))
            await c.until("web", ready)
            process, port = await _forward(c, "web", 8080)
            try:
                for _ in range(3):
                    assert await _get(port, "/x") == "served\n"
            finally:
                process.terminate()
                await process.wait()
            await c.delete("web")
            await c.gone("web")

    asyncio.run(scenario())


async def _forward(
    c: Cluster, name: str, port: int, settings: dict[str, str] | None = None
) -> tuple[asyncio.subprocess.Process, int]:
    from tests.e2e.kubelet.cluster import KUBECTL

    process = await asyncio.create_subprocess_exec(
        KUBECTL,
        "--kubeconfig",
        str(c.kubeconfig),
        "port-forward",
        name,
        f":{port}",
        env={**os.environ, **(settings or {})},
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    async with asyncio.timeout(60):
        line = (await process.stdout.readline()).decode()
    return process, int(line.split(" -> ")[0].rpartition(":")[2])


async def _get(port: int, path: str) -> str:
    async with asyncio.timeout(60):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(f"GET {path} HTTP/1.0\r\n\r\n".encode())
        answer = await reader.read()
        writer.close()
    return answer.partition(b"\r\n\r\n")[2].decode()


def test_the_python_client_runs_commands_and_forwards_ports(testbed: Testbed) -> None:
    async def scenario() -> None:
        async with cluster(testbed) as c:
            await c.create(pod("py", SERVE))
            await c.until("py", ready)
            out, body = await asyncio.to_thread(_python_client, str(c.kubeconfig))
            assert out == ("out\n", "err\n", 3)
            assert body.endswith("served\n")
            await c.delete("py")
            await c.gone("py")

    asyncio.run(scenario())


def _python_client(kubeconfig: str) -> tuple[Any, str]:
    from kubernetes import client, config
    from kubernetes.stream import portforward, stream

    api = client.CoreV1Api(config.new_client_from_config(kubeconfig))
    command = ["sh", "-c", "echo out; echo err >&2; exit 3"]
    done = stream(
        api.connect_get_namespaced_pod_exec, "py", "default", command=command,
        stdout=True, stderr=True, stdin=False, tty=False, _preload_content=False,
    )  # fmt: skip
    done.run_forever(timeout=60)
    result = (done.read_stdout(), done.read_stderr(), done.returncode)
    api = client.CoreV1Api(config.new_client_from_config(kubeconfig))
    forward = portforward(api.connect_get_namespaced_pod_portforward, "py", "default", ports="8080")
    connection = forward.socket(8080)
    connection.settimeout(60)
    connection.sendall(b"GET /x HTTP/1.0\r\n\r\n")
    answer = b""
    while data := connection.recv(4096):
        answer += data
    connection.close()
    return result, answer.decode()


async def _numbers_are_there(c: Cluster) -> None:
    """Lines of each metrics page, as scrapers look for them."""
    pages = {
        "": "kubelet_running_pods 1",
        "/cadvisor": 'container_memory_working_set_bytes{container="c",',
        "/resource": 'container_cpu_usage_seconds_total{container="c",namespace="default",pod="alone"}',
        "/probes": 'prober_probe_total{container="c",namespace="default",pod="alone",pod_uid="',
    }
    for page, line in pages.items():
        code, out, _ = await c.kubectl("get", "--raw", f"/api/v1/nodes/node-a/proxy/metrics{page}")
        assert code == 0
        assert line in out, page


def test_nobody_unknown_gets_in(testbed: Testbed) -> None:
    async def scenario() -> None:
        from cybernetes.wire.http.client import HttpTransport
        from cybernetes.wire.http.message import Request
        from cybernetes.wire.http.tls import client_context

        async with cluster(testbed) as c:
            probe = {"exec": {"command": ["true"]}}
            await c.create(pod("alone", UNTIL_TERM, container={"readinessProbe": probe}))
            await c.until("alone", ready)
            transport = HttpTransport("https://127.0.0.1:10250", client_context(verify=False))
            try:
                answer = await transport.send(Request("GET", "/pods"))
                assert (answer.status, answer.body) == (401, b"Unauthorized")
            finally:
                await transport.close()
            await _numbers_are_there(c)
            code, out, _ = await c.kubectl("get", "--raw", "/api/v1/nodes/node-a/proxy/stats/summary")
            assert code == 0
            assert '"nodeName":"node-a"' in out
            await c.delete("alone")
            await c.gone("alone")

    asyncio.run(scenario())


def test_clients_that_speak_spdy_are_served(testbed: Testbed) -> None:
    async def scenario() -> None:
        old = {"KUBECTL_REMOTE_COMMAND_WEBSOCKETS": "false"}
        async with cluster(testbed) as c:
            await c.create(pod("spdy", SERVE))
            await c.until("spdy", ready)
            code, out, err = await c.kubectl(
                "exec", "-i", "spdy", "--", "sh", "-c", "cat; echo err >&2; exit 5", stdin=b"in", settings=old
            )
            assert (code, out) == (5, "in")
            assert err.splitlines()[0] == "err"
            process, port = await _forward(c, "spdy", 8080, {"KUBECTL_PORT_FORWARD_WEBSOCKETS": "false"})
            try:
                assert await _get(port, "/x") == "served\n"
            finally:
                process.terminate()
                await process.wait()
            await c.delete("spdy")
            await c.gone("spdy")

    asyncio.run(scenario())
