"""Answers requests for metrics.k8s.io/v1beta1."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from cybernetes.apiserver import respond
from cybernetes.apiserver.core import Core, Object
from cybernetes.apiserver.resourcemetrics.collect import Collector
from cybernetes.apiserver.resourcemetrics.samples import NodeUsage, node_metrics, pod_metrics
from cybernetes.base.errors import ApiError, not_found
from cybernetes.model import selector
from cybernetes.wire.http.message import Request, Response

GROUP, VERSION = "metrics.k8s.io", "v1beta1"
_ROOT = ["", "apis", GROUP, VERSION]


class ResourceMetrics:
    def __init__(self, core: Core) -> None:
        self._core = core
        self._collector = Collector(core)

    async def answer(self, request: Request) -> Response:
        try:
            return await self._answer(request, request.path.rstrip("/").split("/")[len(_ROOT) :])
        except ApiError as refusal:
            return respond.failure(request, refusal)

    async def _answer(self, request: Request, rest: list[str]) -> Response:
        if not rest:
            return respond.json(_resources())
        if request.method != "GET" or "watch" in request.query:
            raise ApiError(
                405, "MethodNotAllowed", "the server does not allow this method on the requested resource", {}
            )
        lister = self._core.lister
        match rest:
            case ["nodes"]:
                nodes = filter(_selected(request), lister.list("", "nodes"))
                return respond.json(_list("NodeMetricsList", await self._nodes(nodes)))
            case ["nodes", name]:
                return respond.json(
                    _only(await self._nodes(_found(lister.get("", "nodes", "", name))), "nodemetrics", name)
                )
            case ["pods"]:
                pods = filter(_selected(request), lister.list("", "pods"))
                return respond.json(_list("PodMetricsList", await self._pods(pods)))
            case ["namespaces", namespace, "pods"]:
                pods = filter(_selected(request), lister.list("", "pods", namespace))
                return respond.json(_list("PodMetricsList", await self._pods(pods)))
            case ["namespaces", namespace, "pods", name]:
                found = await self._pods(_found(lister.get("", "pods", namespace, name)))
                return respond.json(_only(found, "podmetrics", f"{namespace}/{name}"))
        raise ApiError(404, "NotFound", "the server could not find the requested resource", {})

    async def _nodes(self, nodes: Iterable[Object]) -> list[Object]:
        named = {each["metadata"]["name"]: each for each in nodes}
        used = await self._collector.usage(named.values())
        return [node_metrics(usage, _labels(named[name])) for name, usage in sorted(used.items())]

    async def _pods(self, pods: Iterable[Object]) -> list[Object]:
        """Only the nodes of those pods are asked."""
        placed = {_place(each["metadata"]): each for each in pods if each["spec"].get("nodeName")}
        names = sorted({each["spec"]["nodeName"] for each in placed.values()})
        nodes = [node for name in names for node in _found(self._core.lister.get("", "nodes", "", name))]
        used = await self._collector.usage(nodes)
        return sorted(_metrics_of(placed, used.values()), key=lambda each: _place(each["metadata"]))


def _found(obj: Object | None) -> list[Object]:
    return [] if obj is None else [obj]


def _metrics_of(pods: dict[tuple[str, str], Object], used: Iterable[NodeUsage]) -> Iterator[Object]:
    for node in used:
        for each in node.pods:
            pod = pods.get((each.namespace, each.name))
            if pod is not None and pod["spec"]["nodeName"] == node.name:
                yield pod_metrics(node, each, _labels(pod))


def _place(metadata: Object) -> tuple[str, str]:
    return metadata["namespace"], metadata["name"]


def _labels(obj: Object) -> dict[str, str]:
    return obj["metadata"].get("labels") or {}


def _selected(request: Request) -> Any:
    """Whether an object's labels and name fit the selectors. Raises ApiError for those that can't be read."""
    by_labels = selector.matcher(selector.parse_labels(request.param("labelSelector")))
    by_fields = selector.parse_fields(request.param("fieldSelector"))

    def fits(obj: Object) -> bool:
        metadata = obj["metadata"]
        fields = {"metadata.name": metadata["name"], "metadata.namespace": metadata.get("namespace", "")}
        return by_labels(_labels(obj)) and selector.fields_match(by_fields, lambda name: fields.get(name, ""))

    return fits


def _only(found: list[Object], resource: str, name: str) -> Object:
    """Raises ApiError NotFound with the words of metrics-server."""
    if not found:
        raise not_found(GROUP, resource, name)
    return found[0]


def _list(kind: str, items: list[Object]) -> Object:
    return {"kind": kind, "apiVersion": f"{GROUP}/{VERSION}", "metadata": {}, "items": items}


def _resources() -> Object:
    rows = (("nodes", "NodeMetrics", False), ("pods", "PodMetrics", True))
    return {
        "kind": "APIResourceList",
        "apiVersion": "v1",
        "groupVersion": f"{GROUP}/{VERSION}",
        "resources": [
            {"name": name, "singularName": "", "namespaced": namespaced, "kind": kind, "verbs": ["get", "list"]}
            for name, kind, namespaced in rows
        ],
    }
