"""Two API servers on one SQLite file, as their users see them: kubectl, and who writes to both at once."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import Iterator

import orjson
import pytest
from tests.contract.servers.several import Servers, several_servers
from tests.e2e.clients.binaries import program

from cybernetes.base.errors import ApiError
from cybernetes.client.target import Target

SERVICES = Target("", "v1", "services", "Service")
MANIFEST = """
apiVersion: v1
kind: Namespace
metadata: {name: shop}
---
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: carts.shop.example}
spec:
  group: shop.example
  scope: Namespaced
  names: {plural: carts, singular: cart, kind: Cart}
  versions:
    - name: v1
      served: true
      storage: true
      schema: {openAPIV3Schema: {type: object, properties: {spec: {type: object, properties: {items: {type: integer}}}}}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop}
spec:
  selector: {matchLabels: {app: web}}
  template: {metadata: {labels: {app: web}}, spec: {containers: [{name: web, image: web}]}}
---
apiVersion: v1
kind: Service
metadata: {name: web, namespace: shop}
spec: {type: NodePort, selector: {app: web}, ports: [{port: 80}]}
"""
CART = "apiVersion: shop.example/v1\nkind: Cart\nmetadata: {name: one, namespace: shop}\nspec: {items: 3}\n"


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    with several_servers(tmp_path_factory.mktemp("two"), "sqlite") as running:
        yield running


def command(servers: Servers, *words: str) -> list[str]:
    return [str(program("kubectl", 37)), "--kubeconfig", str(servers.layout.admin_kubeconfig), *words]


def kubectl(servers: Servers, *words: str, given: str = "") -> str:
    done = subprocess.run(
        command(servers, *words), input=given, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, f"{words}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def write_map(servers: Servers, n: int) -> None:
    given = f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: one, namespace: shop}}\ndata: {{count: '{n}'}}\n"
    kubectl(servers, "apply", "-f", "-", given=given)


def test_apply_watch_and_delete(servers: Servers) -> None:
    """Each kubectl is a connection of its own, dealt to any of the two."""
    assert kubectl(servers, "apply", "-f", "-", given=MANIFEST).count("created") == 4
    kubectl(servers, "wait", "--for=condition=Established", "crd/carts.shop.example", "--timeout=50s")
    write_map(servers, 0)
    follow = ("-n", "shop", "get", "configmap", "-w", "--no-headers", "-o", "custom-columns=N:.data.count")
    watching = subprocess.Popen(command(servers, *follow), stdout=subprocess.PIPE, text=True)
    assert watching.stdout is not None
    try:
        assert watching.stdout.readline() == "0\n"
        for n in range(1, 6):
            write_map(servers, n)
            assert watching.stdout.readline() == f"{n}\n"
    finally:
        watching.kill()
        watching.wait()
    assert kubectl(servers, "apply", "-f", "-", given=MANIFEST).count("unchanged") == 4
    kubectl(servers, "apply", "-f", "-", given=CART)
    for _ in range(4):
        assert kubectl(servers, "-n", "shop", "get", "carts.shop.example/one", "-o", "jsonpath={.spec.items}") == "3"
        kubectl(servers, "-n", "shop", "scale", "deployment/web", "--replicas=2")
        assert kubectl(servers, "-n", "shop", "get", "deployment/web", "-o", "jsonpath={.spec.replicas}") == "2"
        kubectl(servers, "-n", "shop", "scale", "deployment/web", "--replicas=1")
    kubectl(servers, "-n", "shop", "delete", "service/web", "deployment/web", "cart/one")
    left = orjson.loads(kubectl(servers, "-n", "shop", "get", "services,deployments,carts", "-o", "json"))
    assert left["items"] == []


def test_no_address_and_no_port_is_given_twice(servers: Servers) -> None:
    def service(name: str, **port: int) -> dict:
        spec = {"type": "NodePort", "ports": [{"port": 80, **port}]}
        return {"metadata": {"name": name, "namespace": "default"}, "spec": spec}

    async def scenario() -> None:
        clients = [servers.client() for _ in range(8)]
        made = await asyncio.gather(
            *(clients[n % 8].create(SERVICES, service(f"s-{n}"), namespace="default") for n in range(80))
        )
        assert len({each["spec"]["clusterIP"] for each in made}) == 80
        assert len({each["spec"]["ports"][0]["nodePort"] for each in made}) == 80
        free = free_node_port((await clients[0].list(SERVICES)).objects())
        wanted = (
            each.create(SERVICES, service(f"w-{n}", nodePort=free), namespace="default")
            for n, each in enumerate(clients)
        )
        outcomes = await asyncio.gather(*wanted, return_exceptions=True)
        refused = [each for each in outcomes if isinstance(each, ApiError)]
        assert len(refused) == 7 and all("already allocated" in each.message for each in refused), outcomes
        for each in clients:
            await each.close()

    asyncio.run(scenario())


def free_node_port(services: list[dict]) -> int:
    taken = {port.get("nodePort") for each in services for port in each["spec"].get("ports") or ()}
    return next(port for port in range(30000, 32768) if port not in taken)


def test_verbs_know_every_process(servers: Servers) -> None:
    rows = [line.split()[:2] for line in servers.command("status").splitlines()[1:]]
    assert rows == [["store", "ready"], ["apiserver", "ready"], ["apiserver-2", "ready"]]
    for name in ("store", "apiserver", "apiserver-2"):
        assert servers.layout.log(name).stat().st_size
    with pytest.raises(AssertionError, match="apiserver-3 does not run; stop it first"):
        servers.command("up", "--apiservers", "3")
    with pytest.raises(AssertionError, match="apiserver-2 runs, store runs; stop it first"):
        servers.command("up", "--apiservers", "1")
    assert "ready after" in servers.command("up")
    answers = {kubectl(servers, "get", "--raw", "/readyz") for _ in range(6)}
    assert answers == {"ok"}
