"""Resize, debug containers, persistent volumes, tokens, eviction, log rotation, orphans."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import orjson
from tests.e2e.kubelet.cluster import SHELL, Cluster, cluster, pod
from tests.e2e.kubelet.test_pods import UNTIL_TERM, condition, phase, ready, state
from tests.e2e.kubelet.testbed import USER, Testbed

from cybernetes.client.api import PatchType
from cybernetes.client.target import CONFIG_MAPS, PERSISTENT_VOLUME_CLAIMS, PERSISTENT_VOLUMES, PODS
from cybernetes.kubelet.runtime.cri import CriRuntime

Object = dict[str, Any]


def cgroup_file(testbed: Testbed, controller: str, uid: str, container_id: str, name: str) -> str:
    top = Path("/sys/fs/cgroup") / controller / testbed.name / "kubepods"
    found = next(each for each in top.rglob(f"pod{uid}"))
    return (found / container_id.removeprefix("containerd://") / name).read_text().strip()


def test_resources_change_while_the_container_runs(testbed: Testbed) -> None:
    async def scenario() -> None:
        async with cluster(testbed) as c:
            resources = {"requests": {"cpu": "100m", "memory": "64Mi"}, "limits": {"cpu": "200m", "memory": "64Mi"}}
            await c.create(pod("grow", UNTIL_TERM, container={"resources": resources}))
            before = await c.until("grow", ready)
            status = before["status"]["containerStatuses"][0]
            uid, container_id = before["metadata"]["uid"], status["containerID"]
            assert cgroup_file(testbed, "memory", uid, container_id, "memory.limit_in_bytes") == str(64 << 20)
            bigger = {"requests": {"cpu": "150m", "memory": "64Mi"}, "limits": {"cpu": "400m", "memory": "128Mi"}}
            patch = {"spec": {"containers": [{"name": "c", "resources": bigger}]}}
            await c.admin.patch(PODS, "grow", patch, PatchType.STRATEGIC, namespace="default", subresource="resize")
            after = await c.until(
                "grow", lambda obj: obj["status"]["containerStatuses"][0]["resources"]["limits"]["memory"] == "128Mi"
            )
            shown = after["status"]["containerStatuses"][0]
            assert shown["restartCount"] == 0
            assert shown["containerID"] == container_id
            assert shown["allocatedResources"] == {"cpu": "150m", "memory": "64Mi"}
            assert cgroup_file(testbed, "memory", uid, container_id, "memory.limit_in_bytes") == str(128 << 20)
            assert cgroup_file(testbed, "cpu", uid, container_id, "cpu.cfs_quota_us") == "40000"
            assert cgroup_file(testbed, "cpu", uid, "", "cpu.cfs_quota_us") == "40000"
            done = await c.until("grow", lambda obj: not condition(obj, "PodResizeInProgress"))
            assert done["status"]["observedGeneration"] == done["metadata"]["generation"]
            huge = {
                "spec": {
                    "containers": [{"name": "c", "resources": {"requests": {"cpu": "500"}, "limits": {"cpu": "500"}}}]
                }
            }
            await c.admin.patch(PODS, "grow", huge, PatchType.STRATEGIC, namespace="default", subresource="resize")
            refused = await c.until("grow", lambda obj: bool(condition(obj, "PodResizePending")))
            assert condition(refused, "PodResizePending")["reason"] == "Infeasible"
            assert refused["status"]["containerStatuses"][0]["resources"]["limits"]["cpu"] == "400m"
            await c.admin.patch(PODS, "grow", patch, PatchType.STRATEGIC, namespace="default", subresource="resize")
            await c.until("grow", lambda obj: not condition(obj, "PodResizePending"))
            await c.delete("grow")
            await c.gone("grow")

    asyncio.run(scenario())


def test_a_resize_that_waits_for_room_is_granted_when_another_pod_ends(testbed: Testbed) -> None:
    async def scenario() -> None:
        async with cluster(testbed) as c:
            for name, cpu in (("big", "1500m"), ("small", "100m")):
                await c.create(pod(name, UNTIL_TERM, container={"resources": {"requests": {"cpu": cpu}}}))
                await c.until(name, ready)
            patch = {"spec": {"containers": [{"name": "c", "resources": {"requests": {"cpu": "1200m"}}}]}}
            await c.admin.patch(PODS, "small", patch, PatchType.STRATEGIC, namespace="default", subresource="resize")
            await c.until("small", lambda obj: condition(obj, "PodResizePending").get("reason") == "Deferred")
            await c.delete("big")
            # By itself it would be tried again after a minute.
            await c.until(
                "small", lambda obj: obj["status"]["containerStatuses"][0]["resources"]["requests"]["cpu"] == "1200m"
            )
            await c.delete("small")
            await c.gone("small")

    asyncio.run(scenario())


def test_a_resize_may_ask_for_a_restart(testbed: Testbed) -> None:
    async def scenario() -> None:
        async with cluster(testbed) as c:
            resources = {"requests": {"memory": "32Mi"}, "limits": {"memory": "64Mi"}}
            policy = [{"resourceName": "memory", "restartPolicy": "RestartContainer"}]
            await c.create(pod("again", UNTIL_TERM, container={"resources": resources, "resizePolicy": policy}))
            await c.until("again", ready)
            patch = {"spec": {"containers": [{"name": "c", "resources": {"limits": {"memory": "96Mi"}}}]}}
            await c.admin.patch(PODS, "again", patch, PatchType.STRATEGIC, namespace="default", subresource="resize")
            after = await c.until("again", lambda obj: obj["status"]["containerStatuses"][0]["restartCount"] == 1)
            after = await c.until("again", ready)
            assert after["status"]["containerStatuses"][0]["resources"]["limits"]["memory"] == "96Mi"
            await c.delete("again")
            await c.gone("again")

    asyncio.run(scenario())


def test_kubectl_debug_adds_a_container(testbed: Testbed) -> None:
    async def scenario() -> None:
        async with cluster(testbed) as c:
            await c.create(pod("app", UNTIL_TERM))
            await c.until("app", ready)
            code, _, err = await c.kubectl(
                "debug", "app", f"--image={SHELL}", "--image-pull-policy=IfNotPresent", "--target=c", "--container=dbg",
                "--", "sh", "-c", "ps; exit 0",
            )  # fmt: skip
            assert code == 0, err
            done = await c.until("app", lambda obj: bool(_ephemeral(obj).get("state", {}).get("terminated")))
            assert _ephemeral(done)["state"]["terminated"]["exitCode"] == 0
            assert not _ephemeral(done)["ready"]
            assert "sleep 100000" in (await c.kubectl("logs", "app", "-c", "dbg"))[1]
            assert ready(done)
            await c.delete("app")
            await c.gone("app")

    asyncio.run(scenario())


def _ephemeral(obj: Object) -> Object:
    return next(iter(obj["status"].get("ephemeralContainerStatuses", [])), {})


def test_persistent_volumes_keep_what_pods_wrote(testbed: Testbed) -> None:
    async def scenario() -> None:
        folder = testbed.root / "pv"
        folder.mkdir(exist_ok=True)
        async with cluster(testbed) as c:
            await _bound_claim(c, "data", {"local": {"path": str(folder)}})
            mount = {"volumeMounts": [{"name": "v", "mountPath": "/v", "subPathExpr": "$(N)"}],
                     "env": [{"name": "N", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}]}  # fmt: skip
            volumes = [{"name": "v", "persistentVolumeClaim": {"claimName": "data"}}]
            await c.create(pod("writer", "echo kept > /v/f", container=mount, volumes=volumes, restartPolicy="Never"))
            await c.until("writer", phase("Succeeded"))
            await c.delete("writer")
            await c.gone("writer")
            assert (folder / "writer" / "f").read_text() == "kept\n"

    asyncio.run(scenario())


async def _bound_claim(c: Cluster, name: str, source: Object) -> None:
    claim = {
        "metadata": {"name": name},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}, "volumeName": name, "storageClassName": ""},
    }  # fmt: skip
    affinity = {
        "required": {
            "nodeSelectorTerms": [{"matchExpressions": [{"key": "kubernetes.io/hostname", "operator": "Exists"}]}]
        }
    }
    reference = {"kind": "PersistentVolumeClaim", "namespace": "default", "name": name}
    volume = {
        "metadata": {"name": name},
        "spec": {
            "accessModes": ["ReadWriteOnce"],
            "capacity": {"storage": "1Gi"},
            "nodeAffinity": affinity,
            "claimRef": reference,
            **source,
        },
    }
    await c.admin.create(PERSISTENT_VOLUMES, volume)
    made = await c.admin.create(PERSISTENT_VOLUME_CLAIMS, claim, namespace="default")
    # What the binding controller does.
    made["status"] = {"phase": "Bound", "accessModes": ["ReadWriteOnce"], "capacity": {"storage": "1Gi"}}
    await c.admin.update(PERSISTENT_VOLUME_CLAIMS, made, subresource="status")


def test_pods_get_tokens_for_the_api(testbed: Testbed) -> None:
    async def scenario() -> None:
        async with cluster(testbed) as c:
            await c.admin.create(
                CONFIG_MAPS, {"metadata": {"name": "ca"}, "data": {"ca.crt": "x"}}, namespace="default"
            )
            sources = [
                {"serviceAccountToken": {"path": "token", "expirationSeconds": 3607}},
                {"configMap": {"name": "ca", "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
                {"downwardAPI": {"items": [{"path": "namespace", "fieldRef": {"fieldPath": "metadata.namespace"}}]}},
            ]
            mount = {"volumeMounts": [{"name": "t", "mountPath": "/t"}]}
            volumes = [{"name": "t", "projected": {"sources": sources}}]
            script = "(wc -c < /t/token; cat /t/ca.crt; echo; cat /t/namespace) > /dev/termination-log"
            await c.create(pod("token", script, container=mount, volumes=volumes, restartPolicy="Never"))
            done = await c.until("token", phase("Succeeded"))
            size, authority, namespace = state(done)["terminated"]["message"].split()
            assert int(size) > 200
            assert (authority, namespace) == ("x", "default")
            await c.delete("token")
            await c.gone("token")

    asyncio.run(scenario())


def test_a_volume_above_its_limit_evicts_the_pod(testbed: Testbed) -> None:
    async def scenario() -> None:
        async with cluster(testbed) as c:
            mount = {"volumeMounts": [{"name": "e", "mountPath": "/e"}]}
            volumes = [{"name": "e", "emptyDir": {"sizeLimit": "1Mi"}}]
            script = "dd if=/dev/zero of=/e/big bs=1024 count=3000; " + UNTIL_TERM
            await c.create(pod("greedy", script, container=mount, volumes=volumes))
            done = await c.until("greedy", phase("Failed"), 25)
            assert done["status"]["reason"] == "Evicted"
            assert done["status"]["message"] == 'Usage of EmptyDir volume "e" exceeds the limit "1Mi". '
            assert condition(done, "DisruptionTarget")["reason"] == "TerminationByKubelet"
            await c.delete("greedy")
            await c.gone("greedy")

    asyncio.run(scenario())


def test_a_pod_that_was_active_too_long_fails(testbed: Testbed) -> None:
    async def scenario() -> None:
        async with cluster(testbed) as c:
            await c.create(pod("late", UNTIL_TERM, activeDeadlineSeconds=2))
            done = await c.until("late", phase("Failed"))
            assert done["status"]["reason"] == "DeadlineExceeded"
            assert done["status"]["message"] == "Pod was active on the node longer than the specified deadline"
            await c.delete("late")
            await c.gone("late")

    asyncio.run(scenario())


def test_pods_that_do_not_fit_are_rejected(testbed: Testbed) -> None:
    async def scenario() -> None:
        async with cluster(testbed) as c:
            await c.create(pod("huge", UNTIL_TERM, container={"resources": {"requests": {"cpu": "900"}}}))
            done = await c.until("huge", phase("Failed"))
            assert done["status"]["reason"] == "OutOfcpu"
            assert done["status"]["message"].startswith(
                "Pod was rejected: Node didn't have enough resource: cpu, requested: 900000"
            )
            await c.delete("huge")
            await c.gone("huge")

    asyncio.run(scenario())


def test_logs_are_rotated(testbed: Testbed) -> None:
    async def scenario() -> None:
        async with cluster(testbed, log_size_max=20_000, log_files_max=3) as c:
            script = "while :; do seq 1 2000; sleep 1; done"
            await c.create(pod("chatty", script, terminationGracePeriodSeconds=1))
            await c.until("chatty", ready)
            folder = next((testbed.root / "pods").glob("default_chatty_*")) / "c"
            await c.until_true(lambda: len(list(folder.iterdir())) > 1)
            assert (folder / "0.log").exists()
            assert (await c.kubectl("logs", "chatty", "--tail=1"))[0] == 0
            await c.delete("chatty")
            await c.gone("chatty")

    asyncio.run(scenario())


def test_what_a_pod_left_is_removed_after_a_restart(testbed: Testbed) -> None:
    async def scenario() -> None:
        async with cluster(testbed) as c:
            await c.create(pod("left", UNTIL_TERM))
            shown = await c.until("left", ready)
            await c.stop_kubelet()
            await c.delete("left", grace_s=0)
            c.start_kubelet()
            runtime = CriRuntime(str(testbed.socket))
            for _ in range(600):
                if not await runtime.list_sandboxes():
                    break
                await asyncio.sleep(0.1)
            assert await runtime.list_sandboxes() == []
            await runtime.close()
            uid = shown["metadata"]["uid"]
            # A cgroup goes last, and may be busy for a moment after its last process.
            top = Path("/sys/fs/cgroup/cpu") / testbed.name
            await c.until_true(lambda: not list(top.rglob(f"pod{uid}/*")))

    asyncio.run(scenario())


def test_static_pods_run_and_are_mirrored(testbed: Testbed) -> None:
    async def scenario() -> None:
        folder = testbed.root / "manifests"
        folder.mkdir(exist_ok=True)
        manifest = pod("fixed", UNTIL_TERM)
        del manifest["spec"]["nodeName"]
        path = folder / "fixed.json"
        path.write_bytes(orjson.dumps({"apiVersion": "v1", "kind": "Pod", **manifest}))
        async with cluster(testbed, static_pod_path=folder, static_check_s=0.5) as c:
            await c.appeared("fixed-node-a")
            shown = await c.until("fixed-node-a", ready)
            notes = shown["metadata"]["annotations"]
            assert notes["kubernetes.io/config.source"] == "file"
            assert notes["kubernetes.io/config.mirror"] == notes["kubernetes.io/config.hash"]
            assert shown["metadata"]["ownerReferences"][0]["kind"] == "Node"
            container_id = shown["status"]["containerStatuses"][0]["containerID"]
            await c.delete("fixed-node-a", grace_s=0)
            again = await c.until(
                "fixed-node-a", lambda obj: obj["metadata"]["uid"] != shown["metadata"]["uid"] and ready(obj)
            )
            assert again["status"]["containerStatuses"][0]["containerID"] == container_id
            path.unlink()
            await c.gone("fixed-node-a")
            kubelet = c.kubelet
            assert kubelet is not None
            await c.until_true(lambda: not kubelet.workers)
            assert testbed.ctr("containers", "ls", "-q").stdout == ""

    asyncio.run(scenario())


def test_last_words_come_from_the_log_when_the_pod_asks_for_that(testbed: Testbed) -> None:
    async def scenario() -> None:
        async with cluster(testbed) as c:
            policy = {"terminationMessagePolicy": "FallbackToLogsOnError"}
            await c.create(pod("bad", "echo it broke; exit 1", container=policy, restartPolicy="Never"))
            await c.create(pod("good", "echo fine", container=policy, restartPolicy="Never"))
            bad = await c.until("bad", phase("Failed"))
            assert state(bad)["terminated"]["message"] == "it broke\n"
            good = await c.until("good", phase("Succeeded"))
            assert "message" not in state(good)["terminated"]
            for name in ("bad", "good"):
                await c.delete(name)
                await c.gone(name)

    asyncio.run(scenario())


def test_a_container_above_its_memory_limit_is_killed(testbed: Testbed) -> None:
    async def scenario() -> None:
        async with cluster(testbed) as c:
            container = {"resources": {"limits": {"memory": "16Mi"}}}
            await c.create(
                pod("eater", "head -c 100000000 /dev/zero | tail", container=container, restartPolicy="Never")
            )
            done = await c.until("eater", phase("Failed"))
            assert state(done)["terminated"]["reason"] in ("OOMKilled", "Error")
            assert done["status"]["qosClass"] == "Burstable"
            await c.delete("eater")
            await c.gone("eater")

    asyncio.run(scenario())


def test_a_pod_of_the_host_network_has_the_nodes_address(testbed: Testbed) -> None:
    async def scenario() -> None:
        async with cluster(testbed) as c:
            await c.create(
                pod("host", "cat /etc/hosts > /dev/termination-log", hostNetwork=True, restartPolicy="Never")
            )
            done = await c.until("host", phase("Succeeded"))
            assert done["status"]["podIPs"] == [{"ip": "127.0.0.1"}]
            assert state(done)["terminated"]["message"].startswith("# Kubernetes-managed hosts file (host network).\n")
            await c.delete("host")
            await c.gone("host")

    asyncio.run(scenario())


def test_a_deaf_container_is_killed_when_its_grace_is_over(testbed: Testbed) -> None:
    async def scenario() -> None:
        async with cluster(testbed) as c:
            deaf = "trap '' TERM; while :; do sleep 0.05; done"
            await c.create(pod("deaf", deaf, terminationGracePeriodSeconds=60))
            await c.until("deaf", ready)
            await c.delete("deaf")
            await asyncio.sleep(0.5)
            # A second, shorter deletion hurries the first.
            await c.delete("deaf", grace_s=1)
            await c.gone("deaf", 50)

    asyncio.run(scenario())


def test_an_image_can_be_a_volume(testbed: Testbed) -> None:
    async def scenario() -> None:
        async with cluster(testbed) as c:
            mount = {
                "volumeMounts": [{"name": "i", "mountPath": "/i"}, {"name": "i", "mountPath": "/b", "subPath": "bin"}]
            }
            volumes = [{"name": "i", "image": {"reference": USER, "pullPolicy": "IfNotPresent"}}]
            script = "(ls /i; ls /b/busybox; touch /i/x 2>&1) > /dev/termination-log"
            await c.create(pod("img", script, container=mount, volumes=volumes, restartPolicy="Never"))
            done = await c.until("img", lambda obj: obj["status"]["phase"] in ("Succeeded", "Failed"))
            words = state(done)["terminated"]["message"]
            assert words.startswith("bin\n/b/busybox\n")
            assert "Read-only file system" in words
            await c.delete("img")
            await c.gone("img")
            await c.until_true(lambda: "kubernetes.io~image" not in testbed.ctr("snapshots", "ls").stdout)

    asyncio.run(scenario())


def test_a_pod_whose_sandbox_died_gets_a_new_one(testbed: Testbed) -> None:
    async def scenario() -> None:
        async with cluster(testbed) as c:
            await c.create(pod("box", UNTIL_TERM))
            before = await c.until("box", ready)
            runtime = CriRuntime(str(testbed.socket))
            boxes = await runtime.list_sandboxes(before["metadata"]["uid"])
            testbed.ctr("tasks", "kill", "--signal", "SIGKILL", "--all", boxes[0].id)
            old = before["status"]["containerStatuses"][0]["containerID"]
            after = await c.until(
                "box", lambda obj: ready(obj) and obj["status"]["containerStatuses"][0]["containerID"] != old
            )
            assert after["status"]["podIP"] != before["status"]["podIP"]
            assert after["status"]["podIPs"] == [{"ip": after["status"]["podIP"]}]
            assert "SandboxChanged" in [each[1] for each in await c.events("box")]
            await runtime.close()
            await c.delete("box")
            await c.gone("box")

    asyncio.run(scenario())
