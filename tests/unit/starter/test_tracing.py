"""A process with tracing, and one without: what leaves it, and what it costs. Each is a process of its own."""

import asyncio
import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.collector import collecting

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
LOG = """
import asyncio, sys
from datetime import UTC, datetime
import structlog
from starter.arrivals import Origin, arriving
from starter.logs import configure_logging
from starter.sections import Tracing
from starter.tracing import configure_tracing
configure_logging("dispatcher")
configure_tracing("dispatcher", Tracing(endpoint=sys.argv[1] or None))
origin = Origin(1, "crm", "t", datetime.now(UTC), sys.argv[2])
with arriving("crm/1/1", {1: origin}, [1]):
    structlog.get_logger("tenure").info("told")
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


async def run(code: str, *arguments: str) -> str:
    """What it wrote on standard error."""
    command = [sys.executable, "-c", code, *arguments]
    done = await asyncio.to_thread(subprocess.run, command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stderr


async def test_off_it_loads_nothing_and_names_no_trace() -> None:
    await run(OFF)


async def test_on_a_process_ends_when_its_spans_are_sent() -> None:
    with collecting() as collector:
        await run(ON, collector.url, "1")
    assert [(span.process, span.name) for span in collector.spans] == [("tenure tenure-worker", "deliver")] * 3
    assert len({span.trace for span in collector.spans}) == 3
    assert [(span.attributes, span.status) for span in collector.spans] == [
        ({"tenure.contract": "crm/1/1"}, "ValueError")
    ] * 3
    assert "jane.doe" not in collector.raw


async def test_a_ratio_of_none_sends_none() -> None:
    with collecting() as collector:
        await run(ON, collector.url, "0")
    assert collector.spans == []


async def test_a_collector_that_is_away_holds_up_nobody() -> None:
    with collecting() as gone:
        pass
    await asyncio.wait_for(run(ON, gone.url, "1"), 60)


@pytest.mark.parametrize("traced", [False, True])
async def test_a_line_of_a_log_names_the_contract_and_what_it_belongs_to(traced: bool) -> None:
    with collecting() as collector:
        line = json.loads(await run(LOG, collector.url if traced else "", f"00-{'a' * 32}-{'b' * 16}-01"))
    named = {name: line[name] for name in ("event", "process", "level", "contract", "correlation")}
    assert named == {
        "event": "told", "process": "dispatcher", "level": "info", "contract": "crm/1/1", "correlation": "a" * 32
    }  # fmt: skip
    assert ("span" in line) == traced
