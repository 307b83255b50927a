"""What a path, a method and a query ask for."""

from __future__ import annotations

import pytest

from cybernetes.apiserver.request import parse
from cybernetes.wire.http.message import Request


@pytest.mark.parametrize(
    ("method", "path", "query", "expected"),
    [
        ("GET", "/api/v1/pods", {}, ("list", "", "v1", "pods", "", "", "")),
        ("GET", "/api/v1/namespaces/shop/pods", {}, ("list", "", "v1", "pods", "shop", "", "")),
        ("GET", "/api/v1/namespaces/shop/pods/web", {}, ("get", "", "v1", "pods", "shop", "web", "")),
        ("POST", "/api/v1/namespaces/shop/pods", {}, ("create", "", "v1", "pods", "shop", "", "")),
        ("DELETE", "/api/v1/namespaces/shop/pods", {}, ("deletecollection", "", "v1", "pods", "shop", "", "")),
        ("PUT", "/api/v1/namespaces/shop/pods/web/status", {}, ("update", "", "v1", "pods", "shop", "web", "status")),
        ("GET", "/api/v1/namespaces", {}, ("list", "", "v1", "namespaces", "", "", "")),
        ("GET", "/api/v1/namespaces/shop", {}, ("get", "", "v1", "namespaces", "shop", "shop", "")),
        ("PUT", "/api/v1/namespaces/shop/finalize", {}, ("update", "", "v1", "namespaces", "shop", "shop", "finalize")),
        ("GET", "/apis/apps/v1/deployments", {"watch": ["true"]}, ("watch", "apps", "v1", "deployments", "", "", "")),
        ("GET", "/apis/apps/v1/deployments", {"watch": ["0"]}, ("list", "apps", "v1", "deployments", "", "", "")),
        ("GET", "/api/v1/watch/namespaces/shop/pods", {}, ("watch", "", "v1", "pods", "shop", "", "")),
        ("GET", "/api/v1/watch/namespaces/shop/pods/web", {}, ("watch", "", "v1", "pods", "shop", "web", "")),
        ("POST", "/api/v1/watch/namespaces/shop/pods", {}, ("watch", "", "v1", "pods", "shop", "", "")),
        (
            "GET",
            "/api/v1/pods",
            {"fieldSelector": ["metadata.name=web"]},
            ("list", "", "v1", "pods", "", "web", ""),
        ),
    ],
)
def test_reads_resource_requests(
    method: str, path: str, query: dict[str, list[str]], expected: tuple[str, ...]
) -> None:
    info = parse(Request(method, path, query))
    assert info.is_resource
    found = (info.verb, info.group, info.version, info.resource, info.namespace, info.name, info.subresource)
    assert found == expected


@pytest.mark.parametrize("path", ["/", "/healthz", "/api", "/api/v1", "/apis/apps", "/apis/apps/v1", "/version"])
def test_other_paths_are_no_resources(path: str) -> None:
    info = parse(Request("GET", path))
    assert not info.is_resource
    assert info.verb == "get"


def test_a_proxy_keeps_the_rest_of_the_path_as_it_was() -> None:
    info = parse(Request("GET", "/api/v1/namespaces/shop/services/http:web:80/proxy/a//b/"))
    assert (info.name, info.subresource, info.rest) == ("http:web:80", "proxy", "/a//b/")


@pytest.mark.parametrize(
    ("values", "meant"),
    [(None, False), ([], False), (["false"], False), (["False"], False), (["0"], False),
     ([""], True), (["1"], True), (["True"], True), (["true", "false"], True), (["no"], True)],
)  # fmt: skip
def test_flags_are_off_by_two_words_only(values: list[str] | None, meant: bool) -> None:
    query = {} if values is None else {"follow": values}
    assert Request("GET", "/", query, {}, b"").flag("follow") is meant
