"""Accept headers."""

from __future__ import annotations

import pytest

from cybernetes.wire.negotiate import JSON, METADATA, PROTOBUF, TABLE, YAML, Form, negotiate

SHAPES = frozenset((TABLE, METADATA))
KUBECTL = (
    "application/json;as=Table;v=v1;g=meta.k8s.io,application/json;as=Table;v=v1beta1;g=meta.k8s.io,application/json"
)


@pytest.mark.parametrize(
    ("accept", "protobuf", "form"),
    [
        ("", True, Form(JSON)),
        ("*/*", True, Form(JSON)),
        ("application/yaml", True, Form(YAML)),
        (KUBECTL, True, Form(JSON, TABLE, "v1")),
        ("application/vnd.kubernetes.protobuf,application/json", True, Form(PROTOBUF)),
        ("application/vnd.kubernetes.protobuf,application/json", False, Form(JSON)),
        ("application/vnd.kubernetes.protobuf", False, None),
        ("text/html", True, None),
        ("text/html,application/json;q=0.5,application/yaml;q=0.9", True, Form(YAML)),
        ("application/json;as=Table,application/json", True, Form(JSON)),
        ("application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1", True, Form(JSON, METADATA, "v1")),
        ("application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1", True, None),
    ],
)
def test_the_first_acceptable_form_is_taken(accept: str, protobuf: bool, form: Form | None) -> None:
    assert negotiate(accept, SHAPES, protobuf) == form
