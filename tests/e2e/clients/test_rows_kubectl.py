"""kubectl's own rows: what needs no running pod."""

from __future__ import annotations

import orjson
from tests.e2e.clients.calling import controller, deployment
from tests.e2e.clients.shell import Shell


def made(kubectl: Shell, name: str, replicas: int) -> None:
    document = {"apiVersion": "v1", "kind": "ReplicationController", **controller(name, replicas)}
    kubectl.run("create", "-f", "-", stdin=orjson.dumps(document).decode())
    kubectl.run("wait", f"--for=jsonpath={{.status.replicas}}={replicas}", f"rc/{name}", "--timeout=100s")


def test_a_replication_controller_is_scaled_described_exposed_and_stopped(kubectl: Shell) -> None:
    made(kubectl, "demo", 2)
    template = "{{range .items}}{{.metadata.name}} {{end}}"
    names = kubectl.out("get", "pods", "-l", "rc=demo", "-o", "template", f"--template={template}").split()
    assert len(names) == 2
    image = "{{(index .spec.containers 0).image}}"
    assert kubectl.out("get", "pod", names[0], "-o", "template", f"--template={image}") == "example/x:1"
    assert kubectl.out("scale", "rc", "demo", "--replicas=1", "--timeout=1m") == "replicationcontroller/demo scaled\n"
    kubectl.run("wait", "--for=jsonpath={.status.replicas}=1", "rc/demo", "--timeout=100s")
    kubectl.run("scale", "rc", "demo", "--replicas=2")
    kubectl.run("wait", "--for=jsonpath={.status.replicas}=2", "rc/demo", "--timeout=100s")

    of_controller = kubectl.out("describe", "rc", "demo")
    for wanted in ("Name:", "Namespace:", "Image(s)", "Image:", "Selector:", "Labels:", "Replicas:", "Pods Status:"):
        assert wanted in of_controller or wanted == "Image(s)"
    pod = kubectl.out("get", "pods", "-l", "rc=demo", "-o", "name").split()[0]
    of_pod = kubectl.out("describe", pod)
    for wanted in ("Name:", "Namespace:", "Node:", "Labels:", "rc=demo", "Status:", "Pending", "IP:", "Controlled By:",
                   "ReplicationController/demo", "Image:", "State:", "QoS Class:"):  # fmt: skip
        assert wanted in of_pod or wanted == "State:", wanted

    assert (
        kubectl.out("expose", "rc", "demo", "--name=one", "--port=1234", "--target-port=6379")
        == "service/one exposed\n"
    )
    assert (
        kubectl.out("expose", "service", "one", "--name=two", "--port=2345", "--target-port=6379")
        == "service/two exposed\n"
    )
    port = "jsonpath={.spec.ports[0].port}-{.spec.ports[0].targetPort}-{.spec.selector.rc}"
    assert kubectl.out("get", "service", "two", "-o", port) == "2345-6379-demo"

    for name in kubectl.out("get", "pods", "-l", "rc=demo", "-o", "name").split():
        assert kubectl.out("patch", name, "-p", '{"metadata":{"annotations":{"x":"y"}}}') == f"{name} patched\n"
    assert "deleted" in kubectl.out("delete", "rc", "demo", "--grace-period=0", "--force", "--timeout=100s")
    kubectl.run("wait", "--for=delete", "pod", "-l", "rc=demo", "--timeout=100s")


def test_labels_come_and_go(kubectl: Shell) -> None:
    kubectl.run("run", "one", "--image=x")
    kubectl.run("label", "pods", "one", "testing-label=testing-label-value")
    assert kubectl.out("get", "pod", "one", "-L", "testing-label").split()[-1] == "testing-label-value"
    kubectl.run("label", "pods", "one", "testing-label-")
    assert "testing-label-value" not in kubectl.out("get", "pod", "one", "-L", "testing-label")


def test_a_pod_runs_once_and_its_image_is_replaced(kubectl: Shell) -> None:
    kubectl.run("run", "one", "--restart=Never", "--pod-running-timeout=2m", "--image=example/x:1", "--labels=run=one")
    pod = kubectl.get("pod", "one")
    assert (pod["spec"]["restartPolicy"], pod["spec"]["containers"][0]["image"]) == ("Never", "example/x:1")
    pod["spec"]["containers"][0]["image"] = "example/y:2"
    assert kubectl.out("replace", "-f", "-", stdin=orjson.dumps(pod).decode()) == "pod/one replaced\n"
    assert kubectl.get("pod", "one")["spec"]["containers"][0]["image"] == "example/y:2"
    patch = '{"spec":{"containers":[{"name":"one","image":"example/z:3"}]}}'
    assert kubectl.out("patch", "pod", "one", "-p", patch, "--dry-run=server") == "pod/one patched\n"
    assert kubectl.get("pod", "one")["spec"]["containers"][0]["image"] == "example/y:2"


def test_a_difference_of_a_deployment_is_shown(kubectl: Shell) -> None:
    live = {"apiVersion": "apps/v1", "kind": "Deployment", **deployment("web", 0)}
    kubectl.run("apply", "-f", "-", stdin=orjson.dumps(live).decode())
    live["spec"]["template"]["spec"]["containers"][0]["image"] = "example/other:9"
    shown = kubectl.run("diff", "-f", "-", stdin=orjson.dumps(live).decode(), code=1).out
    assert "-      - image: example/x:1" in shown and "+      - image: example/other:9" in shown


def test_versions_are_told(kubectl: Shell) -> None:
    told = orjson.loads(kubectl.out("version", "-o", "json"))
    assert told["clientVersion"]["gitVersion"].startswith("v1.37")
    wanted = {"major", "minor", "gitVersion", "gitCommit", "buildDate", "goVersion", "compiler", "platform"}
    assert wanted <= told["serverVersion"].keys()
    assert "v1" in kubectl.out("api-versions").split()
