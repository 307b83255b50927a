"""A whole kubelet on a runtime and a machine in memory, through a real API server in the same process."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager, suppress
from typing import Any

import orjson

from cybernetes.apiserver.config import ServerConfig
from cybernetes.apiserver.server import ApiServer, InProcessTransport
from cybernetes.auth import pki
from cybernetes.auth.user import AUTHENTICATED, NODE_PREFIX, NODES, User
from cybernetes.base.clock import SystemClock
from cybernetes.base.errors import ApiError
from cybernetes.base.random import SystemRandom
from cybernetes.client.api import ApiClient, PatchType
from cybernetes.client.target import CONFIG_MAPS, EVENTS, LEASES, PODS, SERVICE_ACCOUNTS
from cybernetes.client.target import NODES as NODE_OBJECTS
from cybernetes.kubelet.config import KubeletConfig
from cybernetes.kubelet.fake_host import FakeHost, FakeProber
from cybernetes.kubelet.loop import Kubelet
from cybernetes.kubelet.node import CSI_NODES
from cybernetes.kubelet.probes import Answer, Result
from cybernetes.kubelet.runtime.fake import FakeRuntime
from cybernetes.kubelet.runtime.scripted import Script
from cybernetes.store.memory import MemoryStore

CLOCK = SystemClock()
Object = dict[str, Any]


class World:
    def __init__(
        self, client: ApiClient, runtime: FakeRuntime, host: FakeHost, prober: FakeProber, kubelet: Kubelet
    ) -> None:
        self.client, self.runtime, self.host, self.prober, self.kubelet = client, runtime, host, prober, kubelet

    async def create(self, name: str, **spec: Any) -> None:
        containers = spec.pop("containers", [{"name": "c", "image": "i"}])
        spec = {"nodeName": "n", "containers": containers, "automountServiceAccountToken": False, **spec}
        await self.client.create(PODS, {"metadata": {"name": name}, "spec": spec}, namespace="default")

    async def until(self, name: str, holds: Callable[[Object], bool]) -> Object:
        found: Object = {}
        try:
            async with asyncio.timeout(60):
                while True:
                    found = await self.client.get(PODS, name, namespace="default")
                    if holds(found.get("status", {})):
                        return found
                    await asyncio.sleep(0.005)
        except TimeoutError:
            raise AssertionError(found.get("status")) from None

    async def node_until(self, holds: Callable[[Object], bool]) -> None:
        async with asyncio.timeout(60):
            while True:
                with suppress(ApiError):
                    if holds((await self.client.get(NODE_OBJECTS, "n")).get("status") or {}):
                        return
                await asyncio.sleep(0.005)

    async def gone(self, name: str) -> None:
        async with asyncio.timeout(60):
            with suppress(ApiError):
                while True:
                    await self.client.get(PODS, name, namespace="default")
                    await asyncio.sleep(0.005)

    async def idle(self) -> None:
        """Wait until no pod has a worker."""
        for _ in range(12_000):
            if not self.kubelet.workers:
                return
            await asyncio.sleep(0.005)
        raise AssertionError(list(self.kubelet.workers))

    def count(self, operation: str) -> int:
        return sum(1 for name, _ in self.runtime.calls if name == operation)


@asynccontextmanager
async def world(**settings: Any) -> AsyncIterator[World]:
    random = SystemRandom()
    authority = pki.ca("test", pki.Terms(random=random, now=CLOCK.now()))
    config = ServerConfig(client_authorities=authority.certificate, service_account_key=pki.new_key(random))
    server = ApiServer(MemoryStore(CLOCK), config, CLOCK, random)
    await server.start()
    await server.ready()
    admin = ApiClient(InProcessTransport(server), user_agent="test", clock=CLOCK)
    user = User(f"{NODE_PREFIX}n", groups=(NODES, AUTHENTICATED))
    client = ApiClient(InProcessTransport(server, user), user_agent="kubelet", clock=CLOCK)
    with suppress(ApiError):
        await admin.create(SERVICE_ACCOUNTS, {"metadata": {"name": "default"}}, namespace="default")
    runtime, host, prober = FakeRuntime(CLOCK, ["i", "pull"]), FakeHost(), FakeProber()
    given = KubeletConfig(node_name="n", node_ip="192.0.2.1", **settings)
    kubelet = Kubelet(client, runtime, CLOCK, random, given, host, prober)
    task = asyncio.get_running_loop().create_task(kubelet.run())
    try:
        yield World(admin, runtime, host, prober, kubelet)
        if task.done():
            task.result()
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        await server.stop()


def is_ready(status: Object) -> bool:
    return any(each["type"] == "Ready" and each["status"] == "True" for each in status.get("conditions", []))


def test_a_node_tells_its_addresses_of_both_families_and_puts_them_right() -> None:
    def internal(node: Object) -> list[str]:
        return [each["address"] for each in node["status"]["addresses"] if each["type"] == "InternalIP"]

    async def scenario() -> None:
        async with world(second_node_ip="fd00::1", status_update_s=0.02) as w:
            node = await until(w, lambda node: internal(node) == ["192.0.2.1", "fd00::1"])
            node["status"]["addresses"] = [{"type": "InternalIP", "address": "192.0.2.9"}]
            await w.client.update(NODE_OBJECTS, node, subresource="status")
            node = await until(w, lambda node: internal(node) == ["192.0.2.1", "fd00::1"])
            assert node["status"]["addresses"][2] == {"type": "Hostname", "address": "n"}

    async def until(w: World, holds: Callable[[Object], bool]) -> Object:
        async with asyncio.timeout(60):
            while True:
                with suppress(ApiError):
                    node = await w.client.get(NODE_OBJECTS, "n")
                    if holds(node):
                        return node
                await asyncio.sleep(0.01)

    asyncio.run(scenario())


def test_the_node_is_registered_and_kept_alive() -> None:
    async def scenario() -> None:
        async with world(labels={"zone": "a"}, status_update_s=0.05) as w:
            async with asyncio.timeout(60):
                while True:
                    with suppress(ApiError):
                        lease = await w.client.get(LEASES, "n", namespace="kube-node-lease")
                        break
                    await asyncio.sleep(0.01)
            node = await w.client.get(NODE_OBJECTS, "n")
            assert node["metadata"]["labels"]["zone"] == "a"
            assert node["metadata"]["labels"]["kubernetes.io/hostname"] == "n"
            conditions = [(each["type"], each["status"]) for each in node["status"]["conditions"]]
            assert conditions == [
                ("MemoryPressure", "False"),
                ("DiskPressure", "False"),
                ("PIDPressure", "False"),
                ("Ready", "True"),
            ]
            assert node["status"]["capacity"]["pods"] == "110"
            assert node["status"]["declaredFeatures"] == ["RestartAllContainersOnContainerExits"]
            assert node["status"]["allocatable"]["memory"] == "8092Mi"
            of_drivers = await w.client.get(CSI_NODES, "n")
            assert of_drivers["metadata"]["ownerReferences"][0]["uid"] == node["metadata"]["uid"]
            # Nothing has changed, so nothing is written again.
            await asyncio.sleep(0.3)
            later = await w.client.get(NODE_OBJECTS, "n")
            assert later["metadata"]["resourceVersion"] == node["metadata"]["resourceVersion"]
            assert lease["spec"]["holderIdentity"] == "n"
            assert lease["metadata"]["ownerReferences"][0]["uid"] == node["metadata"]["uid"]

    asyncio.run(scenario())


def test_a_node_that_others_gave_up_says_that_it_is_there() -> None:
    async def scenario() -> None:
        async with world(status_update_s=0.05) as w:
            await w.node_until(is_ready)
            gone = {"conditions": [{"type": "Ready", "status": "Unknown", "reason": "NodeStatusUnknown"}]}
            await w.client.patch(NODE_OBJECTS, "n", {"status": gone}, PatchType.STRATEGIC, subresource="status")
            await w.node_until(is_ready)

    asyncio.run(scenario())


def test_what_others_say_a_node_has_can_be_given_to_pods() -> None:
    def told(status: Object) -> list[str | None]:
        return [status.get(each, {}).get("example.com/dongle") for each in ("capacity", "allocatable")]

    async def scenario() -> None:
        async with world(status_update_s=0.02) as w:
            await w.node_until(is_ready)
            offer = {"status": {"capacity": {"example.com/dongle": "4"}}}
            await w.client.patch(NODE_OBJECTS, "n", offer, PatchType.STRATEGIC, subresource="status")
            await w.node_until(lambda status: told(status) == ["4", "4"])
            withdrawn = {"status": {"capacity": {"example.com/dongle": None}}}
            await w.client.patch(NODE_OBJECTS, "n", withdrawn, PatchType.STRATEGIC, subresource="status")
            await w.node_until(lambda status: told(status) == [None, None])

    asyncio.run(scenario())


def test_a_pod_comes_and_goes() -> None:
    async def scenario() -> None:
        async with world() as w:
            await w.create("web")
            shown = await w.until("web", is_ready)
            assert shown["status"]["phase"] == "Running"
            assert w.host.pods == {shown["metadata"]["uid"]}
            await w.client.delete(PODS, "web", namespace="default")
            await w.gone("web")
            await w.idle()
            assert await w.runtime.list_sandboxes() == []
            assert (w.host.pods, w.host.cgroups) == (set(), {})

    asyncio.run(scenario())


def test_what_a_kubelet_has_written_itself_makes_it_look_at_nothing() -> None:
    async def scenario() -> None:
        async with world() as w:
            await w.create("web")
            shown = await w.until("web", is_ready)
            worker = w.kubelet.workers[shown["metadata"]["uid"]]
            shown = await w.until("web", lambda status: status == worker.status)
            worker.wake.clear()
            worker.update({**shown, "metadata": {**shown["metadata"], "resourceVersion": "9999"}})
            assert not worker.wake.is_set()
            looked = w.count("list_containers")
            worker.update({**shown, "status": {**shown["status"], "phase": "Pending"}})
            async with asyncio.timeout(60):
                while w.count("list_containers") == looked:  # noqa: ASYNC110 -- as seen by the runtime
                    await asyncio.sleep(0.005)

    asyncio.run(scenario())


def test_failures_of_the_runtime_are_tried_again() -> None:
    async def scenario() -> None:
        async with world() as w:
            w.runtime.fail("run_sandbox", times=2)
            await w.create("web")
            await w.until("web", is_ready)
            assert w.count("run_sandbox") == 3

    asyncio.run(scenario())


def test_a_sandbox_waits_only_for_volumes_that_may_be_wanting() -> None:
    async def scenario() -> None:
        async with world() as w:
            # The authorities, which every namespace has or is about to get, are not there yet; nor is the other map.
            await w.create("certain", automountServiceAccountToken=True)
            await w.create("waits", volumes=[{"name": "v", "configMap": {"name": "m"}}])
            waiting: set[str] = set()
            async with asyncio.timeout(60):
                while waiting != {"certain", "waits"}:
                    events = (orjson.loads(each) for each in (await w.client.list(EVENTS, namespace="default")).items)
                    waiting = {each["involvedObject"]["name"] for each in events if each["reason"] == "FailedMount"}
                    await asyncio.sleep(0.005)
            assert w.count("run_sandbox") == 1
            for name in ("kube-root-ca.crt", "m"):
                data = {"metadata": {"name": name}, "data": {"ca.crt": "x"}}
                await w.client.create(CONFIG_MAPS, data, namespace="default")
            for name in ("certain", "waits"):
                await w.until(name, is_ready)
            assert w.count("run_sandbox") == 2

    asyncio.run(scenario())


def test_what_a_runtime_says_of_a_container_is_shown_without_the_code_of_its_answer() -> None:
    async def scenario() -> None:
        async with world() as w:
            why = "failed to create containerd task: no such program"
            w.runtime.fail("start_container", message=f"rpc error: code = Unknown desc = {why}")
            await w.create("web")
            shown = await w.until("web", lambda status: "RunContainerError" in str(status))
            assert shown["status"]["containerStatuses"][0]["state"]["waiting"]["message"] == why

    asyncio.run(scenario())


def test_a_runtime_that_was_away_does_not_disturb_running_pods() -> None:
    async def scenario() -> None:
        async with world() as w:
            await w.create("web")
            before = await w.until("web", is_ready)
            w.runtime.down = True
            await asyncio.sleep(0.2)
            w.runtime.down = False
            await asyncio.sleep(0.5)
            after = await w.until("web", is_ready)
            assert after["status"] == before["status"]
            assert (w.count("run_sandbox"), w.count("create_container")) == (1, 1)

    asyncio.run(scenario())


def test_a_container_that_ends_is_started_again() -> None:
    async def scenario() -> None:
        async with world() as w:
            await w.create("web")
            shown = await w.until("web", is_ready)
            w.runtime.end(shown["status"]["containerStatuses"][0]["containerID"].removeprefix("containerd://"), 1)
            again = await w.until("web", lambda status: status["containerStatuses"][0]["restartCount"] == 1)
            assert again["status"]["containerStatuses"][0]["lastState"]["terminated"]["exitCode"] == 1

    asyncio.run(scenario())


def test_all_containers_start_anew_when_one_ends_as_its_rules_name_it() -> None:
    rules = [{"action": "RestartAllContainers", "exitCodes": {"operator": "In", "values": [42]}}]
    hook = {"preStop": {"exec": {"command": ["leave"]}}}

    def restarts(status: Object) -> dict[str, int]:
        shown = (*status.get("initContainerStatuses", ()), *status.get("containerStatuses", ()))
        return {each["name"]: each["restartCount"] for each in shown}

    async def scenario() -> None:
        async with world() as w:
            w.runtime.scripts["pull"] = Script(exits_after_s=0.0, exit_code=0)
            await w.create(
                "web",
                restartPolicy="Never",
                initContainers=[{"name": "init", "image": "pull"}],
                containers=[
                    {"name": "c", "image": "i", "lifecycle": hook},
                    {"name": "d", "image": "i", "restartPolicy": "Never", "restartPolicyRules": rules},
                ],
            )
            first = await w.until("web", is_ready)
            version, ip = first["metadata"]["resourceVersion"], first["status"]["podIP"]
            w.runtime.end(first["status"]["containerStatuses"][1]["containerID"].removeprefix("containerd://"), 42)
            again = await w.until("web", lambda status: is_ready(status) and restarts(status)["d"] == 1)
            assert restarts(again["status"]) == {"init": 1, "c": 1, "d": 1}
            assert again["status"]["podIP"] == ip
            assert len(await w.runtime.list_containers()) == 3
            assert w.prober.hooked == []
            told = []
            async with asyncio.timeout(60), aclosing(w.client.watch(PODS, resource_version=version)) as events:
                async for event in events:
                    status = json.loads(event.object)["status"]
                    condition = next(each for each in status["conditions"] if each["type"] == "AllContainersRestarting")
                    told.append((condition["status"], status["phase"]))
                    if is_ready(status) and restarts(status)["d"] == 1:
                        break
            assert ("True", "Running") in told and ("False", "Pending") in told
            await w.client.delete(PODS, "web", namespace="default")
            await w.gone("web")

    asyncio.run(scenario())


def test_what_a_whole_pod_is_given_changes_while_it_runs() -> None:
    def given(cpu: str, memory: str) -> Object:
        return {"requests": {"cpu": cpu, "memory": memory}, "limits": {"cpu": cpu, "memory": memory}}

    async def scenario() -> None:
        async with world() as w:
            await w.create("p", resources=given("100m", "64Mi"))
            before = await w.until("p", is_ready)
            assert before["status"]["resources"] == given("100m", "64Mi")
            patch = {"spec": {"resources": given("200m", "128Mi")}}
            await w.client.patch(PODS, "p", patch, PatchType.MERGE, namespace="default", subresource="resize")
            after = await w.until("p", lambda status: status.get("resources") == given("200m", "128Mi"))
            assert after["status"]["allocatedResources"] == {"cpu": "200m", "memory": "128Mi"}
            assert [each.memory_bytes for path, each in w.host.cgroups.items() if "/pod" in path] == [128 << 20]
            assert w.count("update_resources") == 1

    asyncio.run(scenario())


def test_a_container_restarts_for_the_pods_limit_when_it_has_none_and_says_so() -> None:
    policy = [{"resourceName": "cpu", "restartPolicy": "RestartContainer"}]
    own = {"name": "own", "image": "i", "resizePolicy": policy, "resources": {"limits": {"cpu": "50m"}}}

    async def scenario() -> None:
        async with world() as w:
            containers = [{"name": "c", "image": "i", "resizePolicy": policy}, own]
            await w.create("p", resources={"limits": {"cpu": "100m"}}, containers=containers)
            await w.until("p", is_ready)
            patch = {"spec": {"resources": {"requests": {"cpu": "200m"}, "limits": {"cpu": "200m"}}}}
            await w.client.patch(PODS, "p", patch, PatchType.MERGE, namespace="default", subresource="resize")
            after = await w.until("p", lambda status: restarts(status) == [1, 0] and is_ready(status))
            assert after["status"]["resources"]["limits"] == {"cpu": "200m"}
            assert [each.cpu_quota_us for path, each in w.host.cgroups.items() if "/pod" in path] == [20_000]

    def restarts(status: Object) -> list[int]:
        return [each["restartCount"] for each in status.get("containerStatuses", [])]

    asyncio.run(scenario())


def test_no_memory_is_taken_that_is_in_use() -> None:
    def limited(memory: str) -> Object:
        return {"name": "c", "image": "i", "resources": {"limits": {"memory": memory}, "requests": {"memory": memory}}}

    async def scenario() -> None:
        async with world() as w:
            await w.create("p", containers=[limited("64Mi")])
            await w.until("p", is_ready)
            await resize(w, "1Ki")
            await w.until("p", lambda status: 'container "c" memory limit (1024) below current usage' in error(status))
            await resize(w, "32Mi")
            shown = await w.until("p", lambda status: not error(status))
            assert shown["status"]["containerStatuses"][0]["resources"]["limits"] == {"memory": "32Mi"}

    async def resize(w: World, memory: str) -> None:
        patch = {"spec": {"containers": [limited(memory)]}}
        await w.client.patch(PODS, "p", patch, PatchType.STRATEGIC, namespace="default", subresource="resize")

    def error(status: Object) -> str:
        said = [each for each in status.get("conditions", []) if each["type"] == "PodResizeInProgress"]
        return said[0].get("message", "-") if said else ""

    asyncio.run(scenario())


def test_an_unready_pod_is_shown_as_such() -> None:
    async def scenario() -> None:
        async with world() as w:
            w.prober.answers["c"] = Result(Answer.FAILURE, "no")
            probe = {"tcpSocket": {"port": 1}, "periodSeconds": 1, "failureThreshold": 1}
            await w.create("web", containers=[{"name": "c", "image": "i", "readinessProbe": probe}])
            shown = await w.until("web", lambda status: status.get("phase") == "Running")
            assert not is_ready(shown["status"])
            w.prober.answers.clear()
            await w.until("web", is_ready)

    asyncio.run(scenario())


def test_a_pod_that_is_being_stopped_says_when_it_is_no_longer_ready() -> None:
    async def scenario() -> None:
        async with world() as w:
            w.runtime.scripts["i"] = Script(term_after_s=None)
            probe = {"tcpSocket": {"port": 1}, "periodSeconds": 1, "failureThreshold": 1}
            containers = [{"name": "c", "image": "i", "readinessProbe": probe}]
            await w.create("web", containers=containers, terminationGracePeriodSeconds=300)
            await w.until("web", is_ready)
            await w.client.delete(PODS, "web", namespace="default")
            w.prober.answers["c"] = Result(Answer.FAILURE, "no")
            shown = await w.until("web", lambda status: not is_ready(status))
            assert "running" in shown["status"]["containerStatuses"][0]["state"]
            await w.client.delete(PODS, "web", namespace="default", grace_s=0)

    asyncio.run(scenario())


def test_a_container_that_ends_before_the_others_of_its_pod_is_shown() -> None:
    async def scenario() -> None:
        async with world() as w:
            w.runtime.scripts["pull"] = Script(term_after_s=None)
            await w.create(
                "web",
                containers=[{"name": "quick", "image": "i"}, {"name": "slow", "image": "pull"}],
                terminationGracePeriodSeconds=300,
            )
            await w.until("web", is_ready)
            await w.client.delete(PODS, "web", namespace="default")
            shown = await w.until("web", lambda status: not status["containerStatuses"][0]["ready"])
            quick, slow = shown["status"]["containerStatuses"]
            assert "terminated" in quick["state"] and "running" in slow["state"]
            assert (slow["ready"], shown["status"]["phase"]) == (True, "Running")
            await w.client.delete(PODS, "web", namespace="default", grace_s=0)

    asyncio.run(scenario())


def test_a_container_with_another_image_replaces_the_one_before_without_a_gap() -> None:
    async def scenario() -> None:
        async with world() as w:
            await w.create("web")
            first = await w.until("web", is_ready)
            version = first["metadata"]["resourceVersion"]
            patch = {"spec": {"containers": [{"name": "c", "image": "pull"}]}}
            await w.client.patch(PODS, "web", patch, PatchType.STRATEGIC, namespace="default")
            async with asyncio.timeout(60), aclosing(w.client.watch(PODS, resource_version=version)) as events:
                async for event in events:
                    status = json.loads(event.object)["status"]
                    assert is_ready(status)
                    if status["containerStatuses"][0]["restartCount"] == 1:
                        return

    asyncio.run(scenario())


def test_a_finished_pod_stays_until_it_is_deleted() -> None:
    async def scenario() -> None:
        async with world() as w:
            w.runtime.scripts["i"] = Script(exits_after_s=0.0, exit_code=0)
            await w.create("job", restartPolicy="Never")
            await w.until("job", lambda status: status.get("phase") == "Succeeded")
            assert len(await w.runtime.list_containers()) == 1
            await w.client.delete(PODS, "job", namespace="default")
            await w.gone("job")

    asyncio.run(scenario())


def test_a_pod_with_a_finalizer_is_stopped_and_not_started_again() -> None:
    async def scenario() -> None:
        async with world() as w:
            pod = {
                "metadata": {"name": "held", "finalizers": ["test/held"]},
                "spec": {
                    "nodeName": "n",
                    "containers": [{"name": "c", "image": "i"}],
                    "automountServiceAccountToken": False,
                },
            }
            await w.client.create(PODS, pod, namespace="default")
            await w.until("held", is_ready)
            await w.client.delete(PODS, "held", namespace="default")
            await w.idle()
            shown = await w.until("held", lambda status: status.get("phase") != "Running")
            assert shown["metadata"]["finalizers"] == ["test/held"]
            assert w.count("run_sandbox") == 1
            assert await w.runtime.list_sandboxes() == []

    asyncio.run(scenario())
