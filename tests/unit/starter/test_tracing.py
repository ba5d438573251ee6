"""A process with tracing, and one without: what leaves it, and what it costs. Each is a process of its own."""

import asyncio
import gzip
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

ROOT = Path(__file__).parents[3]
OFF = """
import sys
import wiring, worker, starter.gateway
from starter.sections import Tracing
from starter.tracing import configure_tracing, span, stop_tracing, traceparent
configure_tracing("worker", Tracing())
with span("x", parent=""):
    assert traceparent() == "", traceparent()
stop_tracing()
assert not [name for name in sys.modules if name.startswith(("opentelemetry.sdk", "opentelemetry.exporter"))]
"""
ON = """
import sys
from starter.sections import Tracing
from starter.tracing import SpanKind, configure_tracing, span, stop_tracing
configure_tracing("worker", Tracing(endpoint=sys.argv[1], ratio=float(sys.argv[2])))
for n in range(3):
    try:
        with span("deliver", SpanKind.CONSUMER, parent="", contract="crm/1/1"):
            raise ValueError("jane.doe@example.com")
    except ValueError:
        pass
stop_tracing()
"""


class Collector(BaseHTTPRequestHandler):
    """An OTLP collector over HTTP: keeps what it is sent."""

    taken: ClassVar[list[ExportTraceServiceRequest]] = []

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        if self.headers.get("content-encoding") == "gzip":
            body = gzip.decompress(body)
        if self.path == "/v1/traces":
            self.taken.append(ExportTraceServiceRequest.FromString(body))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def collector() -> Iterator[str]:
    Collector.taken.clear()
    server = HTTPServer(("127.0.0.1", 0), Collector)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


async def run(code: str, *arguments: str) -> None:
    command = [sys.executable, "-c", code, *arguments]
    done = await asyncio.to_thread(subprocess.run, command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


async def test_off_it_loads_nothing_and_names_no_trace() -> None:
    await run(OFF)


async def test_on_a_process_ends_when_its_spans_are_sent(collector: str) -> None:
    await run(ON, collector, "1")
    [resource] = [each for request in Collector.taken for each in request.resource_spans]
    names = {each.key: each.value.string_value for each in resource.resource.attributes}
    assert (names["service.name"], names["service.namespace"]) == ("tenure-worker", "tenure")
    spans = [span for scope in resource.scope_spans for span in scope.spans]
    assert [span.name for span in spans] == ["deliver"] * 3
    assert len({span.trace_id for span in spans}) == 3
    assert {each.value.string_value for span in spans for each in span.attributes} == {"crm/1/1"}
    assert {span.status.message for span in spans} == {"ValueError"}
    assert "jane.doe" not in str(resource)


async def test_a_ratio_of_none_sends_none(collector: str) -> None:
    await run(ON, collector, "0")
    assert Collector.taken == []
