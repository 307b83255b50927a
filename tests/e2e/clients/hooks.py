"""A webhook on loopback that refuses and changes what the conformance tests' own webhook does."""

from __future__ import annotations

import base64
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import orjson

from cybernetes.auth import pki
from cybernetes.base.clock import SystemClock
from cybernetes.base.random import SystemRandom

Object = dict[str, Any]
# Within the time that hooks are given by default; and long after any limit, however busy the machine is.
DELAY_S, TOO_LATE_S = 2.0, 60.0
CONFIGURATIONS = "/apis/admissionregistration.k8s.io/v1"


def review(path: str, request: Object) -> Object:
    """The answer to one AdmissionReview request, by the path it was sent to."""
    obj = request.get("object") or {}
    match path:
        case "/always-deny":
            return _refused("this webhook denies all requests")
        case "/always-allow-delay":
            time.sleep(DELAY_S)
            return {"allowed": True}
        case "/always-allow-too-late":
            time.sleep(TOO_LATE_S)
            return {"allowed": True}
        case "/unwanted":
            unwanted = "unwanted" in str(obj.get("data")) + str((obj.get("metadata") or {}).get("name"))
            return _refused("the object contains unwanted value") if unwanted else {"allowed": True}
        case "/attach":
            return _refused("attaching to pod 'to-be-attached-pod' is not allowed")
        case "/mutate":
            return _patched(obj)
        case "/elsewhere":
            return _with_patch([{"op": "replace", "path": "/metadata/namespace", "value": "elsewhere"}])
    return {"allowed": True}


def _refused(why: str) -> Object:
    return {"allowed": False, "status": {"message": why, "reason": why}}


def _patched(obj: Object) -> Object:
    """A first change leads to a second one, so that two hooks in a row are seen to be asked in order."""
    data = obj.get("data")
    if obj.get("kind") == "Pod":
        container = {"name": "webhook-added-init-container", "image": "example/init:1"}
        patch: Any = [{"op": "add", "path": "/spec/initContainers", "value": [container]}]
    elif data and data.get("mutation-start") == "yes" and "mutation-stage-1" not in data:
        patch = [{"op": "add", "path": "/data/mutation-stage-1", "value": "yes"}]
    elif data and data.get("mutation-stage-1") == "yes" and "mutation-stage-2" not in data:
        patch = [{"op": "add", "path": "/data/mutation-stage-2", "value": "yes"}]
    else:
        return {"allowed": True}
    return _with_patch(patch)


def _with_patch(patch: Any) -> Object:
    return {"allowed": True, "patchType": "JSONPatch", "patch": base64.b64encode(orjson.dumps(patch)).decode()}


class Hooks:
    """url, ca: what a configuration needs; asked: paths in the order of requests."""

    def __init__(self, url: str, ca: str) -> None:
        self.url = url
        self.ca = ca

    def hook(self, name: str, path: str, resources: list[str], group: str = "", **more: Any) -> Object:
        rule = {"apiGroups": [group], "apiVersions": ["*"], "operations": ["*"], "resources": resources}
        return {
            "name": f"{name}.hooks.example.com",
            "clientConfig": {"url": f"{self.url}{path}", "caBundle": self.ca},
            "rules": [{**rule, "operations": more.pop("operations", ["CREATE", "UPDATE"])}],
            "admissionReviewVersions": ["v1"],
            "sideEffects": "None",
            "timeoutSeconds": 10,
            **more,
        }


@contextmanager
def serving_hooks(folder: Path) -> Iterator[Hooks]:
    terms = pki.Terms(SystemClock().now(), SystemRandom())
    authority = pki.ca("hooks-ca", terms)
    serving = pki.serving(authority, "hooks", terms, names=("localhost",), addresses=("127.0.0.1",))
    (folder / "hook.crt").write_bytes(serving.certificate)
    (folder / "hook.key").write_bytes(serving.key)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "hook.crt", folder / "hook.key")
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, name="hooks", daemon=True).start()
    try:
        yield Hooks(f"https://127.0.0.1:{server.server_port}", base64.b64encode(authority.certificate).decode())
    finally:
        server.shutdown()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        asked = orjson.loads(self.rfile.read(int(self.headers["content-length"])))
        answer = {**review(self.path.partition("?")[0], asked["request"]), "uid": asked["request"]["uid"]}
        body = orjson.dumps({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": answer})
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Requests are no news."""
