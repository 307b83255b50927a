"""Where requests for a Service go, that an API server asks itself."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from cybernetes.apiserver.aggregate.plan import Destination, Unavailable, destination, discovered, document, put

Object = dict[str, Any]
API_SERVICE = {"spec": {"service": {"namespace": "shop", "name": "web", "port": 443}}}


def slice_of(family: str, address: str) -> Object:
    return {"addressType": family, "ports": [{"port": 8443}], "endpoints": [{"addresses": [address]}]}


SLICES = [slice_of("IPv4", "10.244.0.7"), slice_of("IPv6", "fd00:10:244::7")]


@pytest.mark.parametrize(
    ("families", "url"),
    [
        (["IPv4", "IPv6"], "https://10.244.0.7:8443"),
        (["IPv6", "IPv4"], "https://[fd00:10:244::7]:8443"),
        ([], "https://10.244.0.7:8443"),
    ],
)
def test_endpoints_are_asked_by_the_first_family_of_their_service(families: list[str], url: str) -> None:
    service = {"spec": {"ports": [{"port": 443}], "ipFamilies": families}}
    for slices in (SLICES, SLICES[::-1]) if families else (SLICES,):
        found = destination(API_SERVICE, service, slices, b"")
        assert isinstance(found, Destination) and found.url == url


def test_a_service_whose_endpoints_are_of_the_second_family_alone_can_not_be_asked() -> None:
    service = {"spec": {"ports": [{"port": 443}], "ipFamilies": ["IPv4", "IPv6"]}}
    found = destination(API_SERVICE, service, SLICES[1:], b"")
    assert isinstance(found, Unavailable) and found.reason == "MissingEndpoints"


def test_a_condition_takes_the_place_of_the_former_one() -> None:
    old = [{"type": "Available", "status": "False"}, {"type": "Other", "status": "True"}]
    wanted = {"type": "Available", "status": "True"}
    assert put(wanted, old) == [wanted, old[1]]
    assert put(wanted, old[1:]) == [old[1], wanted]


@pytest.mark.parametrize(
    ("told", "found"),
    [
        ({"paths": {"apis/a.b/v1": {"serverRelativeURL": "/openapi/v3/apis/a.b/v1?hash=X"}}}, True),
        ({"paths": {"apis/a.b/v1": {"serverRelativeURL": "/api/v1/secrets"}}}, False),
        ({"paths": {"apis/a.b/v2": {"serverRelativeURL": "/openapi/v3/apis/a.b/v2"}}}, False),
        ({"paths": {"apis/a.b/v1": "x"}}, False),
        ({"paths": []}, False),
        ([], False),
    ],
)
def test_a_server_tells_where_the_schemas_of_its_own_version_are(told: Any, found: bool) -> None:
    assert document(told, "a.b", "v1") == ("/openapi/v3/apis/a.b/v1?hash=X" if found else "")


def test_a_list_of_resources_becomes_rows_with_their_subresources() -> None:
    tab = {"name": "tabs", "singularName": "tab", "namespaced": True, "kind": "Tab", "verbs": ["get"]}
    scale = {"name": "tabs/scale", "group": "autoscaling", "version": "v1", "kind": "Scale", "verbs": None}
    told = {"kind": "APIResourceList", "resources": [{**tab, "shortNames": ["t"]}, scale]}
    [row] = discovered(orjson.dumps(told))
    assert (row["resource"], row["scope"], row["verbs"], row["shortNames"]) == ("tabs", "Namespaced", ["get"], ["t"])
    assert row["responseKind"] == {"group": "", "version": "", "kind": "Tab"}
    of_scale = {"group": "autoscaling", "version": "v1", "kind": "Scale"}
    assert row["subresources"] == [{"subresource": "scale", "responseKind": of_scale, "verbs": []}]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b'{"resources": [{}]}',
        b'{"resources": {"a": 1}}',
        b'{"resources": ["x"]}',
        b'{"resources": [{"name": 5, "kind": "X"}]}',
        b'{"resources": [{"name": "x", "kind": "X", "verbs": "get"}]}',
    ],
)
def test_what_is_no_list_of_resources_has_none(body: bytes) -> None:
    assert discovered(body) == []
