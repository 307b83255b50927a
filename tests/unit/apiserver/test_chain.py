"""Filters of requests: time limits, load, words of refusals."""

from __future__ import annotations

import asyncio

import orjson
import pytest

from cybernetes.apiserver import chain
from cybernetes.apiserver.chain import Passage, passage_of
from cybernetes.apiserver.respond import failure, warning_headers
from cybernetes.apiserver.time_limit import TimeLimit
from cybernetes.auth.user import User
from cybernetes.base.errors import ApiError, not_found
from cybernetes.wire.http.message import Request, Response


class Core:
    """What the filters read of a server."""

    def __init__(self, seconds: float = 60.0) -> None:
        self.time_limit = TimeLimit(seconds)


def passage(path: str = "/api/v1/pods", method: str = "GET", **query: str) -> Passage:
    found = passage_of(Request(method, path, {key: [value] for key, value in query.items()}))
    found.user = User("eve")
    return found


async def fine(passage: Passage) -> Response:
    return Response(200)


@pytest.mark.parametrize(
    ("text", "seconds"), [("30s", 30.0), ("1m30s", 60.0), ("0s", 60.0), ("250ms", 0.25), ("", 60.0), ("2h", 60.0)]
)
def test_clients_may_ask_for_less_time_but_not_for_more(text: str, seconds: float) -> None:
    assert chain._asked_timeout(Request("GET", "/api/v1/pods", {"timeout": [text]}), 60.0) == seconds


def test_a_time_that_is_none_is_refused() -> None:
    with pytest.raises(ApiError, match='time: invalid duration "x"'):
        chain._asked_timeout(Request("GET", "/api/v1/pods", {"timeout": ["x"]}), 60.0)


@pytest.mark.parametrize(("asked", "limit_s"), [({"timeout": "10ms"}, 60.0), ({}, 0.01)])
def test_a_request_that_takes_too_long_ends_with_a_timeout(asked: dict[str, str], limit_s: float) -> None:
    async def slow(passage: Passage) -> Response:
        await asyncio.sleep(5)
        return Response(200)

    async def main() -> None:
        with pytest.raises(ApiError) as late:
            await chain.limit_time(Core(limit_s), passage(**asked), slow)  # type: ignore[arg-type]
        assert (late.value.code, late.value.reason) == (504, "Timeout")

    asyncio.run(main())


@pytest.mark.parametrize("path", ["/api/v1/namespaces/a/pods/b/proxy/c", "/api/v1/namespaces/a/services/b/proxy"])
def test_a_timeout_in_what_is_passed_on_is_meant_for_who_gets_it(path: str) -> None:
    async def main() -> None:
        answer = await chain.limit_time(Core(), passage(path, timeout="3"), fine)  # type: ignore[arg-type]
        assert answer.status == 200

    asyncio.run(main())


def test_failures_are_statuses_with_their_retry_time() -> None:
    error = ApiError(429, "TooManyRequests", "later", {"retryAfterSeconds": 10})
    response = failure(Request("GET", "/"), error)
    assert ("Retry-After", "10") in response.headers
    status = orjson.loads(response.body)  # type: ignore[arg-type]
    assert (status["kind"], status["code"], status["reason"]) == ("Status", 429, "TooManyRequests")
    yaml = failure(Request("GET", "/", {}, {"accept": "application/yaml"}), not_found("apps", "deployments", "a"))
    assert isinstance(yaml.body, bytes)
    assert b'message: deployments.apps "a" not found' in yaml.body


def test_warnings_are_escaped_once_and_bounded() -> None:
    assert warning_headers(['say "a\\b"', 'say "a\\b"', "two\nlines"]) == [
        '299 - "say \\"a\\\\b\\""',
        '299 - "two lines"',
    ]
    many = warning_headers([f"{n}-" + "x" * 1000 for n in range(30)])
    assert sum(map(len, many)) <= 4096 + 10 * len(many)
    assert all(len(each) < 300 for each in many)
