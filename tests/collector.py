"""An OTLP collector over HTTP, for tests: keeps the spans that processes send."""

import gzip
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest


@dataclass(frozen=True)
class Sent:
    """One span, as it came in."""

    process: str
    trace: str
    id: str
    parent: str
    name: str
    status: str
    attributes: dict[str, str] = field(default_factory=dict)


@dataclass
class Collector:
    """`raw`: everything that was sent, as text."""

    url: str
    spans: list[Sent] = field(default_factory=list)
    raw: str = ""

    def take(self, body: bytes) -> None:
        request = ExportTraceServiceRequest.FromString(body)
        self.raw += str(request)
        for resource in request.resource_spans:
            names = {each.key: each.value.string_value for each in resource.resource.attributes}
            process = f"{names['service.namespace']} {names['service.name']}"
            self.spans += [
                Sent(
                    process,
                    span.trace_id.hex(),
                    span.span_id.hex(),
                    span.parent_span_id.hex(),
                    span.name,
                    span.status.message,
                    {each.key: each.value.string_value for each in span.attributes},
                )
                for scope in resource.scope_spans
                for span in scope.spans
            ]

    def paths(self, trace: str) -> set[str]:
        """Each span of a trace by its process and name, and those above it."""
        spans = {span.id: span for span in self.spans if span.trace == trace}

        def path(span: Sent) -> str:
            own = f"{span.process.removeprefix('tenure tenure-')}: {span.name}"
            above = spans.get(span.parent)
            return f"{path(above)} > {own}" if above else own

        return {path(span) for span in spans.values()}


@contextmanager
def collecting() -> Iterator[Collector]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            if self.headers.get("content-encoding") == "gzip":
                body = gzip.decompress(body)
            if self.path == "/v1/traces":
                collector.take(body)
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Nothing: a test's output is not a log."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    collector = Collector(f"http://127.0.0.1:{server.server_port}")
    serving = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    serving.start()
    try:
        yield collector
    finally:
        server.shutdown()
        serving.join()
        server.server_close()
