"""Pods on a real containerd, through a real API server."""

from __future__ import annotations

import asyncio
from typing import Any

from tests.e2e.kubelet.cluster import SHELL, cluster, pod
from tests.e2e.kubelet.testbed import USER, Testbed

Object = dict[str, Any]
UNTIL_TERM = "trap 'exit 0' TERM; sleep 100000 & wait"


def ready(obj: Object) -> bool:
    return condition(obj, "Ready").get("status") == "True"


def condition(obj: Object, kind: str) -> Object:
    found = [each for each in obj.get("status", {}).get("conditions", []) if each["type"] == kind]
    return found[0] if found else {}


def phase(name: str) -> Any:
    return lambda obj: obj.get("status", {}).get("phase") == name


def waits(reason: str) -> Any:
    return lambda obj: state(obj).get("waiting", {}).get("reason") == reason


def state(obj: Object, container: str = "c") -> Object:
    statuses = obj.get("status", {})
    rows = [*statuses.get("initContainerStatuses", []), *statuses.get("containerStatuses", [])]
    return next((each["state"] for each in rows if each["name"] == container), {})


def test_a_pod_becomes_ready_and_goes_without_a_trace(testbed: Testbed) -> None:
    async def scenario() -> None:
        async with cluster(testbed) as c:
            await c.create(pod("web", UNTIL_TERM))
            shown = await c.until("web", ready)
            assert shown["status"]["phase"] == "Running"
            assert shown["status"]["podIP"].startswith("10.77.")
            assert shown["status"]["qosClass"] == "BestEffort"
            assert "reason" not in condition(shown, "Ready")
            uid = shown["metadata"]["uid"]
            assert (testbed.root / "kubelet" / "pods" / uid).is_dir()
            await c.delete("web")
            await c.gone("web", 25)
            kubelet = c.kubelet
            assert kubelet is not None
            await c.until_true(lambda: uid not in kubelet.workers)
            assert not (testbed.root / "kubelet" / "pods" / uid).exists()
            assert testbed.ctr("containers", "ls", "-q").stdout == ""
            reasons = [reason for _, reason, _ in await c.events("web")]
            assert reasons == ["Pulled", "Created", "Started", "Killing"]

    asyncio.run(scenario())


def test_a_job_like_pod_succeeds_or_fails_by_its_exit_code(testbed: Testbed) -> None:
    async def scenario() -> None:
        async with cluster(testbed) as c:
            await c.create(pod("good", "exit 0", restartPolicy="Never"))
            await c.create(pod("bad", "echo last words >/dev/termination-log; exit 3", restartPolicy="Never"))
            good = await c.until("good", phase("Succeeded"))
            assert state(good)["terminated"]["reason"] == "Completed"
            assert condition(good, "Ready")["reason"] == "PodCompleted"
            bad = await c.until("bad", phase("Failed"))
            assert state(bad)["terminated"]["exitCode"] == 3
            assert state(bad)["terminated"]["reason"] == "Error"
            assert state(bad)["terminated"]["message"] == "last words\n"
            await c.delete("good")
            await c.delete("bad")
            await c.gone("good")
            await c.gone("bad")

    asyncio.run(scenario())


def test_a_crashing_container_waits_longer_each_time(testbed: Testbed) -> None:
    async def scenario() -> None:
        async with cluster(testbed) as c:
            await c.create(pod("crash", "exit 1"))
            shown = await c.until("crash", waits("CrashLoopBackOff"))
            status = shown["status"]["containerStatuses"][0]
            assert status["restartCount"] == 1
            assert status["lastState"]["terminated"]["exitCode"] == 1
            assert state(shown)["waiting"]["message"].startswith(
                "back-off 10s restarting failed container=c pod=crash_default("
            )
            await c.delete("crash")
            await c.gone("crash")

    asyncio.run(scenario())


def test_init_containers_run_in_order_and_sidecars_stay(testbed: Testbed) -> None:
    async def scenario() -> None:
        inits = [
            {"name": "one", "image": SHELL, "command": ["sh", "-c", "echo 1 >> /d/order"], "volumeMounts": [{"name": "d", "mountPath": "/d"}]},
            {"name": "side", "image": SHELL, "restartPolicy": "Always", "command": ["sh", "-c", f"echo side >> /d/order; {UNTIL_TERM}"],
             "volumeMounts": [{"name": "d", "mountPath": "/d"}]},
            {"name": "two", "image": SHELL, "command": ["sh", "-c", "echo 2 >> /d/order"], "volumeMounts": [{"name": "d", "mountPath": "/d"}]},
        ]  # fmt: skip
        main = {"volumeMounts": [{"name": "d", "mountPath": "/d"}]}
        async with cluster(testbed) as c:
            wanted = pod("order", "cat /d/order > /dev/termination-log", container=main, initContainers=inits, restartPolicy="Never",
                         volumes=[{"name": "d", "emptyDir": {}}])  # fmt: skip
            await c.create(wanted)
            done = await c.until("order", phase("Succeeded"))
            assert state(done)["terminated"]["message"] == "1\nside\n2\n"
            assert "terminated" in state(done, "side")
            await c.delete("order")
            await c.gone("order")

    asyncio.run(scenario())


def test_images_that_can_not_be_had_say_why(testbed: Testbed) -> None:
    async def scenario() -> None:
        async with cluster(testbed) as c:
            await c.create(
                pod("never", "true", container={"image": "test.cybernetes/absent:1", "imagePullPolicy": "Never"})
            )
            await c.create(pod("pull", "true", container={"image": "127.0.0.1:9/absent:1"}))
            await c.create(pod("invalid", "true", container={"image": "Test/UPPER:1"}))
            shown = await c.until("never", waits("ErrImageNeverPull"))
            assert shown["status"]["phase"] == "Pending"
            await c.until("pull", waits("ErrImagePull"))
            await c.until("invalid", waits("InvalidImageName"))
            for name in ("never", "pull", "invalid"):
                await c.delete(name)
                await c.gone(name)

    asyncio.run(scenario())


def test_environment_and_files_reach_the_container(testbed: Testbed) -> None:
    async def scenario() -> None:
        from cybernetes.client.target import CONFIG_MAPS, SECRETS

        container = {
            "env": [
                {"name": "A", "value": "one"},
                {"name": "B", "value": "$(A)-two"},
                {"name": "IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}},
                {"name": "K", "valueFrom": {"configMapKeyRef": {"name": "cfg", "key": "k"}}},
            ],
            "volumeMounts": [
                {"name": "s", "mountPath": "/s"},
                {"name": "cm", "mountPath": "/one", "subPath": "k"},
                {"name": "m", "mountPath": "/m"},
            ],
        }
        volumes = [
            {"name": "s", "secret": {"secretName": "sec", "defaultMode": 0o400}},
            {"name": "cm", "configMap": {"name": "cfg"}},
            {"name": "m", "emptyDir": {"medium": "Memory", "sizeLimit": "1Mi"}},
        ]
        script = "echo $B $K $IP; cat /s/x; cat /one; stat -Lc %a /s/x; grep -c tmpfs /proc/mounts; cat /etc/hosts; hostname; cat /etc/resolv.conf"
        async with cluster(testbed) as c:
            wanted = pod("files", f"({script}) > /dev/termination-log", container=container, volumes=volumes, restartPolicy="Never",
                         hostname="named", subdomain="sub")  # fmt: skip
            await c.create(wanted)
            await c.said("files", "FailedMount")
            await c.admin.create(CONFIG_MAPS, {"metadata": {"name": "cfg"}, "data": {"k": "v1"}}, namespace="default")
            await c.admin.create(SECRETS, {"metadata": {"name": "sec"}, "data": {"x": "dDEK"}}, namespace="default")
            done = await c.until("files", phase("Succeeded"))
            words = state(done)["terminated"]["message"].splitlines()
            ip = done["status"]["podIP"]
            assert words[0] == f"one-two v1 {ip}"
            assert words[1:3] == ["t1", "v1400"]
            assert f"{ip}\tnamed.sub.default.svc.cluster.local\tnamed" in words
            assert "named" in words
            assert "search default.svc.cluster.local svc.cluster.local cluster.local" in words
            assert "options ndots:5" in words
            await c.delete("files")
            await c.gone("files")

    asyncio.run(scenario())


def test_probes_decide_readiness_and_restarts(testbed: Testbed) -> None:
    async def scenario() -> None:
        often = {"periodSeconds": 1, "timeoutSeconds": 60}
        http = {"httpGet": {"path": "/ok", "port": 80}, **often}
        live = {"exec": {"command": ["sh", "-c", "test ! -e /www/dead"]}, "failureThreshold": 1, **often}
        folder = testbed.root / "probed"
        mount = {"volumeMounts": [{"name": "www", "mountPath": "/www"}]}
        volumes = [{"name": "www", "hostPath": {"path": str(folder), "type": "DirectoryOrCreate"}}]
        probed = {"readinessProbe": http, "livenessProbe": live, **mount}
        async with cluster(testbed) as c:
            await c.create(pod("probed", "httpd -h /www; " + UNTIL_TERM, container=probed, volumes=volumes))
            unready = await c.until("probed", phase("Running"))
            assert condition(unready, "Ready")["message"] == "containers with unready status: [c]"
            await c.said("probed", "Unhealthy")
            (folder / "ok").touch()
            await c.until("probed", ready)
            (folder / "dead").touch()
            again = await c.until("probed", lambda obj: obj["status"]["containerStatuses"][0]["restartCount"] == 1)
            assert again["status"]["containerStatuses"][0]["lastState"]["terminated"]["exitCode"] == 0
            await c.said("probed", "Killing")
            said = await c.events("probed")
            assert ("Normal", "Killing", "Container c failed liveness probe, will be restarted") in said
            assert ("Warning", "Unhealthy", "Readiness probe failed: HTTP probe failed with statuscode: 404") in said
            await c.delete("probed", grace_s=1)
            await c.gone("probed")

    asyncio.run(scenario())


def test_users_and_non_root(testbed: Testbed) -> None:
    async def scenario() -> None:
        async with cluster(testbed) as c:
            context = {"runAsUser": 1000, "runAsGroup": 3000, "fsGroup": 2000}
            mount = {"volumeMounts": [{"name": "e", "mountPath": "/e"}]}
            await c.create(pod("ids", "(id; stat -c %g /e) > /dev/termination-log", securityContext=context, restartPolicy="Never",
                               container=mount, volumes=[{"name": "e", "emptyDir": {}}]))  # fmt: skip
            await c.create(pod("image", "id > /dev/termination-log", restartPolicy="Never", container={"image": USER}))
            await c.create(pod("root", "id", securityContext={"runAsNonRoot": True}))
            done = await c.until("ids", phase("Succeeded"))
            said = state(done)["terminated"]["message"]
            assert "uid=1000 gid=3000 groups=2000" in said.replace(",3000", "")
            assert said.splitlines()[1] == "2000"
            user = await c.until("image", phase("Succeeded"))
            assert "uid=1234" in state(user)["terminated"]["message"]
            root = await c.until(
                "root",
                waits("CreateContainerConfigError"),
            )
            assert "container has runAsNonRoot and image will run as root" in state(root)["waiting"]["message"]
            for name in ("ids", "image", "root"):
                await c.delete(name)
                await c.gone(name)

    asyncio.run(scenario())


def test_running_pods_outlive_the_kubelet_and_containerd(testbed: Testbed) -> None:
    async def scenario() -> None:
        async with cluster(testbed) as c:
            await c.create(pod("stays", UNTIL_TERM))
            before = await c.until("stays", ready)
            await c.stop_kubelet()
            c.start_kubelet()
            await asyncio.sleep(1)
            testbed.kill_containerd()
            await asyncio.sleep(0.3)
            testbed.start_containerd()
            await asyncio.sleep(2)
            after = await c.until("stays", ready)
            assert after["status"]["containerStatuses"] == before["status"]["containerStatuses"]
            assert after["status"]["startTime"] == before["status"]["startTime"]
            await c.delete("stays")
            await c.gone("stays")

    asyncio.run(scenario())


def test_hooks_run_around_a_container(testbed: Testbed) -> None:
    async def scenario() -> None:
        lifecycle = {
            "postStart": {"exec": {"command": ["sh", "-c", "echo post > /d/post"]}},
            "preStop": {"exec": {"command": ["sh", "-c", "echo pre > /d/pre"]}},
        }
        mount = {"lifecycle": lifecycle, "volumeMounts": [{"name": "d", "mountPath": "/d"}]}
        folder = testbed.root / "hooks"
        async with cluster(testbed) as c:
            volumes = [{"name": "d", "hostPath": {"path": str(folder), "type": "DirectoryOrCreate"}}]
            await c.create(pod("hooked", UNTIL_TERM, container=mount, volumes=volumes))
            await c.until("hooked", ready)
            assert (folder / "post").read_text() == "post\n"
            assert not (folder / "pre").exists()
            await c.delete("hooked")
            await c.gone("hooked")
            assert (folder / "pre").read_text() == "pre\n"

    asyncio.run(scenario())


def test_a_pod_deleted_by_force_leaves_no_container(testbed: Testbed) -> None:
    async def scenario() -> None:
        async with cluster(testbed) as c:
            await c.create(pod("forced", UNTIL_TERM))
            await c.until("forced", ready)
            await c.delete("forced", grace_s=0)
            await c.gone("forced", 25)
            await c.until_true(lambda: not testbed.ctr("containers", "ls", "-q").stdout)

    asyncio.run(scenario())
