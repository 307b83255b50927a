"""Parameters of requests that are no numbers, or too large ones, are the client's mistake."""

from __future__ import annotations

import pytest

from cybernetes.apiserver.flowcontrol.seats import estimate
from cybernetes.apiserver.options import list_options
from cybernetes.apiserver.request import parse
from cybernetes.base.errors import ApiError
from cybernetes.wire.http.message import Request

PATH = "/api/v1/configmaps"
TOO_LARGE, ENDLESS = str(2**63), "9" * 5000


def asking(**query: str) -> Request:
    return Request("GET", PATH, {name: [value] for name, value in query.items()}, {}, b"")


@pytest.mark.parametrize("name", ["limit", "timeoutSeconds"])
@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("x", "invalid syntax"),
        ("", "invalid syntax"),
        ("\u00b2", "invalid syntax"),
        ("+-5", "invalid syntax"),
        ("1_000", "invalid syntax"),
        (TOO_LARGE, "value out of range"),
        (ENDLESS, "value out of range"),
    ],
)
def test_numbers_of_lists(name: str, text: str, why: str) -> None:
    with pytest.raises(ApiError) as refused:
        list_options(asking(**{name: text}), watch=False)
    assert (refused.value.code, refused.value.message) == (400, f'strconv.ParseInt: parsing "{text}": {why}')


def test_numbers_that_fit() -> None:
    assert list_options(asking(limit=str(2**63 - 1)), watch=False).limit == 2**63 - 1
    assert list_options(asking(limit="-5"), watch=False).limit == 0
    assert list_options(asking(timeoutSeconds="+5"), watch=True).timeout_s == 5


@pytest.mark.parametrize("text", [str(2**64), ENDLESS])
def test_versions_that_are_too_large(text: str) -> None:
    with pytest.raises(ApiError) as refused:
        list_options(asking(resourceVersion=text), watch=False)
    assert refused.value.code == 400
    assert refused.value.message.endswith(f'strconv.ParseUint: parsing "{text}": value out of range')


@pytest.mark.parametrize("text", ["\u00b2", TOO_LARGE, ENDLESS, "x"])
def test_whose_turn_it_is_does_not_hang_on_what_a_limit_says(text: str) -> None:
    request = asking(limit=text)
    assert estimate(request, parse(request), 500, 100) == 5
