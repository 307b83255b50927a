"""The same work with kubectl of several releases: each speaks the API in its own way."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from tests.e2e.clients.shell import Shell

DEPLOYMENT = """
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
  labels: {app: web}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - {name: web, image: "example/web:1", ports: [{containerPort: 80}]}
"""
CONFIG = """
apiVersion: v1
kind: ConfigMap
metadata:
  name: %s
  labels: {set: %s}
data: {a: "1"}
"""


@pytest.fixture(params=[30, 31, 34, 37])
def any_kubectl(request: pytest.FixtureRequest, shell: Callable[[str, int], Shell]) -> Shell:
    return shell("kubectl", request.param)


@pytest.fixture(params=[30, 37])
def oldest_and_newest(request: pytest.FixtureRequest, shell: Callable[[str, int], Shell]) -> Shell:
    """For what the releases do alike."""
    return shell("kubectl", request.param)


def test_apply_diff_and_conflicts(any_kubectl: Shell) -> None:
    kubectl = any_kubectl
    assert kubectl.out("apply", "-f", "-", stdin=DEPLOYMENT) == "deployment.apps/web created\n"
    assert kubectl.out("apply", "-f", "-", stdin=DEPLOYMENT) == "deployment.apps/web unchanged\n"
    changed = DEPLOYMENT.replace("replicas: 2", "replicas: 3").replace("web:1", "web:2")
    difference = kubectl.run("diff", "-f", "-", stdin=changed, code=1).out
    assert "-  replicas: 2" in difference and "+  replicas: 3" in difference
    assert "+      - image: example/web:2" in difference
    assert kubectl.out("apply", "-f", "-", "--dry-run=server", stdin=changed) == (
        "deployment.apps/web configured (server dry run)\n"
    )
    assert kubectl.out("get", "deployment", "web", "-o", "jsonpath={.spec.replicas}") == "2"
    assert kubectl.out("apply", "-f", "-", stdin=changed) == "deployment.apps/web configured\n"
    assert kubectl.out("diff", "-f", "-", stdin=changed) == ""

    taken = kubectl.fails("apply", "--server-side", "--field-manager=robot", "-f", "-", stdin=DEPLOYMENT)
    assert 'Apply failed with 2 conflicts: conflicts with "kubectl-client-side-apply" using apps/v1:' in taken
    assert "- .spec.replicas\n" in taken and '- .spec.template.spec.containers[name="web"].image' in taken
    forced = kubectl.out(
        "apply", "--server-side", "--force-conflicts", "--field-manager=robot", "-f", "-", stdin=DEPLOYMENT
    )
    assert forced == "deployment.apps/web serverside-applied\n"


def test_reading(any_kubectl: Shell) -> None:
    kubectl = any_kubectl
    for name in ("one", "two", "three"):
        kubectl.run("apply", "-f", "-", stdin=CONFIG % (name, "odd" if name != "two" else "even"))
    table = kubectl.out("get", "configmaps", "-l", "set=odd", "--sort-by=.metadata.name").splitlines()
    assert table[0].split() == ["NAME", "DATA", "AGE"]
    assert [line.split()[:2] for line in table[1:]] == [["one", "1"], ["three", "1"]]
    assert kubectl.out("get", "cm", "--field-selector=metadata.name=two", "-o", "name") == "configmap/two\n"
    assert len(kubectl.out("get", "cm", "--chunk-size=1", "-o", "name").splitlines()) == 4
    columns = kubectl.out("get", "cm", "one", "-o", "custom-columns=N:.metadata.name,A:.data.a")
    assert columns.split() == ["N", "A", "one", "1"]
    assert kubectl.out("get", "cm", "one", "-L", "set", "--no-headers").split()[-1] == "odd"
    assert kubectl.fails("get", "cm", "four") == 'Error from server (NotFound): configmaps "four" not found\n'
    assert kubectl.fails("get", "nothing") == 'error: the server doesn\'t have a resource type "nothing"\n'
    assert "configmaps" in kubectl.out("api-resources", "--verbs=list", "--namespaced", "-o", "name")
    assert {"v1", "apps/v1"} <= set(kubectl.out("api-versions").split())
    explained = kubectl.out("explain", "deployment.spec.strategy", "--recursive")
    assert "maxSurge" in explained and "IntOrString" in explained
    assert kubectl.out("get", "--raw", "/livez") == "ok"
    said = kubectl.out("version")
    assert "Client Version: v1." in said and "Server Version: v1.37." in said


def test_changing(oldest_and_newest: Shell, tmp_path: Path) -> None:
    kubectl = oldest_and_newest
    kubectl.run("create", "-f", "-", stdin=DEPLOYMENT)
    assert kubectl.out("label", "deployment", "web", "tier=front") == "deployment.apps/web labeled\n"
    refused = kubectl.fails("label", "deployment", "web", "tier=back")
    assert refused == "error: 'tier' already has a value (front), and --overwrite is false\n"
    assert kubectl.out("label", "deployment", "web", "tier-") == "deployment.apps/web unlabeled\n"
    assert kubectl.out("annotate", "deployment", "web", "note=x") == "deployment.apps/web annotated\n"
    strategic = '{"spec":{"template":{"spec":{"containers":[{"name":"side","image":"example/side:1"}]}}}}'
    assert kubectl.out("patch", "deployment", "web", "-p", strategic) == "deployment.apps/web patched\n"
    images = "jsonpath={.spec.template.spec.containers[*].image}"
    assert set(kubectl.out("get", "deployment", "web", "-o", images).split()) == {"example/web:1", "example/side:1"}
    # Once the controller has nothing more to say: what it writes between two patches is a change, too.
    assert any("no change" in kubectl.out("patch", "deployment", "web", "-p", strategic) for _ in range(20))
    kubectl.run("patch", "deployment", "web", "--type=merge", "-p", '{"spec":{"paused":true}}')
    removed = '[{"op":"remove","path":"/spec/paused"}]'
    assert kubectl.out("patch", "deployment", "web", "--type=json", "-p", removed) == "deployment.apps/web patched\n"
    assert kubectl.out("scale", "deployment", "web", "--replicas=1") == "deployment.apps/web scaled\n"
    assert kubectl.fails("scale", "deployment", "web", "--replicas=2", "--current-replicas=9") == (
        "error: Expected replicas to be 9, was 1\n"
    )
    editor = tmp_path / "editor"
    editor.write_text("#!/bin/sh\nsed -i 's/replicas: 1/replicas: 4/' \"$1\"\n")
    editor.chmod(0o755)
    assert kubectl.run("edit", "deployment", "web", EDITOR=str(editor)).out == "deployment.apps/web edited\n"
    assert kubectl.out("get", "deployment", "web", "-o", "jsonpath={.spec.replicas}") == "4"
    replaced = kubectl.out("replace", "--force", "-f", "-", stdin=DEPLOYMENT)
    assert 'deployment.apps "web" deleted' in replaced and "deployment.apps/web replaced" in replaced


def test_refusals(oldest_and_newest: Shell) -> None:
    kubectl = oldest_and_newest
    unknown = DEPLOYMENT.replace("replicas: 2", "replicas: 2\n  replics: 3")
    assert 'strict decoding error: unknown field "spec.replics"' in kubectl.fails("create", "-f", "-", stdin=unknown)
    warned = kubectl.run("create", "--validate=warn", "-f", "-", stdin=unknown)
    assert warned.err == 'Warning: unknown field "spec.replics"\n' and warned.out == "deployment.apps/web created\n"
    again = kubectl.fails("create", "-f", "-", stdin=DEPLOYMENT)
    assert (
        again
        == 'Error from server (AlreadyExists): error when creating "STDIN": deployments.apps "web" already exists\n'
    )
    other = DEPLOYMENT.replace("matchLabels: {app: web}", "matchLabels: {app: other}").replace(
        "name: web", "name: b", 1
    )
    invalid = kubectl.fails("create", "-f", "-", stdin=other)
    assert invalid == (
        'The Deployment "b" is invalid: spec.template.metadata.labels: Invalid value: {"app":"web"}: '
        "`selector` does not match template `labels`\n"
    )


def test_rollouts(oldest_and_newest: Shell) -> None:
    kubectl = oldest_and_newest
    kubectl.run("create", "deployment", "web", "--image=example/web:1")
    kubectl.run("wait", "--for=jsonpath={.status.observedGeneration}=1", "deployment/web", "--timeout=100s")
    assert kubectl.out("set", "image", "deployment/web", "web=example/web:2") == "deployment.apps/web image updated\n"
    kubectl.run("wait", "--for=jsonpath={.status.observedGeneration}=2", "deployment/web", "--timeout=100s")
    history = kubectl.out("rollout", "history", "deployment/web")
    assert history.splitlines()[1].split() == ["REVISION", "CHANGE-CAUSE"]
    assert [line.split() for line in history.splitlines()[2:4]] == [["1", "<none>"], ["2", "<none>"]]
    assert "example/web:1" in kubectl.out("rollout", "history", "deployment/web", "--revision=1")
    waiting = kubectl.run("rollout", "status", "deployment/web", "--timeout=1s", code=1)
    assert waiting.out.startswith('Waiting for deployment "web" rollout to finish:')
    assert kubectl.out("rollout", "undo", "deployment/web") == "deployment.apps/web rolled back\n"
    assert kubectl.out("rollout", "pause", "deployment/web") == "deployment.apps/web paused\n"
    assert kubectl.fails("rollout", "restart", "deployment/web") == (
        'error: deployments.apps "web" can\'t restart paused deployment (run rollout resume first)\n'
    )
    assert kubectl.out("rollout", "resume", "deployment/web") == "deployment.apps/web resumed\n"
    assert kubectl.out("rollout", "restart", "deployment/web") == "deployment.apps/web restarted\n"
    assert "deleted" in kubectl.out("delete", "deployment", "web", "--cascade=foreground")
    assert kubectl.out("get", "replicasets,pods", "-o", "name") == ""


def test_kustomize_prune_and_delete(oldest_and_newest: Shell, tmp_path: Path) -> None:
    kubectl = oldest_and_newest
    (tmp_path / "cm.yaml").write_text(CONFIG % ("kept", "k"))
    generated = "configMapGenerator: [{name: made, literals: [x=y]}]"
    (tmp_path / "kustomization.yaml").write_text(f"resources: [cm.yaml]\nnamePrefix: my-\n{generated}\n")
    applied = kubectl.out("apply", "-k", str(tmp_path)).split("\n")
    assert "configmap/my-kept created" in applied and any(each.startswith("configmap/my-made-") for each in applied)
    both = CONFIG % ("first", "p") + "---" + CONFIG % ("second", "p")
    kubectl.run("apply", "-f", "-", stdin=both)
    pruned = kubectl.out(
        "apply",
        "--prune",
        "-l",
        "set=p",
        "--prune-allowlist=core/v1/ConfigMap",
        "-f",
        "-",
        stdin=CONFIG % ("first", "p"),
    )
    assert pruned == "configmap/first unchanged\nconfigmap/second pruned\n"
    assert 'configmap "first" deleted' in kubectl.out("delete", "cm", "-l", "set=p")
    assert kubectl.run("wait", "--for=delete", "configmap/first", "--timeout=100s").out == ""
    assert kubectl.out("delete", "cm", "absent", "--ignore-not-found") == ""


def test_who_may(oldest_and_newest: Shell) -> None:
    kubectl = oldest_and_newest
    kubectl.run("create", "serviceaccount", "robot")
    kubectl.run("create", "role", "reader", "--verb=get,list", "--resource=pods,deployments.apps")
    account = f"system:serviceaccount:{kubectl.namespace}:robot"
    kubectl.run("create", "rolebinding", "reads", "--role=reader", f"--serviceaccount={kubectl.namespace}:robot")
    assert kubectl.out("auth", "can-i", "list", "pods", "--as", account) == "yes\n"
    assert kubectl.run("auth", "can-i", "delete", "pods", "--as", account, code=1).out == "no\n"
    listed = kubectl.out("auth", "can-i", "--list", "--as", account)
    assert ["pods", "[]", "[]", "[get", "list]"] in [line.split() for line in listed.splitlines()]
    token = kubectl.out("create", "token", "robot", "--duration=20m").strip()
    bare = "--kubeconfig=/dev/null"
    server = kubectl.out("config", "view", "--minify", "-o", "jsonpath={.clusters[0].cluster.server}")
    reached = (bare, f"--server={server}", "--insecure-skip-tls-verify", f"--token={token}")
    assert ["Username", account] in [line.split() for line in kubectl.out(*reached, "auth", "whoami").splitlines()]
    assert kubectl.fails(*reached, "get", "secrets") == (
        f'Error from server (Forbidden): secrets is forbidden: User "{account}" cannot list resource "secrets" '
        f'in API group "" in the namespace "{kubectl.namespace}"\n'
    )
