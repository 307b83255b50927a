"""The quick record of a new object's fields equals the general one."""

from __future__ import annotations

import copy
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from cybernetes.model import apply, ownership
from cybernetes.model.schema import compile as schema_compile
from cybernetes.model.schema import decode, reader

PODS = schema_compile.node("io.k8s.api.core.v1.Pod")
SERVICES = schema_compile.node("io.k8s.api.core.v1.Service")
WRITING = apply.Writing(manager="m", api_version="v1", now="2026-01-01T00:00:00Z", reset_fields=(("status",),))

names = st.text("abc", min_size=1, max_size=3)
labels = st.dictionaries(names, names, max_size=3)
containers = st.lists(
    st.fixed_dictionaries(
        {"name": names},
        optional={
            "image": names,
            "command": st.lists(names, max_size=2),
            "env": st.lists(
                st.fixed_dictionaries({"name": names, "value": names}), max_size=2, unique_by=lambda e: e["name"]
            ),
            "ports": st.lists(
                st.fixed_dictionaries({"containerPort": st.integers(1, 9), "protocol": st.just("TCP")}),
                max_size=2,
                unique_by=lambda p: p["containerPort"],
            ),
            "resources": st.fixed_dictionaries(
                {}, optional={"limits": st.dictionaries(names, st.just("1"), max_size=2)}
            ),
            "securityContext": st.fixed_dictionaries({}, optional={"privileged": st.booleans()}),
        },
    ),
    max_size=2,
    unique_by=lambda c: c["name"],
)
metadata = st.fixed_dictionaries(
    {"name": names},
    optional={"labels": labels, "annotations": labels, "finalizers": st.lists(names, max_size=2, unique=True)},
)
pods = st.fixed_dictionaries(
    {"metadata": metadata},
    optional={
        "spec": st.fixed_dictionaries(
            {"containers": containers},
            optional={"nodeSelector": labels, "hostNetwork": st.booleans(), "securityContext": st.just({})},
        ),
        "status": st.fixed_dictionaries({}, optional={"phase": names}),
    },
)
services = st.fixed_dictionaries(
    {"metadata": metadata},
    optional={
        "spec": st.fixed_dictionaries(
            {},
            optional={
                "selector": labels,
                "clusterIPs": st.lists(names, max_size=2),
                "ports": st.lists(
                    st.fixed_dictionaries({"port": st.integers(1, 5), "protocol": st.just("TCP")}),
                    max_size=2,
                    unique_by=lambda p: p["port"],
                ),
            },
        )
    },
)


def _same(node: Any, drawn: dict[str, Any]) -> None:
    obj = reader.converter(node)(drawn)
    general, quick = copy.deepcopy(obj), copy.deepcopy(obj)
    apply.record_update(node, None, general, WRITING)
    ownership.record_creation(node, quick, WRITING)
    assert quick == general


@settings(derandomize=True, max_examples=200, deadline=None)
@given(pods)
def test_of_pods(pod: dict[str, Any]) -> None:
    _same(PODS, pod)


@settings(derandomize=True, max_examples=200, deadline=None)
@given(services)
def test_of_services(service: dict[str, Any]) -> None:
    _same(SERVICES, service)


def test_reads_what_a_body_says() -> None:
    decoded = decode.decode(PODS, b'{"metadata":{"name":"a"},"spec":null}', decode.JSON, kind="Pod", api_version="v1")
    obj = decoded.object
    ownership.record_creation(PODS, obj, WRITING)
    assert "managedFields" not in obj["metadata"]
