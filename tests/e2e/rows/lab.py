"""What a test of this folder has: a namespace of its own in a running cluster, and short words for what tests do."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import Any

import orjson
from tests.e2e.cluster.running import CYBERNETES
from tests.e2e.rows.image import WEB

from cybernetes.base.errors import ApiError
from cybernetes.client.answer import whole_body
from cybernetes.client.api import ApiClient, PatchType
from cybernetes.client.target import CONFIG_MAPS, NAMESPACES, NODES, PODS, SERVICE_ACCOUNTS, Target

Object = dict[str, Any]
PATIENCE_S = 60.0
_LOOK_S = 0.15


class Lab:
    """`namespace` is new and empty; what cluster-wide objects a test makes it names with `unique`."""

    def __init__(self, client: ApiClient, folder: Path, namespace: str) -> None:
        self.client = client
        self.folder = folder
        self.namespace = namespace

    def unique(self, name: str) -> str:
        return f"{name}-{self.namespace}"

    async def make(self, target: Target, obj: Object) -> Object:
        return await self.client.create(target, obj, namespace=self.namespace)

    async def get(self, target: Target, name: str, subresource: str = "") -> Object:
        return await self.client.get(target, name, namespace=self.namespace, subresource=subresource)

    async def exists(self, target: Target, name: str) -> bool:
        try:
            await self.get(target, name)
        except ApiError as error:
            if error.code != 404:
                raise
            return False
        return True

    async def list(self, target: Target, selector: str = "", *, everywhere: bool = False) -> list[Object]:
        namespace = "" if everywhere else self.namespace
        return (await self.client.list(target, namespace=namespace, label_selector=selector)).objects()

    async def patch(
        self, target: Target, name: str, patch: Any, how: PatchType = PatchType.MERGE, subresource: str = ""
    ) -> Object:
        return await self.client.patch(target, name, patch, how, namespace=self.namespace, subresource=subresource)

    async def edit(
        self, target: Target, name: str, change: Callable[[Object], object], subresource: str = ""
    ) -> Object:
        """Read, change, write; again when somebody was faster."""
        while True:
            live = await self.get(target, name, subresource)
            change(live)
            try:
                return await self.client.update(target, live, subresource=subresource)
            except ApiError as error:
                if error.code != 409:
                    raise

    async def delete(self, target: Target, name: str, *, grace_s: int | None = None, propagation: str = "") -> Object:
        return await self.client.delete(
            target, name, namespace=self.namespace, grace_s=grace_s, propagation=propagation
        )

    async def delete_all(self, target: Target, selector: str) -> None:
        await self.client.delete_collection(target, namespace=self.namespace, label_selector=selector)

    async def until(self, holds: Callable[[], Awaitable[Any]], what: str, seconds: float = PATIENCE_S) -> Any:
        """What `holds` returned when it was true."""
        seen: Any = None
        try:
            async with asyncio.timeout(seconds):
                while not (seen := await holds()):  # noqa: ASYNC110 -- the server is asked, as any client would
                    await asyncio.sleep(_LOOK_S)
        except TimeoutError as late:
            raise AssertionError(f"not within {seconds:g} s: {what}; last {seen!r}") from late
        return seen

    async def until_object(
        self, target: Target, name: str, holds: Callable[[Object], Any], what: str, seconds: float = PATIENCE_S
    ) -> Object:
        last: Object = {}

        async def look() -> bool:
            nonlocal last
            last = await self.get(target, name)
            return bool(holds(last))

        try:
            await self.until(look, what, seconds)
        except AssertionError as late:
            raise AssertionError(f"{late}: {orjson.dumps(last.get('status')).decode()}") from late
        return last

    async def until_gone(self, target: Target, name: str, seconds: float = PATIENCE_S) -> None:
        async def gone() -> bool:
            return not await self.exists(target, name)

        await self.until(gone, f"{target.plural} {name} is gone", seconds)

    async def pods(self, selector: str = "") -> list[Object]:
        """Those that nobody is deleting."""
        return [pod for pod in await self.list(PODS, selector) if "deletionTimestamp" not in pod["metadata"]]

    async def until_ready(self, selector: str, count: int, seconds: float = PATIENCE_S) -> list[Object]:
        async def ready() -> list[Object] | None:
            found = await self.pods(selector)
            return found if len(found) == count and all(is_ready(each) for each in found) else None

        found: list[Object] = await self.until(ready, f"{count} ready pods of {selector}", seconds)
        return found

    async def run_pod(self, name: str, **how: Any) -> Object:
        """A pod that runs and is ready."""
        await self.make(PODS, pod(name, **how))
        return await self.until_object(PODS, name, is_ready, f"{name} is ready")

    async def run(self, pod_name: str, *command: str, check: bool = True) -> str:
        """Standard output of a command in a pod."""
        return await self.kubectl("-n", self.namespace, "exec", pod_name, "--", *command, check=check)

    async def kubectl(self, *arguments: str, check: bool = True) -> str:
        return await self.command(str(CYBERNETES), "kubectl", *arguments, check=check)

    async def on_node(self, node: str, *command: str, check: bool = True) -> str:
        """Standard output of a command in the network of a node."""
        return await self.command("nsenter", f"--net=/run/netns/cyb-{node}", *command, check=check)

    async def command(self, *command: str, check: bool = True) -> str:
        """Standard output of a program in the network of the cluster."""
        environment = {**os.environ, "CYBERNETES_DATA_DIR": str(self.folder), "HOME": str(self.folder)}
        pipe = asyncio.subprocess.PIPE
        process = await asyncio.create_subprocess_exec(*command, stdout=pipe, stderr=pipe, env=environment)
        out, err = await asyncio.wait_for(process.communicate(), PATIENCE_S)
        assert not check or process.returncode == 0, f"{command}\n{out.decode()}\n{err.decode()}"
        return out.decode()

    async def raw(
        self, path: str, method: str = "GET", body: bytes = b"", query: Mapping[str, str] | None = None
    ) -> str:
        """A path below /api/v1/namespaces/NAMESPACE/ of the API server, proxied ones among them."""
        values = {name: [value] for name, value in (query or {}).items()}
        whole = path if path.startswith("/") else f"/api/v1/namespaces/{self.namespace}/{path}"
        answer = await self.client.raw(method, whole, body=body, query=values)
        return (await whole_body(answer)).decode()

    async def dial(
        self, pod_name: str, host: str, port: int, request: str = "hostname", *, protocol: str = "http", tries: int = 1
    ) -> list[str]:
        """What `web.py` in a pod hears from a server; an empty list when it hears nothing."""
        query = {"protocol": protocol, "host": host, "port": str(port), "request": request, "tries": str(tries)}
        answer: dict[str, list[str]] = orjson.loads(await self.raw(f"pods/{pod_name}:80/proxy/dial", query=query))
        return answer["responses"]

    async def events(self, reason: str) -> list[Object]:
        found = orjson.loads(await self.raw("events"))["items"]
        return [each for each in found if each["reason"] == reason]

    async def nodes(self) -> list[Object]:
        return (await self.client.list(NODES)).objects()

    @asynccontextmanager
    async def watching(self, target: Target, selector: str = "", version: str = "") -> AsyncIterator[Watching]:
        version = version or (await self.client.list(target, namespace=self.namespace)).resource_version
        watching = Watching()
        task = asyncio.create_task(watching.follow(self, target, selector, version), name="watch")
        try:
            yield watching
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


class Watching:
    """Events of one watch, in their order. added: names of all that appeared."""

    def __init__(self) -> None:
        self.added: set[str] = set()
        self._events: asyncio.Queue[tuple[str, Object]] = asyncio.Queue()

    async def follow(self, lab: Lab, target: Target, selector: str, version: str) -> None:
        stream = lab.client.watch(target, resource_version=version, namespace=lab.namespace, label_selector=selector)
        async with aclosing(stream) as events:
            async for event in events:
                if event.type != "BOOKMARK":
                    obj = orjson.loads(event.object)
                    self._events.put_nowait((event.type, obj))
                    if event.type == "ADDED":
                        self.added.add(name_of(obj))

    async def until(
        self, kind: str, holds: Callable[[Object], Any] = lambda _: True, seconds: float = PATIENCE_S
    ) -> Object:
        """The next event of that kind that fits; those before it are forgotten."""
        seen: list[str] = []
        try:
            async with asyncio.timeout(seconds):
                while True:
                    found, obj = await self._events.get()
                    if found == kind and holds(obj):
                        return obj
                    seen.append(f"{found} {obj['metadata']['name']} {obj.get('status')}")
        except TimeoutError as late:
            raise AssertionError(f"no {kind} event that fits within {seconds:g} s; seen {seen}") from late


@asynccontextmanager
async def new_lab(client: ApiClient, folder: Path, name: str) -> AsyncIterator[Lab]:
    """A namespace for one test; it is deleted with all that is in it."""
    made = await client.create(NAMESPACES, {"metadata": {"generateName": f"{name}-"}})
    lab = Lab(client, folder, made["metadata"]["name"])
    try:
        await lab.until(lambda: lab.exists(SERVICE_ACCOUNTS, "default"), "the namespace has its account")
        await lab.until(lambda: lab.exists(CONFIG_MAPS, "kube-root-ca.crt"), "the namespace has its authority")
        yield lab
    finally:
        await client.delete(NAMESPACES, lab.namespace)


def pod(name: str, **how: Any) -> Object:
    how = dict(how)
    labels = how.pop("labels", {"app": name})
    return {"metadata": {"name": name, "labels": labels}, "spec": pod_spec(**how)}


def pod_spec(
    *command: str, grace_s: int = 0, ports: tuple[Object, ...] = (), env: tuple[Object, ...] = (), **more: Any
) -> Object:
    """A pod of one container: `web.py` on port 80, unless `command` says what else. A server is ready when it listens."""
    told = command or more.pop("command", ()) or serving("http=80")
    container: Object = {"name": "web", "image": WEB, "imagePullPolicy": "IfNotPresent", "command": list(told)}
    container |= {"readinessProbe": listens(int(http))} if (http := _http_port(told)) else {}
    container |= {"ports": list(ports)} if ports else {}
    container |= {"env": list(env)} if env else {}
    container |= more.pop("container", {})
    return {"containers": [container], "terminationGracePeriodSeconds": grace_s, **more}


# A program that asks ADDRESS PORT for its host name.
ASK_UDP = """
import socket, sys
client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
client.settimeout(5)
client.sendto(b"hostname", (sys.argv[1], int(sys.argv[2])))
print(client.recv(100).decode())
"""
SLEEP = ("sleep", "100000")
_SERVE = ("/usr/bin/python3", "/web.py")


def serving(*servers: str) -> tuple[str, ...]:
    """The command of a pod that serves: serving("http=80", "udp=8081")."""
    return (*_SERVE, *servers)


def listens(port: int) -> Object:
    """A readiness probe."""
    return {"tcpSocket": {"port": port}, "periodSeconds": 1}


def _http_port(command: tuple[str, ...]) -> str:
    if command[:2] != _SERVE:
        return ""
    return next((each.partition("=")[2] for each in command if each.startswith("http=")), "")


def is_ready(obj: Object) -> bool:
    return condition(obj, "Ready").get("status") == "True"


def condition(obj: Object, kind: str) -> Object:
    conditions = (obj.get("status") or {}).get("conditions") or []
    return next((each for each in conditions if each["type"] == kind), {})


def name_of(obj: Object) -> str:
    return str(obj["metadata"]["name"])


def names_of(objects: list[Object]) -> list[str]:
    return sorted(name_of(each) for each in objects)
