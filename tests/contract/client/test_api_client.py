"""What a caller of ApiClient can rely on, against an API server in memory."""

from __future__ import annotations

import asyncio
from contextlib import aclosing

import pytest
import virtual
from fake_api import FakeApi

from cybernetes.base.errors import ApiError, EdgeError, Outcome
from cybernetes.client.api import ApiClient, PatchType, is_reason
from cybernetes.client.target import CONFIG_MAPS, DEPLOYMENTS, PODS
from cybernetes.wire.http.message import Request, Response


def connect() -> tuple[FakeApi, ApiClient]:
    clock = virtual.VirtualClock()
    api = FakeApi(clock)
    return api, ApiClient(api, user_agent="test", clock=clock)


def config(name: str, **data: str) -> dict:
    return {"metadata": {"name": name}, "data": data}


def test_an_object_lives_from_create_to_delete() -> None:
    async def main() -> None:
        _, client = connect()
        made = await client.create(CONFIG_MAPS, config("a", k="1"), namespace="shop")
        assert made["kind"] == "ConfigMap" and made["metadata"]["namespace"] == "shop"
        made["data"]["k"] = "2"
        changed = await client.update(CONFIG_MAPS, made)
        with pytest.raises(ApiError) as stale:
            await client.update(CONFIG_MAPS, made)
        assert is_reason(stale.value, "Conflict") and stale.value.code == 409
        patched = await client.patch(
            CONFIG_MAPS, "a", {"data": {"k": None, "l": "3"}}, PatchType.MERGE, namespace="shop"
        )
        assert patched["data"] == {"l": "3"}
        with pytest.raises(ApiError) as other:
            await client.delete(CONFIG_MAPS, "a", namespace="shop", uid="another")
        assert other.value.reason == "Conflict"
        await client.delete(CONFIG_MAPS, "a", namespace="shop", uid=changed["metadata"]["uid"])
        with pytest.raises(ApiError) as gone:
            await client.get(CONFIG_MAPS, "a", namespace="shop")
        assert is_reason(gone.value, "NotFound") and str(gone.value) == 'configmaps "a" not found'

    virtual.run(main())


def test_status_and_spec_are_written_apart() -> None:
    async def main() -> None:
        _, client = connect()
        deployment = {"metadata": {"name": "web", "namespace": "default"}, "spec": {"replicas": 1}}
        made = await client.create(DEPLOYMENTS, deployment, namespace="default")
        made["spec"]["replicas"] = 5
        made["status"] = {"replicas": 1}
        after = await client.update(DEPLOYMENTS, made, subresource="status")
        assert after["spec"]["replicas"] == 1 and after["status"] == {"replicas": 1}

    virtual.run(main())


def test_pages_read_one_consistent_list() -> None:
    async def main() -> None:
        api, client = connect()
        for n in range(7):
            await client.create(CONFIG_MAPS, config(f"c{n}"), namespace="shop")
        page = await client.list(CONFIG_MAPS, limit=3)
        assert len(page.items) == 3 and page.continue_token
        rest = await client.list(CONFIG_MAPS, limit=10, continue_token=page.continue_token)
        names = [each["metadata"]["name"] for each in page.objects() + rest.objects()]
        assert names == [f"c{n}" for n in range(7)]
        assert rest.resource_version == page.resource_version == str(api.revision)
        assert not rest.continue_token

    virtual.run(main())


def test_a_watch_gives_changes_and_bookmarks_and_ends() -> None:
    async def main() -> None:
        api, client = connect()
        seen = []
        events = client.watch(CONFIG_MAPS, resource_version=str(api.revision), timeout_s=90)

        async def follow() -> None:
            async with aclosing(events) as stream:
                async for event in stream:
                    seen.append(event.type)

        async with asyncio.TaskGroup() as group:
            group.create_task(follow(), name="follow")
            await client.create(CONFIG_MAPS, config("a"), namespace="shop")
            await client.delete(CONFIG_MAPS, "a", namespace="shop")
        assert seen == ["ADDED", "DELETED", "BOOKMARK", "BOOKMARK"]

    virtual.run(main())


def test_an_old_version_is_refused_with_410() -> None:
    async def main() -> None:
        api, client = connect()
        await client.create(CONFIG_MAPS, config("a"), namespace="shop")
        api.compact()
        with pytest.raises(ApiError) as old:
            await anext(client.watch(CONFIG_MAPS, resource_version="1"))
        assert old.value.code == 410

    virtual.run(main())


def test_without_a_server_reads_were_not_done() -> None:
    async def main() -> None:
        api, client = connect()
        api.down = True
        with pytest.raises(EdgeError) as refused:
            await client.get(PODS, "a", namespace="shop")
        assert refused.value.outcome is Outcome.NOT_DONE

    virtual.run(main())


class _Silent:
    """A server that accepts and says nothing."""

    async def send(self, request: Request) -> Response:
        await asyncio.sleep(1_000_000)
        raise AssertionError("unreachable")

    async def close(self) -> None: ...


def test_a_write_without_an_answer_may_have_happened() -> None:
    async def main() -> None:
        client = ApiClient(_Silent(), user_agent="test", clock=virtual.VirtualClock())
        with pytest.raises(EdgeError) as write:
            await client.create(CONFIG_MAPS, config("a"), namespace="shop")
        assert write.value.outcome is Outcome.UNKNOWN
        with pytest.raises(EdgeError) as read:
            await client.get(CONFIG_MAPS, "a", namespace="shop")
        assert read.value.outcome is Outcome.NOT_DONE

    virtual.run(main())


class _Canned:
    def __init__(self, response: Response) -> None:
        self._response = response

    async def send(self, request: Request) -> Response:
        return self._response

    async def close(self) -> None: ...


def test_an_answer_that_is_no_status_keeps_its_text() -> None:
    async def main() -> None:
        gateway = _Canned(Response(502, [("Retry-After", "7")], b"bad gateway"))
        client = ApiClient(gateway, user_agent="test", clock=virtual.VirtualClock())
        with pytest.raises(ApiError) as error:
            await client.get(PODS, "a", namespace="shop")
        assert (error.value.code, error.value.message) == (502, "bad gateway")
        assert error.value.headers == {"retry-after": "7"}

    virtual.run(main())


def test_a_success_that_is_no_object_is_the_worlds_fault() -> None:
    async def main() -> None:
        client = ApiClient(_Canned(Response(200, [], b"<html>")), user_agent="test", clock=virtual.VirtualClock())
        with pytest.raises(EdgeError):
            await client.get(PODS, "a", namespace="shop")

    virtual.run(main())


async def _chunks(*chunks: bytes):  # type: ignore[no-untyped-def]
    for chunk in chunks:
        yield chunk


def test_frames_are_found_however_the_stream_is_cut() -> None:
    async def main() -> None:
        body = _chunks(b'{"type":"ADDED","obj', b'ect":{"a":1}}\n{"type":"DELETED","object":{}}\n{"type"')
        client = ApiClient(_Canned(Response(200, [], body)), user_agent="test", clock=virtual.VirtualClock())
        events = [(e.type, e.object) async for e in client.watch(PODS, resource_version="1")]
        assert events == [("ADDED", b'{"a":1}'), ("DELETED", b"{}")]

    virtual.run(main())


def test_an_error_event_is_raised() -> None:
    async def main() -> None:
        status = b'{"kind":"Status","code":410,"reason":"Expired","message":"too old resource version: 1 (5)"}'
        body = _chunks(b'{"type":"ERROR","object":' + status + b"}\n")
        client = ApiClient(_Canned(Response(200, [], body)), user_agent="test", clock=virtual.VirtualClock())
        with pytest.raises(ApiError) as error:
            await anext(client.watch(PODS, resource_version="1"))
        assert (error.value.code, error.value.reason) == (410, "Expired")

    virtual.run(main())
