"""Whatever bytes come, a decoder gives a value that can be written again, or refuses in its own words."""

from __future__ import annotations

import base64
import contextlib
import json
from typing import Any

import orjson
from documents import JSON_TEXTS, OBJECTS, PODS, TOKENS, damaged
from hypothesis import given
from hypothesis import strategies as st

from cybernetes.apiserver.handlers.list import _parse_token, _token
from cybernetes.base.errors import ApiError
from cybernetes.model.schema import compile as schema
from cybernetes.model.schema.decode import decode, normalize
from cybernetes.model.schema.default import default
from cybernetes.wire import json as json_codec
from cybernetes.wire import protobuf
from cybernetes.wire import yaml as yaml_codec

POD = schema.node("io.k8s.api.core.v1.Pod")
FORMS = st.sampled_from(["application/json", "application/yaml", "application/vnd.kubernetes.protobuf"])
MESSAGES = PODS.map(
    lambda pod: protobuf.seal("v1", "Pod", protobuf.encode(POD, normalize(POD, orjson.loads(orjson.dumps(pod)))))
)


@given(JSON_TEXTS | st.binary(max_size=40))
def test_json_is_what_the_standard_library_reads_or_is_refused(body: bytes) -> None:
    try:
        value = json_codec.decode(body)
    except json_codec.SyntaxProblem as problem:
        assert str(problem)
        return
    orjson.dumps(value)
    with contextlib.suppress(UnicodeDecodeError):
        text = body.decode()
        if "\\u" not in text:
            assert _same(json.loads(text), value)


def _same(left: Any, right: Any) -> bool:
    return json.dumps(left) == json.dumps(right) or _numbers_apart(left, right)


def _numbers_apart(left: Any, right: Any) -> bool:
    """Integers beyond 64 bits become floats."""
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(_same(left[key], right[key]) for key in left)
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(_same, left, right))
    return isinstance(left, int) and isinstance(right, float) and float(left) == right


@given(JSON_TEXTS)
def test_repeated_fields_are_found_in_any_json(body: bytes) -> None:
    try:
        value = json_codec.decode(body)
    except json_codec.SyntaxProblem:
        return
    found = json_codec.repeated_fields(body, value)
    assert len(found) == len(set(found))


@given(st.lists(TOKENS, max_size=12).map(lambda parts: "".join(parts).encode()) | JSON_TEXTS | st.binary(max_size=40))
def test_yaml_becomes_json_or_is_refused(body: bytes) -> None:
    try:
        value, repeated = yaml_codec.decode(body)
    except json_codec.SyntaxProblem as problem:
        assert str(problem)
        return
    orjson.dumps(value)
    assert all(isinstance(each, str) for each in repeated)


@given(damaged(MESSAGES) | st.binary(max_size=60))
def test_protobuf_is_a_message_or_is_refused(body: bytes) -> None:
    try:
        value = protobuf.decode(POD, protobuf.open_envelope(body).raw)
    except protobuf.ProtobufProblem as problem:
        assert str(problem)
        return
    orjson.dumps(value)


@given(JSON_TEXTS | OBJECTS.map(orjson.dumps) | damaged(PODS.map(orjson.dumps)) | damaged(MESSAGES), FORMS)
def test_bodies_become_objects_that_are_stored_as_they_are_or_a_request_is_bad(body: bytes, form: str) -> None:
    try:
        obj = decode(POD, body, form, kind="Pod", api_version="v1").object
    except ApiError as error:
        assert error.code == 400
        return
    once = orjson.dumps(obj)
    assert orjson.dumps(normalize(POD, orjson.loads(once))) == once
    with contextlib.suppress(KeyError):
        # A pod without a spec has no defaults for one; validation refuses it.
        default(POD, obj)


@given(st.text(max_size=30) | st.binary(max_size=40).map(lambda raw: base64.urlsafe_b64encode(raw).decode()))
def test_tokens_are_those_that_were_given_or_are_refused(text: str) -> None:
    try:
        page = _parse_token(text)
    except ApiError as error:
        assert error.code == 400
        return
    assert page.start


@given(OBJECTS.map(orjson.dumps).map(lambda raw: base64.urlsafe_b64encode(raw).decode()))
def test_tokens_of_any_json_are_refused(text: str) -> None:
    try:
        _parse_token(text)
    except ApiError as error:
        assert error.code == 400


@given(st.integers(1, 2**62), st.from_regex(r"[a-z]{1,5}/[a-z.-]{1,8}", fullmatch=True))
def test_tokens_come_back(revision: int, place: str) -> None:
    page = _parse_token(_token(revision, place + "\0"))
    assert (page.revision, page.start) == (revision, place + "\0")
