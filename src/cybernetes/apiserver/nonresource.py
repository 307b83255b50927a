"""Paths that are no resources: health, version, metrics, discovery and schemas, the list of all of them."""

from __future__ import annotations

import platform
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import cybernetes
from cybernetes.apiserver import metrics, respond
from cybernetes.apiserver.chain import Passage
from cybernetes.apiserver.core import Core
from cybernetes.apiserver.flowcontrol import dumps
from cybernetes.apiserver.routing import nothing_there
from cybernetes.base.errors import ApiError
from cybernetes.wire.http import health
from cybernetes.wire.http.message import Response

# The version of Kubernetes whose API is served: clients decide by it what they may ask for.
KUBERNETES_MAJOR, KUBERNETES_MINOR, KUBERNETES_PATCH = "1", "37", "0"

Documents = Callable[[Core, Passage], Awaitable[Response | None]]


def version() -> dict[str, Any]:
    machine = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
    git_version = f"v{KUBERNETES_MAJOR}.{KUBERNETES_MINOR}.{KUBERNETES_PATCH}"
    return {
        "major": KUBERNETES_MAJOR,
        "minor": KUBERNETES_MINOR,
        "emulationMajor": KUBERNETES_MAJOR,
        "emulationMinor": KUBERNETES_MINOR,
        "minCompatibilityMajor": KUBERNETES_MAJOR,
        "minCompatibilityMinor": str(int(KUBERNETES_MINOR) - 1),
        "gitVersion": f"{git_version}+cybernetes-{cybernetes.__version__}",
        "gitCommit": "",
        "gitTreeState": "clean",
        "buildDate": "1970-01-01T00:00:00Z",
        "goVersion": f"python{platform.python_version()}",
        "compiler": "cpython",
        "platform": f"linux/{machine}",
    }


def build_info() -> dict[str, str]:
    """The version as labels of a metric."""
    names = {"gitVersion": "git_version", "gitCommit": "git_commit", "goVersion": "go_version"}
    wanted = ("major", "minor", "gitVersion", "gitCommit", "goVersion", "compiler", "platform")
    found = version()
    return {names.get(each, each): str(found[each]) for each in wanted}


class NonResource:
    """checks: of `livez`, `healthz` and `readyz`. documents: discovery and OpenAPI, for all that is not answered here."""

    def __init__(self, checks: Mapping[str, health.Checks], documents: Documents | None = None) -> None:
        self._health = health.Health(checks)
        self._documents = documents

    async def answer(self, core: Core, passage: Passage) -> Response:
        request = passage.request
        top = request.path.split("/")[1]
        if request.method not in ("GET", "HEAD"):
            if top in ("api", "apis"):
                raise ApiError(
                    405, "MethodNotAllowed", "the server does not allow this method on the requested resource", {}
                )
            return respond.text(404, "404 page not found\n")
        healthy = self._health.answer(request)
        if healthy is not None:
            return healthy
        if request.path in ("/version", "/version/"):
            return respond.json(version())
        if request.path == "/metrics":
            return Response(200, [("Content-Type", metrics.CONTENT_TYPE)], await metrics.render(core.metrics))
        if request.path == "/metrics/slis":
            return self._health.slis()
        if request.path.startswith(dumps.PATH):
            dump = dumps.answer(core.fairness, request, core.clock.now(), core.clock.monotonic())
            if dump is not None:
                return respond.text(200, dump)
        about_tokens = core.token_documents(request)
        if about_tokens is not None:
            return about_tokens
        if request.path == "/":
            return respond.json({"paths": paths(core)})
        if core.aggregated is not None and top in ("apis", "openapi"):
            remote: Response | None = await core.aggregated(core, passage)
            if remote is not None:
                return remote
        found = await self._documents(core, passage) if self._documents is not None else None
        if found is not None:
            return found
        if top == "apis" and passage.request.path.count("/") == 2 and _known_group(core, request.path):
            raise nothing_there()
        return respond.text(404, "404 page not found\n")


def _known_group(core: Core, path: str) -> bool:
    group = path.split("/")[2]
    return any(each.resource.group == group for each in core.registry)


def paths(core: Core) -> list[str]:
    found = {
        "/.well-known/openid-configuration",
        "/api",
        "/apis",
        *(f"{dumps.PATH}{name}" for name in ("dump_priority_levels", "dump_queues", "dump_requests")),
        "/healthz",
        "/livez",
        "/metrics",
        "/metrics/slis",
        "/openapi/v2",
        "/openapi/v3",
        "/openid/v1/jwks",
        "/readyz",
        "/version",
    }
    for each in core.registry:
        found.add(each.resource.path)
        if each.resource.group:
            found.add(f"/apis/{each.resource.group}")
    return sorted(found)
