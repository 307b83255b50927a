"""Every generator and verb of kubectl that needs no running pod."""

from __future__ import annotations

import base64
import http.client
import shlex
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import orjson
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from tests.e2e.clients.shell import Shell

GENERATORS = [
    ("deployment.apps/web", "deployment web --image=example/web:1 --replicas=0 --port=80"),
    ("cronjob.batch/tick", "cronjob tick --image=x --schedule='0 0 1 1 *' -- date"),
    ("job.batch/once", "job once --from=cronjob/tick"),
    ("job.batch/direct", "job direct --image=x -- date"),
    ("secret/plain", "secret generic plain --from-literal=a=b"),
    ("secret/registry", "secret docker-registry registry --docker-server=r --docker-username=u --docker-password=p"),
    ("configmap/settings", "configmap settings --from-literal=a=b"),
    ("role.rbac.authorization.k8s.io/reader", "role reader --verb=get --resource=pods --resource-name=one"),
    ("rolebinding.rbac.authorization.k8s.io/reads", "rolebinding reads --role=reader --user=ann --group=all"),
    ("ingress.networking.k8s.io/front", "ingress front --class=x --rule=a.example/p*=web:80,tls=plain"),
    ("poddisruptionbudget.policy/budget", "poddisruptionbudget budget --selector=app=web --min-available=1"),
    ("serviceaccount/robot", "serviceaccount robot"),
    ("service/inside", "service clusterip inside --tcp=80:8080"),
    ("service/headless", "service clusterip headless --clusterip=None --tcp=80"),
    ("service/port", "service nodeport port --tcp=80"),
    ("service/balanced", "service loadbalancer balanced --tcp=80"),
    ("service/elsewhere", "service externalname elsewhere --external-name=example.com"),
]


def test_generators(kubectl: Shell) -> None:
    for created, line in GENERATORS:
        assert kubectl.out("create", *shlex.split(line)) == f"{created} created\n"
    unscoped = f"of-{kubectl.namespace}"
    assert kubectl.out("create", "priorityclass", unscoped, "--value=10").endswith("created\n")
    assert kubectl.out("create", "clusterrole", unscoped, "--verb=get", "--non-resource-url=/logs").endswith(
        "created\n"
    )
    assert kubectl.out("create", "clusterrolebinding", unscoped, f"--clusterrole={unscoped}", "--user=ann").endswith(
        "created\n"
    )
    kubectl.run("delete", "priorityclass,clusterrole,clusterrolebinding", unscoped)
    assert kubectl.out("create", "quota", "quota", "--hard=services=50") == "resourcequota/quota created\n"
    kubectl.run("wait", "--for=jsonpath={.status.used.services}=5", "resourcequota/quota", "--timeout=100s")
    assert ["services", "5", "50"] in [line.split() for line in kubectl.out("describe", "quota").splitlines()]
    described = kubectl.out("describe", "ingress", "front")
    assert "plain terminates a.example" in described and "a.example" in described
    assert kubectl.get("job", "once")["metadata"]["annotations"] == {"cronjob.kubernetes.io/instantiate": "manual"}


def test_set_expose_run_and_autoscale(kubectl: Shell) -> None:
    kubectl.run("create", "deployment", "web", "--image=example/web:1", "--replicas=0", "--port=80")
    assert kubectl.out("set", "env", "deployment/web", "A=B") == "deployment.apps/web env updated\n"
    assert "resource requirements updated" in kubectl.out("set", "resources", "deployment/web", "--limits=cpu=200m")
    assert kubectl.out("set", "serviceaccount", "deployment/web", "default").endswith("serviceaccount updated\n")
    assert kubectl.out("set", "env", "deployment/web", "--list") == "# Deployment web, container web\nA=B\n"
    assert kubectl.out("expose", "deployment", "web", "--target-port=8080") == "service/web exposed\n"
    assert kubectl.get("service", "web")["spec"]["selector"] == {"app": "web"}
    assert kubectl.out("set", "selector", "service/web", "app=other") == "service/web selector updated\n"
    again = kubectl.fails("expose", "deployment", "web")
    assert again == 'Error from server (AlreadyExists): services "web" already exists\n'
    assert kubectl.out("run", "one", "--image=x", "--labels=a=b", "--env=C=D") == "pod/one created\n"
    assert kubectl.get("pod", "one")["spec"]["containers"][0]["env"] == [{"name": "C", "value": "D"}]
    waiting = kubectl.out("get", "pod", "one", "--no-headers").split()
    assert waiting[:4] == ["one", "0/1", "Pending", "0"]
    assert kubectl.out("autoscale", "deployment", "web", "--min=2", "--max=5", "--cpu=80%").endswith("autoscaled\n")
    assert kubectl.out("delete", "pod", "one", "--now").startswith('pod "one" deleted')


def test_pods_that_do_not_run_are_told_of_in_words(kubectl: Shell) -> None:
    kubectl.run("run", "one", "--image=x")
    assert kubectl.fails("exec", "one", "--", "true").endswith(": pod one does not have a host assigned\n")
    assert kubectl.run("logs", "one").out == ""
    assert kubectl.fails("logs", "one", "-c", "other") == (
        "error: container other is not valid for pod one out of: one\n"
    )
    assert kubectl.fails("port-forward", "one", "8000:80") == (
        "error: unable to forward port because pod is not running. Current status=Pending\n"
    )
    assert kubectl.fails("top", "pods") == "error: metrics not available yet\n"
    assert kubectl.fails("top", "nodes") == "error: metrics not available yet\n"
    kubectl.run("wait", "--for=create", "pod/one", "--timeout=100s")
    late = kubectl.fails("wait", "--for=condition=Ready", "pod/one", "--timeout=1s")
    assert late == "error: timed out waiting for the condition on pods/one\n"
    events = kubectl.until_out("FailedScheduling", "events", "--for=pod/one", "--types=Warning")
    assert "no nodes available to schedule pods" in events


def test_nodes_are_cordoned_and_tainted(kubectl: Shell) -> None:
    name = f"node-of-{kubectl.namespace}"
    kubectl.run("create", "-f", "-", stdin=f'{{"apiVersion":"v1","kind":"Node","metadata":{{"name":"{name}"}}}}')
    try:
        assert kubectl.out("cordon", name) == f"node/{name} cordoned\n"
        assert kubectl.out("cordon", name) == f"node/{name} already cordoned\n"
        assert "SchedulingDisabled" in kubectl.out("get", "node", name)
        assert kubectl.out("uncordon", name) == f"node/{name} uncordoned\n"
        assert kubectl.out("taint", "node", name, "a=b:NoSchedule") == f"node/{name} tainted\n"
        assert kubectl.fails("taint", "node", name, "a=c:NoSchedule").startswith(
            f"error: node {name} already has a taint(s) with same effect(s)"
        )
        assert "a=b:NoSchedule" in kubectl.out("describe", "node", name)
        assert kubectl.out("taint", "node", name, "a-") == f"node/{name} untainted\n"
        drained = kubectl.out("drain", name)
        assert drained.splitlines()[-1] == f"node/{name} drained"
    finally:
        kubectl.run("delete", "node", name)


def test_a_certificate_is_approved_and_signed(kubectl: Shell) -> None:
    name, key = f"ann-of-{kubectl.namespace}", ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "ann")])
    asked = x509.CertificateSigningRequestBuilder().subject_name(subject).sign(key, hashes.SHA256())
    request = {
        "apiVersion": "certificates.k8s.io/v1",
        "kind": "CertificateSigningRequest",
        "metadata": {"name": name},
        "spec": {
            "request": base64.b64encode(asked.public_bytes(serialization.Encoding.PEM)).decode(),
            "signerName": "kubernetes.io/kube-apiserver-client",
            "usages": ["client auth"],
            "expirationSeconds": 3600,
        },
    }
    kubectl.run("create", "-f", "-", stdin=orjson.dumps(request).decode())
    row = kubectl.out("get", "csr", name, "--no-headers").split()
    assert row[2:] == ["kubernetes.io/kube-apiserver-client", "kubernetes-admin", "60m", "Pending"]
    approved = kubectl.out("certificate", "approve", name)
    assert approved == f"certificatesigningrequest.certificates.k8s.io/{name} approved\n"
    kubectl.run("wait", "--for=jsonpath={.status.certificate}", f"csr/{name}", "--timeout=100s")
    assert kubectl.out("get", "csr", name, "--no-headers").split()[-1] == "Approved,Issued"
    issued = base64.b64decode(kubectl.get("csr", name)["status"]["certificate"])
    assert x509.load_pem_x509_certificate(issued).subject == subject
    kubectl.run("delete", "csr", name)


@contextmanager
def proxied(kubectl: Shell, *arguments: str) -> Iterator[str]:
    """The line that `kubectl proxy` says when it serves."""
    command = [str(kubectl.program), "proxy", *arguments]
    with subprocess.Popen(command, env=kubectl.environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline()
        finally:
            process.terminate()


def test_proxy_on_any_port_and_on_a_socket(kubectl: Shell, tmp_path: Path) -> None:
    with proxied(kubectl, "--port=0") as line:
        assert line.startswith("Starting to serve on 127.0.0.1:")
        connection = http.client.HTTPConnection(line.rsplit(" ", 1)[1].strip())
        connection.request("GET", "/api/")
        assert orjson.loads(connection.getresponse().read())["versions"] == ["v1"]
    path = tmp_path / "proxy.sock"
    with proxied(kubectl, f"--unix-socket={path}") as line:
        assert line == f"Starting to serve on {path}\n"
        with socket.socket(socket.AF_UNIX) as to_proxy:
            to_proxy.connect(str(path))
            to_proxy.sendall(b"GET /version HTTP/1.0\r\nHost: localhost\r\n\r\n")
            assert b" 200 OK\r\n" in to_proxy.recv(4000)


def test_the_cluster_is_described_and_dumped(kubectl: Shell, tmp_path: Path) -> None:
    assert "Kubernetes control plane is running at https://127.0.0.1:" in kubectl.out("cluster-info").replace(
        "\x1b[0;32m", ""
    ).replace("\x1b[0m", "").replace("\x1b[0;33m", "")
    dumped = kubectl.out("cluster-info", "dump", f"--output-directory={tmp_path}", "--namespaces=kube-system")
    assert dumped == f"Cluster info dumped to {tmp_path}\n"
    assert (tmp_path / "kube-system" / "events.json").exists()
    ready = kubectl.out("get", "--raw", "/readyz?verbose")
    assert ready.startswith("[+]ping ok\n") and ready.endswith("readyz check passed\n")


def test_cluster_wide_answers_of_refusals(kubectl: Shell) -> None:
    assert kubectl.fails("delete", "namespace", "default") == (
        "Warning: deleting cluster-scoped resources, not scoped to the provided namespace\n"
        'Error from server (Forbidden): namespaces "default" is forbidden: this namespace may not be deleted\n'
    )
    missing = kubectl.fails("-n", "absent", "create", "configmap", "x")
    assert missing == 'error: failed to create configmap: namespaces "absent" not found\n'
    assert kubectl.fails("get", "pods", "--field-selector=spec.color=red") == (
        'Error from server (BadRequest): Unable to find "/v1, Resource=pods" that match label selector "", '
        'field selector "spec.color=red": field label not supported: spec.color\n'
    )
