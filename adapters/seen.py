"""What is seen of a vendor's answers: a span for each call, and how long a connection's calls take."""

import time
from contextlib import nullcontext
from typing import Protocol

import httpx
from opentelemetry import trace
from opentelemetry.trace import INVALID_SPAN, SpanKind, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from adapters.http import OPERATION
from domain.call_times import ABOUT

_TRACER = trace.get_tracer("tenure")
_PROPAGATOR = TraceContextTextMapPropagator()


class Timekeeper(Protocol):
    """Who is told of each call: its connection, its seconds, whether it failed (5xx, or no answer at all), and the
    contract that it was made for, if it was for one."""

    def called(self, connection: str, seconds: float, failed: bool, contract: str) -> None: ...


class SeenTransport(httpx.AsyncBaseTransport):
    """Innermost, so that nothing but the vendor's time is measured: waiting for a turn is not. The vendor is sent the
    span's W3C traceparent. No URL, header or body is told: they may name a person."""

    def __init__(self, inner: httpx.AsyncBaseTransport, connection: str, times: Timekeeper | None = None) -> None:
        self._inner = inner
        self._connection = connection
        self._times = times

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        operation = request.extensions.get(OPERATION)
        attributes: dict[str, str] = {
            "http.request.method": request.method,
            "server.address": request.url.host,
            "tenure.connection": self._connection,
        }
        # What no trace is asked for, such as a sweep over everything, begins none either.
        opened = (
            nullcontext(INVALID_SPAN)
            if not _traced()
            else _TRACER.start_as_current_span(
                f"{request.method} {self._connection}{f'.{operation}' if operation else ''}",
                kind=SpanKind.CLIENT,
                attributes=attributes,
                record_exception=False,
                set_status_on_exception=False,
            )
        )
        with opened as span:
            _PROPAGATOR.inject(request.headers)
            began, failed = time.monotonic(), True
            try:
                response = await self._inner.handle_async_request(request)
                failed = response.status_code >= 500
                span.set_attribute("http.response.status_code", response.status_code)
                if response.is_error:
                    span.set_status(StatusCode.ERROR, str(response.status_code))
                return response
            except BaseException as error:  # a deadline comes as a cancellation
                span.set_status(StatusCode.ERROR, type(error).__name__)
                raise
            finally:
                if self._times is not None:
                    self._times.called(self._connection, time.monotonic() - began, failed, ABOUT.get())

    async def aclose(self) -> None:
        await self._inner.aclose()


def _traced() -> bool:
    return trace.get_current_span().get_span_context().is_valid
