"""Lists, pages, versions and forms of answers."""

from __future__ import annotations

import asyncio
import gzip
from pathlib import Path

import orjson
import yaml
from calls import Client, config_map, run, token

from apiserver_fixture import RunningApi, serving_apiserver
from cybernetes.apiserver.respond import compressed
from cybernetes.client.answer import whole_body
from cybernetes.wire import protobuf
from cybernetes.wire.http.message import PIECE_PARTS, Pieces, Request, Response

TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io"


async def five(client: Client, space: str) -> str:
    path = await client.namespace(space) + "/configmaps"
    for n in range(5):
        await client.ok("POST", path, config_map(f"m-{n}", odd=str(n % 2)))
    return path


def names(listed: dict[str, object]) -> list[str]:
    items = listed["items"]
    assert isinstance(items, list)
    return [each["metadata"]["name"] for each in items]


def test_pages_show_one_version_however_long_they_take(api: RunningApi, space: str) -> None:
    async def test(client: Client) -> None:
        path = await five(client, space)
        first = await client.ok("GET", path, limit="2")
        assert names(first) == ["m-0", "m-1"]
        assert first["metadata"]["remainingItemCount"] == 3
        await client.ok("DELETE", f"{path}/m-3")
        await client.ok("POST", path, config_map("m-2b"))
        second = await client.ok("GET", path, limit="2", **{"continue": first["metadata"]["continue"]})
        assert names(second) == ["m-2", "m-3"]
        assert second["metadata"]["remainingItemCount"] == 1
        assert second["metadata"]["resourceVersion"] == first["metadata"]["resourceVersion"]
        third = await client.ok("GET", path, limit="2", **{"continue": second["metadata"]["continue"]})
        assert names(third) == ["m-4"]
        assert "continue" not in third["metadata"]
        assert names(await client.ok("GET", path)) == ["m-0", "m-1", "m-2", "m-2b", "m-4"]

    run(api, test)


def test_long_lists_are_whole_however_many_pieces_they_have(api: RunningApi, space: str) -> None:
    async def test(client: Client) -> None:
        path = await client.namespace(space) + "/configmaps"
        made = [f"m-{n:03}" for n in range(PIECE_PARTS + 1)]
        await asyncio.gather(*(client.ok("POST", path, config_map(name)) for name in made))
        for count in (PIECE_PARTS // 2 - 1, PIECE_PARTS // 2, PIECE_PARTS // 2 + 1, PIECE_PARTS, PIECE_PARTS + 1):
            for accept in ("application/json", "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io"):
                answer = await client.send("GET", path, limit=str(count), accept=accept)
                listed = orjson.loads(await whole_body(answer))
                assert names(listed) == made[:count]
                assert listed["metadata"].get("remainingItemCount", 0) == len(made) - count
        table = orjson.loads(await whole_body(await client.send("GET", path, accept=TABLE)))
        assert [row["cells"][0] for row in table["rows"]] == made
        pretty = await client.send("GET", path, pretty="1")
        assert names(orjson.loads(await whole_body(pretty))) == made

    run(api, test)


def test_an_exact_version_is_read_from_history(api: RunningApi, space: str) -> None:
    async def test(client: Client) -> None:
        path = await five(client, space)
        before = (await client.ok("GET", path))["metadata"]["resourceVersion"]
        await client.ok("DELETE", f"{path}/m-0")
        old = await client.ok("GET", path, resourceVersion=before, resourceVersionMatch="Exact")
        assert len(old["items"]) == 5
        newer = await client.ok("GET", path, resourceVersion=before, resourceVersionMatch="NotOlderThan")
        assert len(newer["items"]) == 4

    run(api, test)


def test_versions_that_are_gone_or_not_there_yet(api: RunningApi, space: str) -> None:
    async def test(client: Client) -> None:
        path = await five(client, space)
        now = int((await client.ok("GET", path))["metadata"]["resourceVersion"])
        status, early = await client.call("GET", path, resourceVersion=str(now + 10_000))
        assert (status, early["details"]["causes"][0]["reason"]) == (504, "ResourceVersionTooLarge")
        status, gone = await client.call("GET", path, **{"continue": token(f"{space}/m-1\0", now + 10_000)})
        assert status in (410, 504), gone
        status, wrong = await client.call("GET", path, limit="2", **{"continue": "garbage"})
        assert (status, wrong["reason"]) == (400, "BadRequest")
        assert "continue key is not valid" in wrong["message"]
        for start, number in ((7, now), ("x", "x"), ("x", True)):
            status, wrong = await client.call("GET", path, limit="2", **{"continue": token(start, number)})
            assert status == 400 and "cannot unmarshal" in wrong["message"]

    run(api, test)


def test_selectors_of_labels_and_fields(api: RunningApi, space: str) -> None:
    async def test(client: Client) -> None:
        path = await five(client, space)
        assert names(await client.ok("GET", path, labelSelector="odd=1")) == ["m-1", "m-3"]
        assert names(await client.ok("GET", path, labelSelector="odd in (0),!x")) == ["m-0", "m-2", "m-4"]
        assert names(await client.ok("GET", path, fieldSelector="metadata.name!=m-0", labelSelector="odd=0")) == [
            "m-2",
            "m-4",
        ]
        page = await client.ok("GET", path, labelSelector="odd=0", limit="2")
        assert "remainingItemCount" not in page["metadata"]
        assert page["metadata"]["continue"]
        removed = await client.ok("DELETE", path, labelSelector="odd=1")
        assert names(removed) == ["m-1", "m-3"]
        assert len((await client.ok("GET", path))["items"]) == 3

    run(api, test)


def test_reads_see_every_write_acknowledged_before(api: RunningApi, space: str) -> None:
    async def test(client: Client) -> None:
        path = await client.namespace(space) + "/configmaps"
        for n in range(30):
            made = await client.ok("POST", path, config_map(f"m-{n}"))
            listed = await client.ok("GET", path)
            assert len(listed["items"]) == n + 1
            assert int(listed["metadata"]["resourceVersion"]) >= int(made["metadata"]["resourceVersion"])

    run(api, test)


def test_tables_metadata_yaml_and_protobuf(api: RunningApi, space: str) -> None:
    async def test(client: Client) -> None:
        path = await five(client, space)
        table = await client.ok("GET", path, accept=f"{TABLE},application/json")
        assert [column["name"] for column in table["columnDefinitions"]] == ["Name", "Data", "Age"]
        assert table["rows"][0]["cells"][:2] == ["m-0", 1]
        assert table["rows"][0]["object"]["kind"] == "PartialObjectMetadata"
        bare = await client.ok("GET", path, accept=TABLE, includeObject="None")
        assert bare["rows"][0]["object"] is None
        status, refused = await client.call("GET", path, accept=TABLE, includeObject="Some")
        assert (status, refused["message"]) == (
            400,
            'Unable to convert to Table as requested: includeObject: Invalid value: "Some": '
            "must be 'Metadata', 'Object', 'None', or empty",
        )
        assert (await client.ok("DELETE", f"{path}/m-4", accept=TABLE))["status"] == "Success"
        kind = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
        partial = await client.ok("GET", path, accept=kind)
        assert partial["kind"] == "PartialObjectMetadataList"
        assert "data" not in partial["items"][0]
        answer = await client.send("GET", f"{path}/m-0", accept="application/yaml")
        assert isinstance(answer.body, bytes)
        assert yaml.safe_load(answer.body)["data"] == {"key": "m-0"}
        answer = await client.send("GET", path, accept="application/vnd.kubernetes.protobuf,application/json")
        assert isinstance(answer.body, bytes)
        envelope = protobuf.open_envelope(answer.body)
        assert (envelope.kind, envelope.api_version) == ("ConfigMapList", "v1")
        assert envelope.raw.count(b"m-3") >= 1

    run(api, test)


def test_answers_in_json_are_a_line(api: RunningApi, space: str) -> None:
    async def test(client: Client) -> None:
        path = await five(client, space)
        asked = [("GET", path, ""), ("GET", f"{path}/m-0", ""), ("GET", f"{path}/m-0", TABLE), ("GET", "/apis", "")]
        for method, target, accept in [*asked, ("GET", f"{path}/none", ""), ("DELETE", f"{path}/m-0", "")]:
            answer = await client.send(method, target, accept=accept or "application/json")
            assert isinstance(answer.body, bytes)
            assert answer.body.endswith(b"}\n"), (method, target, answer.body)
            assert answer.body.count(b"\n") == 1

    run(api, test)


def test_large_answers_to_other_machines_are_compressed_when_asked(api: RunningApi, space: str) -> None:
    async def test(client: Client) -> None:
        path = await client.namespace(space) + "/configmaps"
        for n in range(2):
            await client.ok("POST", path, {"metadata": {"name": f"big-{n}"}, "data": {"k": "x" * 100_000}})
        answer = await client.send("GET", path)
        assert ("Content-Encoding", "gzip") not in answer.headers

    run(api, test)
    for remote, expected in (("10.0.0.9:4000", True), ("127.0.0.1:4000", False)):
        request = Request("GET", "/", {}, {"accept-encoding": "gzip"}, remote=remote)
        for body in (b"x" * 200_000, Pieces([b"x" * 100_000] * 2)):
            answer = asyncio.run(compressed(request, Response(200, [("Content-Length", "200000")], body)))
            assert (("Content-Encoding", "gzip") in answer.headers) is expected
            if expected:
                assert isinstance(answer.body, bytes)
                assert len(answer.body) < 10_000
                assert gzip.decompress(answer.body) == b"x" * 200_000
                assert "Content-Length" not in dict(answer.headers)


def test_health_version_and_metrics(api: RunningApi) -> None:
    async def test(client: Client) -> None:
        assert (await client.send("GET", "/healthz")).body == b"ok"
        verbose = await client.send("GET", "/livez", verbose="")
        assert isinstance(verbose.body, bytes)
        assert b"[+]ping ok" in verbose.body
        assert b"livez check passed" in verbose.body
        counted = await client.send("GET", "/metrics/slis")
        assert isinstance(counted.body, bytes)
        assert b'\nkubernetes_healthcheck{name="ping",type="livez"} 1\n' in counted.body
        assert b'\nkubernetes_healthchecks_total{name="ping",status="success",type="livez"} ' in counted.body
        assert (await client.ok("GET", "/version"))["minor"] == "37"
        metrics = await client.send("GET", "/metrics")
        assert isinstance(metrics.body, bytes)
        assert b"apiserver_request_total{" in metrics.body
        assert (await client.send("GET", "/nope")).status == 404

    run(api, test)


def test_answers_and_refusals_name_their_priority_level(api: RunningApi) -> None:
    async def main() -> None:
        ann = Client(api.transport_as("ann", "system:authenticated"))
        refused = await ann.send("GET", "/api/v1/secrets")
        headers = {name.lower(): value for name, value in refused.headers}
        await ann.transport.close()
        admin = Client(api.transport())
        schema = await admin.ok("GET", "/apis/flowcontrol.apiserver.k8s.io/v1/flowschemas/global-default")
        dumped = await admin.send("GET", "/debug/api_priority_and_fairness/dump_priority_levels")
        await admin.transport.close()
        assert (refused.status, headers["x-kubernetes-pf-flowschema-uid"]) == (403, schema["metadata"]["uid"])
        assert isinstance(dumped.body, bytes) and b"\nglobal-default, 0, true, false, 0, 0, " in dumped.body

    asyncio.run(main())


def test_metrics_have_the_names_of_dashboards(api: RunningApi, space: str) -> None:
    async def test(client: Client) -> None:
        path = await client.namespace(space) + "/configmaps"
        await client.ok("POST", path, config_map("m"))
        async with client.watch(path) as next_event:
            await next_event()
            await client.ok("DELETE", f"{path}/m")
            await next_event()
            answer = await client.send("GET", "/metrics")
        assert isinstance(answer.body, bytes)
        text = answer.body.decode()
        for wanted in (
            'apiserver_request_total{code="201",component="apiserver",dry_run="",group="",resource="configmaps",'
            'scope="namespace",subresource="",verb="POST",version="v1"}',
            'apiserver_request_duration_seconds_bucket{component="apiserver",dry_run="",group="",le="0.005",',
            'apiserver_current_inflight_requests{request_kind="readOnly"} 1.0',
            'apiserver_longrunning_requests{component="apiserver",dry_run="",group="",resource="configmaps",scope="",'
            'subresource="",verb="WATCH",version=""} ',
            'apiserver_watch_events_total{group="",resource="configmaps"} ',
            'apiserver_storage_objects{group="",resource="namespaces"} ',
            'apiserver_admission_step_admission_duration_seconds_count{operation="CREATE",rejected="false",type="admit"} ',
            'etcd_request_duration_seconds_count{operation="create",type="configmaps"} ',
            'authentication_attempts_total{result="success"} ',
            'apiserver_authorization_decisions_total{decision="allowed"} ',
            'apiserver_flowcontrol_current_limit_seats{priority_level="workload-low"} ',
            "process_resident_memory_bytes ",
            'kubernetes_build_info{compiler="cpython",',
        ):
            assert f"\n{wanted}" in text, wanted

    run(api, test)


def test_bodies_above_the_limit_are_refused(api: RunningApi, space: str) -> None:
    async def test(client: Client) -> None:
        path = await client.namespace(space) + "/configmaps"
        status, refused = await client.call("POST", path, {"metadata": {"name": "a"}, "data": {"k": "x" * (3 << 20)}})
        assert (status, refused["reason"]) == (413, "RequestEntityTooLarge")

    run(api, test)


def test_many_connections_are_answered_at_once(api: RunningApi, space: str) -> None:
    async def test(client: Client) -> None:
        path = await five(client, space)
        answers = await asyncio.gather(*(client.call("GET", f"{path}/m-{n % 5}") for n in range(60)))
        assert all(status == 200 for status, _ in answers)

    run(api, test)


def test_a_version_that_was_forgotten_is_gone_also_where_nothing_changed(tmp_path: Path) -> None:
    async def main() -> None:
        async with serving_apiserver(tmp_path) as api:
            client = Client(api.transport())
            await api.server.ready()
            path = await five(client, "shop")
            first = await client.ok("GET", path, limit="2")
            version, token = first["metadata"]["resourceVersion"], {"continue": first["metadata"]["continue"]}
            later = await client.ok("POST", "/api/v1/namespaces", {"metadata": {"name": "other"}})
            assert names(await client.ok("GET", path, limit="1", **token)) == ["m-2"]
            await api.server.core.store.compact(int(later["metadata"]["resourceVersion"]))
            exact = {"resourceVersion": version, "resourceVersionMatch": "Exact"}
            for query in (token, exact):
                status, gone = await client.call("GET", path, limit="2", **query)
                assert (status, gone["reason"]) == (410, "Expired")
            await client.transport.close()

    asyncio.run(main())


def test_a_list_goes_on_after_its_version_was_forgotten(tmp_path: Path) -> None:
    async def main() -> None:
        async with serving_apiserver(tmp_path) as api:
            client = Client(api.transport())
            await api.server.ready()
            path = await five(client, "shop")
            first = await client.ok("GET", path, limit="2")
            await client.ok("DELETE", f"{path}/m-3")
            await client.ok("POST", path, config_map("m-2b"))
            await api.server.core.store.compact(int(first["metadata"]["resourceVersion"]) + 1)
            status, gone = await client.call("GET", path, limit="2", **{"continue": first["metadata"]["continue"]})
            assert (status, gone["reason"]) == (410, "Expired")
            assert "Continuing with the provided token results in an inconsistent list" in gone["message"]
            rest = await client.ok("GET", path, **{"continue": gone["metadata"]["continue"]})
            assert names(rest) == ["m-2", "m-2b", "m-4"], "what is there now, behind the last one seen"
            assert int(rest["metadata"]["resourceVersion"]) > int(first["metadata"]["resourceVersion"])
            await client.transport.close()

    asyncio.run(main())
