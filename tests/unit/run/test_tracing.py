"""Spans of requests and of their steps."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from cybernetes.apiserver.config import ServerConfig
from cybernetes.apiserver.server import ApiServer, InProcessTransport
from cybernetes.auth import pki
from cybernetes.base.clock import SystemClock
from cybernetes.base.errors import EdgeError
from cybernetes.base.random import SystemRandom
from cybernetes.run.start.tracing import OtlpTracer, open_tracer, read
from cybernetes.store.memory import MemoryStore
from cybernetes.wire.http.message import Request

TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


def spans_of(request: Request) -> list[ReadableSpan]:
    async def main() -> list[ReadableSpan]:
        exporter, provider = InMemorySpanExporter(), TracerProvider()
        provider.add_span_processor(SimpleSpanProcessor(exporter))
        clock, random = SystemClock(), SystemRandom()
        authority = pki.ca("ca", pki.Terms(clock.now(), random))
        config = ServerConfig(client_authorities=authority.certificate, service_account_key=pki.new_key(random))
        server = ApiServer(MemoryStore(clock), config, clock, random, tracer=OtlpTracer(provider))
        await server.start()
        await server.ready()
        exporter.clear()
        await InProcessTransport(server).send(request)
        await server.stop()
        return [each for each in exporter.get_finished_spans() if each.context.trace_id == int(TRACE, 16)]

    return asyncio.run(main())


def test_a_traced_request_has_spans_of_its_steps() -> None:
    headers = {"traceparent": f"00-{TRACE}-{PARENT}-01", "content-type": "application/json"}
    path, body = "/api/v1/namespaces/default/configmaps", b'{"metadata":{"name":"m"}}'
    spans = {each.name: each for each in spans_of(Request("POST", path, {}, headers, body))}
    whole = spans["CREATE configmaps"]
    assert whole.parent is not None and whole.parent.span_id == int(PARENT, 16)
    assert whole.attributes is not None and whole.attributes["http.response.status_code"] == 201
    for step in ("admission.admit", "admission.validate", "etcd.txn"):
        parent = spans[step].parent
        assert parent is not None and parent.span_id == whole.context.span_id, step


def test_a_file_says_where_spans_go(tmp_path: Path) -> None:
    path = tmp_path / "tracing.yaml"
    head = "apiVersion: apiserver.config.k8s.io/v1\nkind: TracingConfiguration\n"
    path.write_text(f"{head}endpoint: collector:4317\nsamplingRatePerMillion: 100\n")
    assert (read(path).endpoint, read(path).sampling_rate_per_million) == ("collector:4317", 100)
    open_tracer(path).close()
    path.write_text(f"{head}samplingRatePerMillion: 2000000\n")
    with pytest.raises(EdgeError, match="must be between 0 and 1000000"):
        read(path)
    path.write_text(f"{head}endpont: x\n")
    with pytest.raises(EdgeError, match="endpont"):
        read(path)
