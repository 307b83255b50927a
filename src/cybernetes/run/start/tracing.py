"""Spans over OTLP, as a TracingConfiguration says.

source  Kubernetes documentation "Traces For Kubernetes System Components"; apiserver.config.k8s.io/v1
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import msgspec
import yaml

import cybernetes
from cybernetes.apiserver.request import RequestInfo
from cybernetes.base.errors import EdgeError, Outcome, Retry
from cybernetes.wire.http.message import Request

ENDPOINT = "localhost:4317"
_MILLION = 1_000_000
_VERSIONS = ("apiserver.config.k8s.io/v1", "apiserver.config.k8s.io/v1beta1", "apiserver.config.k8s.io/v1alpha1")


class TracingConfiguration(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel", kw_only=True):
    """endpoint: host:port of an OTLP collector (gRPC, no TLS). sampling_rate_per_million: of requests that no client traces."""

    api_version: str
    kind: str
    endpoint: str = ENDPOINT
    sampling_rate_per_million: int = 0


def read(path: Path) -> TracingConfiguration:
    """Raises EdgeError that names the file and what is wrong with it."""
    try:
        found = msgspec.convert(yaml.safe_load(path.read_text()), TracingConfiguration)
        if found.kind != "TracingConfiguration" or found.api_version not in _VERSIONS:
            raise ValueError(f"no TracingConfiguration of {_VERSIONS[0]}")
        if not 0 <= found.sampling_rate_per_million <= _MILLION:
            raise ValueError("samplingRatePerMillion: must be between 0 and 1000000")
    except (OSError, ValueError, yaml.YAMLError) as wrong:
        raise _refused(str(path), str(wrong)) from wrong
    return found


def _refused(what: str, why: str) -> EdgeError:
    return EdgeError("configure tracing", what, why, outcome=Outcome.NOT_DONE, retry=Retry.NEVER)


class _Span:
    def __init__(self, span: Any) -> None:
        self._span = span

    def answered(self, code: int) -> None:
        from opentelemetry.trace import Status, StatusCode

        self._span.set_attribute("http.response.status_code", code)
        if code >= 500:
            self._span.set_status(Status(StatusCode.ERROR))


class OtlpTracer:
    """An `apiserver.tracing.Tracer`. provider: of the OpenTelemetry SDK."""

    def __init__(self, provider: Any) -> None:
        self._provider = provider
        self._tracer = provider.get_tracer("cybernetes.apiserver", cybernetes.__version__)

    @contextmanager
    def request(self, request: Request, info: RequestInfo) -> Iterator[_Span]:
        from opentelemetry.trace import SpanKind
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        parent = TraceContextTextMapPropagator().extract(dict(request.headers))
        attributes = {
            "http.request.method": request.method,
            "url.path": info.path,
            "user_agent.original": request.headers.get("user-agent", ""),
            "audit-id": request.headers.get("audit-id", ""),
        }
        name = f"{info.verb.upper()} {info.resource}" if info.is_resource else f"{request.method} {info.path}"
        started = self._tracer.start_as_current_span(name, context=parent, kind=SpanKind.SERVER, attributes=attributes)
        with started as span:
            yield _Span(span)

    def step(self, name: str, **attributes: str | int) -> AbstractContextManager[object]:
        found: AbstractContextManager[object] = self._tracer.start_as_current_span(name, attributes=attributes)
        return found

    def close(self) -> None:
        """Send what was not sent yet."""
        self._provider.shutdown()


def open_tracer(path: Path) -> OtlpTracer:
    """Raises EdgeError: what is wrong with the file, or that the extra is not installed."""
    config = read(path)
    try:
        from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
        from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased
    except ImportError as missing:
        raise _refused(str(path), f"{missing}; install it with: pip install 'cybernetes[tracing]'") from missing
    sampler = ParentBased(TraceIdRatioBased(config.sampling_rate_per_million / _MILLION))
    resource = Resource.create({"service.name": "apiserver", "service.version": cybernetes.__version__})
    provider = TracerProvider(sampler=sampler, resource=resource)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=config.endpoint, insecure=True)))
    return OtlpTracer(provider)
