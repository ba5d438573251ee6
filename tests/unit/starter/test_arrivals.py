"""What is seen of received events on their way: each one's wait, and one delivery that the others are linked to."""

from datetime import UTC, datetime, timedelta

import pytest
import structlog
from opentelemetry.trace import format_trace_id

from starter.arrivals import Origin, arriving
from starter.tracing import correlation, fresh_traceparent, given_traceparent
from tests.tracing import recording


def traced(digit: str) -> str:
    return f"00-{digit * 32}-{digit * 16}-01"


def origin(number: int, trace: str, seconds: float = 5) -> Origin:
    received = datetime.now(UTC) - timedelta(seconds=seconds)
    return Origin(number, "erp", "tenure.invoice.paid.v1", received, trace)


def test_a_batch_belongs_to_the_trace_of_the_first_that_is_told_and_is_linked_to_the_others() -> None:
    origins = {4: origin(1, traced("a")), 5: origin(2, traced("b")), 6: origin(3, "")}
    with recording() as spans, arriving("crm/1/1", origins, [5]):
        pass
    told = {format_trace_id(span.context.trace_id): span for span in spans.of("b" * 32) if span.context}
    assert [span.name for span in spans.of("b" * 32)] == ["inbox tenure.invoice.paid.v1", "deliver"]
    [delivery] = [span for span in spans.all() if span.name == "deliver"]
    assert [format_trace_id(link.context.trace_id) for link in delivery.links] == ["a" * 32]
    [other] = spans.of("a" * 32)
    assert [format_trace_id(link.context.trace_id) for link in other.links] == ["b" * 32]
    assert set(told) == {"b" * 32}


def test_the_wait_in_the_inbox_is_seen_as_long_as_it_was() -> None:
    with recording() as spans, arriving("crm/1/1", {1: origin(1, traced("c"), seconds=30)}, []):
        pass
    [waited] = [span for span in spans.all() if span.name.startswith("inbox")]
    assert waited.start_time is not None
    assert waited.end_time is not None
    assert 29e9 < waited.end_time - waited.start_time < 60e9


def test_the_log_has_the_contract_and_the_correlation_id_also_without_tracing() -> None:
    trace = fresh_traceparent()
    with arriving("crm/1/1", {1: origin(1, trace)}, []):
        bound = structlog.contextvars.get_contextvars()
    assert bound == {"contract": "crm/1/1", "correlation": correlation(trace)}
    assert structlog.contextvars.get_contextvars() == {}


@pytest.mark.parametrize(
    "given", ["", "nonsense", f"00-{'0' * 32}-{'a' * 16}-01", f"00-{'a' * 32}-{'0' * 16}-01", "x" * 1000]
)
def test_a_traceparent_that_cant_be_read_is_none(given: str) -> None:
    assert given_traceparent({"traceparent": given}) == ""


def test_a_traceparent_is_taken_as_it_is() -> None:
    assert given_traceparent({"traceparent": traced("a")}) == traced("a")
