"""The CNI plugin's reader of JSON finds what Python's does."""

import ctypes
import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cybernetes import network

SOURCES = Path(network.__file__).parent / "cni"
# What our own configuration consists of, and all that may stand beside it.
NAMES = st.sampled_from(["name", "ranges", "dataDir", "mtu", "x"])
PLAIN = st.text(
    st.characters(codec="ascii", exclude_characters='\\"', min_codepoint=32, max_codepoint=126), max_size=20
)
VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**31), 2**31) | st.text(max_size=10) | PLAIN,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=12,
)
OBJECTS = st.dictionaries(NAMES, VALUES, max_size=5)
LIMITS = settings(max_examples=100, deadline=None)
Encode = Callable[[Any], bytes]
ENCODERS = st.sampled_from(
    [
        lambda value: json.dumps(value).encode(),
        lambda value: json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode(),
        lambda value: json.dumps(value, indent=2).encode(),
    ]
)


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> ctypes.CDLL:
    library = tmp_path_factory.mktemp("json") / "json.so"
    subprocess.run(["cc", "-shared", "-fPIC", "-o", library, SOURCES / "json.c"], check=True)
    loaded = ctypes.CDLL(str(library))
    for name in ("json_member", "json_first", "json_next"):
        getattr(loaded, name).restype = ctypes.c_void_p
    loaded.json_text.restype = ctypes.c_bool
    loaded.json_number.restype = ctypes.c_long
    return loaded


def rest(at: int) -> Any:
    """The value that begins there, as Python reads it."""
    return json.JSONDecoder().raw_decode(ctypes.string_at(at).decode())[0]


@LIMITS
@given(OBJECTS, NAMES, ENCODERS)
def test_members_are_found(reader: ctypes.CDLL, wanted: dict[str, Any], name: str, encode: Encode) -> None:
    text = ctypes.c_char_p(encode(wanted))
    at = reader.json_member(text, name.encode())
    assert (at is not None) == (name in wanted)
    if at is not None:
        assert rest(at) == wanted[name]


@LIMITS
@given(st.lists(VALUES, max_size=5), ENCODERS)
def test_elements_are_found_one_after_the_other(reader: ctypes.CDLL, wanted: list[Any], encode: Encode) -> None:
    text = ctypes.c_char_p(encode(wanted))
    found = []
    at = reader.json_first(text)
    while at is not None:
        found.append(rest(at))
        at = reader.json_next(ctypes.c_void_p(at))
    assert found == wanted


@LIMITS
@given(PLAIN)
def test_text_is_copied_where_it_fits(reader: ctypes.CDLL, wanted: str) -> None:
    buffer = ctypes.create_string_buffer(12)
    fits = reader.json_text(ctypes.c_char_p(json.dumps(wanted).encode()), buffer, ctypes.c_size_t(len(buffer)))
    assert fits == (len(wanted) < len(buffer))
    if fits:
        assert buffer.value.decode() == wanted


@LIMITS
@given(st.integers(-(2**40), 2**40))
def test_numbers_are_read(reader: ctypes.CDLL, wanted: int) -> None:
    assert reader.json_number(ctypes.c_char_p(str(wanted).encode())) == wanted


@LIMITS
@given(st.binary(max_size=60))
def test_nothing_is_read_behind_the_end(reader: ctypes.CDLL, text: bytes) -> None:
    given_text = text.replace(b"\0", b" ")
    for prefix in (b'{"x": ', b"["):
        # What stands behind would be found.
        start = ctypes.create_string_buffer(prefix + given_text + b'\0,1,{"x":1},1')
        begin, end = ctypes.addressof(start), ctypes.addressof(start) + len(prefix + given_text)
        at = reader.json_member(start, b"x") or reader.json_first(start)
        while at is not None:
            assert begin <= at <= end
            at = reader.json_next(ctypes.c_void_p(at))
