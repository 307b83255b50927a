"""What becomes of pods: many lives side by side in one cluster, each a small story told by its status.

source  the project's list of conformance behaviours, area node
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import grpc.aio
import pytest
from tests.e2e.kubelet.cluster import SHELL, Cluster, cluster, pod
from tests.e2e.kubelet.output_cases import Object
from tests.e2e.kubelet.test_pods import UNTIL_TERM, condition, phase, ready, state, waits
from tests.e2e.kubelet.testbed import Testbed

from cybernetes.client.api import PatchType
from cybernetes.client.target import PODS

Life = Callable[[Cluster], Awaitable[None]]
# As many at once as containerd starts without being held up by itself.
AT_ONCE = 6
SOON = {"periodSeconds": 1, "failureThreshold": 1}
SERVE = "mkdir /www; echo ok > /www/healthz; httpd -p 8080 -h /www; "

# Writes down what it is asked.
HEAR = """\
mkdir -p /www/cgi-bin
cat > /www/cgi-bin/echo <<'END'
#!/bin/sh
echo $QUERY_STRING >> /h/heard
printf 'HTTP/1.0 200 OK\\r\\n\\r\\n'
END
chmod 755 /www/cgi-bin/echo
httpd -p 8080 -h /www
"""


def _init(name: str, script: str) -> Object:
    return {"name": name, "image": SHELL, "command": ["sh", "-c", script]}


def _main(obj: Object) -> Object:
    return dict(obj["status"].get("containerStatuses", [{"restartCount": -1}])[0])


def restarted(times: int) -> Callable[[Object], bool]:
    return lambda obj: bool(_main(obj)["restartCount"] >= times)


async def exit_codes_and_restart_policies(c: Cluster) -> None:
    """Container Runtime, Restart Policy, Pod Phases: fails at first, then succeeds, then goes on."""
    script = 'echo >> /n/n; case $(wc -l < /n/n) in 1) exit 1;; 2) exit 0;; esac; trap "exit 0" TERM; sleep 1000 & wait'
    mount = {"volumeMounts": [{"name": "n", "mountPath": "/n"}]}
    for policy, end, restarts in (("Always", "Running", 2), ("OnFailure", "Succeeded", 1), ("Never", "Failed", 0)):
        name = f"ends-{policy.lower()}"
        await c.create(
            pod(name, script, container=mount, volumes=[{"name": "n", "emptyDir": {}}], restartPolicy=policy)
        )
        done = await c.until(name, lambda obj, n=restarts, p=end: restarted(n)(obj) and phase(p)(obj))
        assert _main(done)["restartCount"] == restarts
        if policy == "Always":
            await c.until(name, ready)
        else:
            assert not _main(done)["ready"] and "terminated" in state(done)


async def init_containers_that_fail_for_good(c: Cluster) -> None:
    inits = [_init("one", "true"), _init("two", "exit 1")]
    await c.create(pod("init-never", UNTIL_TERM, initContainers=inits, restartPolicy="Never"))
    done = await c.until("init-never", phase("Failed"))
    assert [each["state"]["terminated"]["exitCode"] for each in done["status"]["initContainerStatuses"]] == [0, 1]
    assert state(done)["waiting"]["reason"] == "PodInitializing"
    said = condition(done, "Initialized")
    assert (said["status"], said["reason"]) == ("False", "ContainersNotInitialized")
    assert said["message"] == "containers with incomplete status: [two]"


async def init_containers_that_are_tried_again(c: Cluster) -> None:
    inits = [_init("one", "exit 1"), _init("two", "true")]
    await c.create(pod("init-always", UNTIL_TERM, initContainers=inits))
    seen = await c.until(
        "init-always", lambda obj: obj["status"].get("initContainerStatuses", [{}])[0].get("restartCount", 0) >= 2
    )
    assert seen["status"]["phase"] == "Pending"
    assert state(seen, "two")["waiting"]["reason"] == state(seen)["waiting"]["reason"] == "PodInitializing"
    assert condition(seen, "Initialized")["message"] == "containers with incomplete status: [one two]"


async def init_containers_that_succeed(c: Cluster) -> None:
    inits = [_init("one", "true"), _init("two", "true")]
    await c.create(pod("init-ok", UNTIL_TERM, initContainers=inits))
    seen = await c.until("init-ok", ready)
    assert condition(seen, "Initialized")["status"] == "True"
    assert all(each["ready"] for each in seen["status"]["initContainerStatuses"])


async def all_containers_start_anew(c: Cluster) -> None:
    """One asks for it by how it ends; another would rather not go."""
    rules = [{"action": "RestartAllContainers", "exitCodes": {"operator": "In", "values": [42]}}]
    shared = [{"name": "n", "mountPath": "/n"}]
    asks = "echo >> /n/n; [ $(wc -l < /n/n) = 2 ] || exit 42; trap 'exit 0' TERM; sleep 1000 & wait"
    obj = pod(
        "all-anew", "trap '' TERM; sleep 1000 & wait; wait", restartPolicy="Never", terminationGracePeriodSeconds=1
    )
    obj["spec"]["initContainers"] = [{**_init("one", "echo >> /n/init"), "volumeMounts": shared}]
    again = {"restartPolicy": "Never", "restartPolicyRules": rules, "volumeMounts": shared}
    obj["spec"]["containers"].append({**_init("asks", asks), **again})
    obj["spec"]["volumes"] = [{"name": "n", "emptyDir": {}}]
    await c.create(obj)
    seen = await c.until("all-anew", lambda each: ready(each) and restarted(1)(each))
    shown = (*seen["status"]["initContainerStatuses"], *seen["status"]["containerStatuses"])
    assert [each["restartCount"] for each in shown] == [1, 1, 1]
    assert {each["lastState"]["terminated"]["reason"] for each in shown} == {"RestartingAllContainers"}
    assert condition(seen, "AllContainersRestarting")["status"] == "False"


async def a_command_that_always_fails(c: Cluster) -> None:
    await c.create(pod("fails", "exit 1"))
    seen = await c.until("fails", restarted(1))
    ended = state(seen).get("terminated") or _main(seen)["lastState"]["terminated"]
    assert (ended["reason"], ended["exitCode"]) == ("Error", 1)


async def hooks_over_http(c: Cluster) -> None:
    """Pod Lifecycle, post start and prestop http hooks, PreStop: the other pod hears of both."""
    mount = {
        "volumeMounts": [{"name": "h", "mountPath": "/h"}],
        "readinessProbe": {"tcpSocket": {"port": 8080}, **SOON},
    }
    await c.create(pod("hears", HEAR + UNTIL_TERM, container=mount, volumes=[{"name": "h", "emptyDir": {}}]))
    hears = await c.until("hears", ready)
    address = hears["status"]["podIP"]
    hooks = {
        key: {"httpGet": {"host": address, "port": 8080, "path": f"/cgi-bin/echo?msg={key}"}}
        for key in ("postStart", "preStop")
    }
    await c.create(pod("tells", UNTIL_TERM, container={"lifecycle": hooks}))
    await c.until("tells", ready)
    await c.delete("tells")
    await c.gone("tells")
    volumes = c.config.pod_dir(hears["metadata"]["uid"]) / "volumes"
    assert next(volumes.rglob("heard")).read_text().split() == ["msg=postStart", "msg=preStop"]


async def a_hook_that_fails(c: Cluster) -> None:
    """The container is ended and tried again, as its policy says."""
    hook = {"lifecycle": {"postStart": {"exec": {"command": ["false"]}}}}
    await c.create(pod("hook-fails", UNTIL_TERM, container=hook))
    await c.until("hook-fails", restarted(1))
    await c.said("hook-fails", "FailedPostStartHook")
    assert not ready(await c.get("hook-fails"))


async def liveness_that_fails(c: Cluster) -> None:
    """Restart counts grow one by one; the container is killed within its probe's grace."""
    probe = {"httpGet": {"path": "/healthz", "port": 8080}, "initialDelaySeconds": 1, **SOON}
    await c.create(
        pod("live-http", f"{SERVE} sleep 1; rm /www/healthz; {UNTIL_TERM}", container={"livenessProbe": probe})
    )
    deaf = {"exec": {"command": ["false"]}, "terminationGracePeriodSeconds": 1, **SOON}
    await c.create(
        pod(
            "live-exec",
            "trap '' TERM; sleep 1000",
            container={"livenessProbe": deaf},
            terminationGracePeriodSeconds=500,
        )
    )
    await c.create(pod("live-tcp", UNTIL_TERM, container={"livenessProbe": {"tcpSocket": {"port": 8080}, **SOON}}))
    for name in ("live-http", "live-exec", "live-tcp"):
        await c.until(name, restarted(1))
        await c.said(name, "Unhealthy")
    await c.until("live-http", restarted(2))


async def liveness_that_holds(c: Cluster) -> None:
    probes: dict[str, Object] = {
        "keeps-http": {"httpGet": {"path": "/healthz", "port": 8080}},
        "keeps-exec": {"exec": {"command": ["cat", "/www/healthz"]}},
        "keeps-tcp": {"tcpSocket": {"port": 8080}},
    }
    for name, probe in probes.items():
        # A busy machine may take its time to serve, and to answer.
        live = {**probe, "initialDelaySeconds": 1, "periodSeconds": 1, "timeoutSeconds": 60, "failureThreshold": 60}
        await c.create(pod(name, SERVE + UNTIL_TERM, container={"livenessProbe": live, "readinessProbe": live}))
    for name in probes:
        # Its readiness is asked as often as its liveness: both have been, when it is ready.
        assert _main(await c.until(name, ready))["restartCount"] == 0


async def probes_over_grpc(c: Cluster) -> None:
    """The server is this process, which the pod shares its network with."""
    serving = {"yes": b"\x08\x01", "no": b"\x08\x02"}

    async def check(request: bytes, context: object) -> bytes:
        return serving[request[2:].decode()]

    server = grpc.aio.server()
    handler = grpc.unary_unary_rpc_method_handler(check)
    server.add_generic_rpc_handlers(
        (grpc.method_handlers_generic_handler("grpc.health.v1.Health", {"Check": handler}),)
    )
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    for service in serving:
        probe = {"grpc": {"port": port, "service": service}, "timeoutSeconds": 60, **SOON}
        asked = {"livenessProbe": probe, "readinessProbe": probe} if service == "yes" else {"livenessProbe": probe}
        await c.create(pod(f"grpc-{service}", UNTIL_TERM, hostNetwork=True, container=asked))
    assert _main(await c.until("grpc-yes", ready))["restartCount"] == 0
    await c.until("grpc-no", restarted(1))
    await server.stop(0)


async def readiness(c: Cluster) -> None:
    probe = {"exec": {"command": ["true"]}, "initialDelaySeconds": 3, "periodSeconds": 1}
    await c.create(pod("ready-late", UNTIL_TERM, container={"readinessProbe": probe}))
    await c.create(
        pod("ready-never", UNTIL_TERM, container={"readinessProbe": {**probe, "exec": {"command": ["false"]}}})
    )
    await c.said("ready-never", "Unhealthy")
    assert not ready(await c.get("ready-never"))
    seen = await c.until("ready-late", ready)
    assert condition(seen, "Ready")["lastTransitionTime"] > state(seen)["running"]["startedAt"]
    assert _main(seen)["restartCount"] == 0


async def readiness_gates(c: Cluster) -> None:
    await c.create(pod("gate", UNTIL_TERM, readinessGates=[{"conditionType": "example.com/open"}]))
    seen = await c.until("gate", lambda obj: condition(obj, "ContainersReady").get("status") == "True")
    assert condition(seen, "Ready")["reason"] == "ReadinessGatesNotReady"
    for status in ("True", "False"):
        change = {"status": {"conditions": [{"type": "example.com/open", "status": status}]}}
        await c.admin.patch(PODS, "gate", change, PatchType.STRATEGIC, namespace="default", subresource="status")
        await c.until("gate", lambda obj, s=status: condition(obj, "Ready")["status"] == s)


async def last_words(c: Cluster) -> None:
    """Container Runtime, TerminationMessage: from a file of another user, from files, not from the log of a success."""
    custom = {"terminationMessagePath": "/dev/words", "securityContext": {"runAsUser": 1000}}
    fallback = {"terminationMessagePolicy": "FallbackToLogsOnError"}
    rows: list[tuple[str, str, Object, str]] = [
        ("words-user", "printf DONE > /dev/words", custom, "DONE"),
        ("words-file", "printf OK > /dev/termination-log; echo DONE", fallback, "OK"),
        ("words-none", "echo DONE", fallback, ""),
        ("words-log", "printf DONE; exit 1", fallback, "DONE"),
    ]
    for name, script, container, words in rows:
        await c.create(pod(name, script, container=container, restartPolicy="Never"))
        done = await c.until(name, lambda obj: obj["status"]["phase"] in ("Succeeded", "Failed"))
        assert state(done)["terminated"].get("message", "") == words, name


async def sub_paths_that_leave_their_volume(c: Cluster) -> None:
    """VolumeSubpathEnvExpansion: going up and absolute paths fail; what failed may be repaired."""
    mount = {"name": "v", "mountPath": "/logs", "subPathExpr": "$(PART)"}
    volumes = [{"name": "v", "emptyDir": {}}]
    for name, part in (("part-up", ".."), ("part-absolute", "/tmp")):
        container = {"env": [{"name": "PART", "value": part}], "volumeMounts": [mount]}
        await c.create(pod(name, UNTIL_TERM, container=container, volumes=volumes))
        seen = await c.until(name, waits("CreateContainerConfigError"))
        assert seen["status"]["phase"] == "Pending"
    env = [{"name": "PART", "valueFrom": {"fieldRef": {"fieldPath": "metadata.annotations['part']"}}}]
    repaired = {"env": env, "volumeMounts": [mount]}
    await c.create(pod("part-repaired", UNTIL_TERM, container=repaired, volumes=volumes))
    await c.until("part-repaired", waits("CreateContainerConfigError"))
    change = {"metadata": {"annotations": {"part": "here"}}}
    await c.admin.patch(PODS, "part-repaired", change, PatchType.MERGE, namespace="default")
    await c.until("part-repaired", ready)


async def changes_are_observed(c: Cluster) -> None:
    """Pods Generation: the kubelet's status follows the last of many changes; a deadline set later counts."""
    await c.create(pod("changes", UNTIL_TERM))
    await c.until("changes", ready)
    for left in range(100):
        change = {"spec": {"activeDeadlineSeconds": 5000 - left}}
        await c.admin.patch(PODS, "changes", change, PatchType.MERGE, namespace="default")
    seen = await c.until("changes", lambda obj: obj["status"]["observedGeneration"] == 101)
    assert seen["metadata"]["generation"] == 101
    assert {each["observedGeneration"] for each in seen["status"]["conditions"]} == {101}
    await c.admin.patch(PODS, "changes", {"spec": {"activeDeadlineSeconds": 1}}, PatchType.MERGE, namespace="default")
    done = await c.until("changes", phase("Failed"))
    assert done["status"]["reason"] == "DeadlineExceeded"


async def containers_added_for_debugging(c: Cluster) -> None:
    """Ephemeral Container Creation, update ephemeral containers."""
    await c.create(pod("debugged", UNTIL_TERM))
    await c.until("debugged", ready)
    for number in (1, 2):
        more = [{**_init(f"debug-{number}", UNTIL_TERM), "imagePullPolicy": "IfNotPresent"}]
        change = {"spec": {"ephemeralContainers": more}}
        await c.admin.patch(
            PODS, "debugged", change, PatchType.STRATEGIC, namespace="default", subresource="ephemeralcontainers"
        )
        seen = await c.until(
            "debugged",
            lambda obj, n=number: (
                ["running" in each["state"] for each in obj["status"].get("ephemeralContainerStatuses", [])]
                == [True] * n
            ),
        )
        assert ready(seen)


async def settings_that_are_not_safe(c: Cluster) -> None:
    unsafe = {"sysctls": [{"name": "kernel.msgmax", "value": "10000"}]}
    await c.create(pod("unsafe", "true", securityContext=unsafe))
    done = await c.until("unsafe", phase("Failed"))
    assert done["status"]["reason"] == "SysctlForbidden"
    assert done["status"]["message"] == 'Pod was rejected: forbidden sysctl: "kernel.msgmax" not allowlisted'


async def nodes_that_were_not_wanted(c: Cluster) -> None:
    await c.create(pod("elsewhere", "true", nodeSelector={"no": "such"}))
    done = await c.until("elsewhere", phase("Failed"))
    assert done["status"]["reason"] == "NodeAffinity"


async def volumes_that_can_not_be_made(c: Cluster) -> None:
    """Of an image that is not there, and of paths that are something else."""
    mount = {"volumeMounts": [{"name": "v", "mountPath": "/v"}]}
    image = {"image": {"reference": "127.0.0.1:9/absent:1", "pullPolicy": "IfNotPresent"}}
    await c.create(pod("no-image", UNTIL_TERM, container=mount, volumes=[{"name": "v", **image}]))
    await c.until("no-image", waits("ErrImagePull"))
    await c.until("no-image", waits("ImagePullBackOff"))
    path = {"hostPath": {"path": "/etc/hosts", "type": "Directory"}}
    await c.create(pod("no-folder", UNTIL_TERM, container=mount, volumes=[{"name": "v", **path}]))
    await c.said("no-folder", "FailedMount")
    said = [message for _, reason, message in await c.events("no-folder") if reason == "FailedMount"]
    why = "hostPath type check failed: /etc/hosts is not a directory"
    assert said[0] == f'MountVolume.SetUp failed for volume "v" : {why}'


async def a_critical_pod_finds_room(c: Cluster) -> None:
    await c.create(pod("fills", UNTIL_TERM, container={"resources": {"requests": {"cpu": "1900m"}}}))
    await c.until("fills", ready)
    asks = {"resources": {"requests": {"cpu": "500m"}}}
    await c.create(pod("critical", UNTIL_TERM, container=asks, priorityClassName="system-node-critical"))
    await c.until("critical", ready)
    ended = await c.until("fills", phase("Failed"))
    assert (ended["status"]["reason"], ended["status"]["message"]) == (
        "Preempting",
        "Preempted in order to admit critical pod",
    )
    assert condition(ended, "DisruptionTarget")["reason"] == "TerminationByKubelet"


LIVES: tuple[Life, ...] = (
    exit_codes_and_restart_policies,
    init_containers_that_fail_for_good,
    init_containers_that_are_tried_again,
    init_containers_that_succeed,
    all_containers_start_anew,
    a_command_that_always_fails,
    hooks_over_http,
    a_hook_that_fails,
    liveness_that_fails,
    liveness_that_holds,
    probes_over_grpc,
    readiness,
    readiness_gates,
    last_words,
    sub_paths_that_leave_their_volume,
    changes_are_observed,
    containers_added_for_debugging,
    settings_that_are_not_safe,
    nodes_that_were_not_wanted,
    volumes_that_can_not_be_made,
    a_critical_pod_finds_room,
)


def test_pods_live_as_they_should(testbed: Testbed) -> None:
    async def scenario() -> None:
        # Restarts wait for a second at most, so that stories of several restarts are short.
        async with cluster(testbed, max_restart_s=1) as c:
            # Many containers share two cores with each other, and with whatever else the machine does.
            c.patience_s = 120
            limit = asyncio.Semaphore(AT_ONCE)

            async def lived(life: Life) -> str:
                async with limit:
                    try:
                        await life(c)
                    except (AssertionError, TimeoutError) as wrong:
                        return f"{life.__name__}: {type(wrong).__name__} {wrong}"
                return ""

            problems = await asyncio.gather(*(lived(each) for each in LIVES))
            if any(problems):
                pytest.fail("\n".join(each for each in problems if each))

    asyncio.run(scenario())
