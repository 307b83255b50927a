"""Bare requests to a running API server: JSON in and out, and watches as they come."""

from __future__ import annotations

import base64
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import orjson
import urllib3
import yaml

Object = dict[str, Any]
PATIENCE_S = 60.0


class Caller:
    """The administrator of a kubeconfig; `space` is the path of the test's namespace. home: for files of keys."""

    def __init__(self, kubeconfig: Path, space: str, home: Path) -> None:
        config = yaml.safe_load(kubeconfig.read_text())
        cluster, user = config["clusters"][0]["cluster"], config["users"][0]["user"]
        ca = _file(home, "ca.crt", cluster["certificate-authority-data"])
        certificate = _file(home, "client.crt", user["client-certificate-data"])
        self.url = cluster["server"]
        self.pool = urllib3.PoolManager(
            ca_certs=ca, cert_file=certificate, key_file=_file(home, "client.key", user["client-key-data"])
        )
        # Without a certificate of its own, for those who have a token.
        self.bare = urllib3.PoolManager(ca_certs=ca)
        self.namespace = space
        self.space = f"/api/v1/namespaces/{space}"

    def of(self, group_version: str, resource: str) -> str:
        return f"/apis/{group_version}/namespaces/{self.namespace}/{resource}"

    def send(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        token: str = "",
        content: str = "",
        accept: str = "",
        **query: str,
    ) -> urllib3.BaseHTTPResponse:
        patch = "application/apply-patch+yaml" if query.get("fieldManager") else "application/merge-patch+json"
        headers = {"content-type": content or (patch if method == "PATCH" else "application/json")}
        headers["accept"] = accept or "application/json"
        if token:
            headers["authorization"] = f"Bearer {token}"
        data = body if isinstance(body, bytes) else b"" if body is None else orjson.dumps(body)
        url = f"{self.url}{path}" + ("?" + "&".join(f"{k}={_quoted(v)}" for k, v in query.items()) if query else "")
        return (self.bare if token else self.pool).request(method, url, body=data, headers=headers, retries=False)

    def call(self, method: str, path: str, body: Any = None, **options: str) -> tuple[int, Object]:
        """Status and object; a text becomes the message of an object with its code."""
        answer = self.send(method, path, body, **options)
        if answer.headers.get("content-type", "").startswith("text/"):
            return answer.status, {"code": answer.status, "message": answer.data.decode()}
        return answer.status, orjson.loads(answer.data)

    def ok(self, method: str, path: str, body: Any = None, **options: str) -> Object:
        status, obj = self.call(method, path, body, **options)
        assert status in (200, 201, 202), obj
        return obj

    def names(self, path: str, **query: str) -> list[str]:
        return [each["metadata"]["name"] for each in self.ok("GET", path, **query)["items"]]

    def until(self, path: str, holds: Callable[[Object], bool]) -> Object:
        """The object, or Status, once `holds` of it is true."""
        deadline = time.monotonic() + PATIENCE_S
        while True:
            _, seen = self.call("GET", path)
            if holds(seen):
                return seen
            assert time.monotonic() < deadline, f"{path}: {seen}"
            time.sleep(0.05)

    def gone(self, path: str) -> None:
        self.until(path, lambda obj: obj.get("code") == 404)

    def watch(self, path: str, **query: str) -> Iterator[tuple[str, Object]]:
        """(type, object) of each event from now on, until the server ends the watch after a minute."""
        query = {"watch": "1", "timeoutSeconds": "60", **query}
        url = f"{self.url}{path}?" + "&".join(f"{k}={_quoted(v)}" for k, v in query.items())
        answer = self.pool.request("GET", url, preload_content=False, retries=False)
        assert answer.status == 200, answer.data
        return self._events(answer)

    def _events(self, answer: urllib3.BaseHTTPResponse) -> Iterator[tuple[str, Object]]:
        rest = b""
        try:
            for chunk in answer.stream(amt=None):
                *lines, rest = (rest + chunk).split(b"\n")
                for line in lines:
                    event = orjson.loads(line)
                    yield event["type"], event["object"]
        finally:
            answer.close()


def _file(folder: Path, name: str, data: str) -> str:
    (folder / name).write_bytes(base64.b64decode(data))
    return str(folder / name)


def _quoted(value: str) -> str:
    return quote(value, safe="")


def config_map(name: str, **labels: str) -> Object:
    return {"metadata": {"name": name, "labels": labels}, "data": {"a": "1"}}


def pod(name: str, **spec: Any) -> Object:
    """A pod that no node runs."""
    containers = [{"name": "c", "image": "example/x:1", "resources": spec.pop("resources", {})}]
    return {"metadata": {"name": name}, "spec": {"containers": containers, **spec}}


def controller(name: str, replicas: int) -> Object:
    """A replication controller."""
    template = {
        "metadata": {"labels": {"rc": name}},
        "spec": {"containers": [{"name": "c", "image": "example/x:1"}]},
    }
    return {"metadata": {"name": name}, "spec": {"replicas": replicas, "selector": {"rc": name}, "template": template}}


def deployment(name: str, replicas: int) -> Object:
    spec = controller(name, replicas)["spec"]
    return {"metadata": {"name": name}, "spec": {**spec, "selector": {"matchLabels": spec["selector"]}}}
