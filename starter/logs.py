"""Logs of every process: one JSON object a line on standard error, with our own and the libraries' records alike."""

import logging
import sys
import traceback

import structlog
from opentelemetry import trace
from structlog.typing import EventDict, Processor


def configure_logging(process: str, level: str = "INFO") -> None:
    """Set up structlog and the standard library's logging. `process` names the process in every line."""

    def name_process(_: object, __: str, event: EventDict) -> EventDict:
        event["process"] = process
        return event

    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        _correlate,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        name_process,
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, structlog.stdlib.ExtraAdder()],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                structlog.processors.JSONRenderer(default=str),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    # One line for every request to an outside system is noise, and its URL may name a customer.
    logging.getLogger("httpx").setLevel(logging.WARNING)


def _correlate(_: object, __: str, event: EventDict) -> EventDict:
    """The trace that a line belongs to, as its correlation id, unless whoever wrote it knows another."""
    span = trace.get_current_span()
    if span.is_recording():
        ids = span.get_span_context()
        event.setdefault("correlation", trace.format_trace_id(ids.trace_id))
        event["span"] = trace.format_span_id(ids.span_id)
    return event


def where(error: BaseException) -> str:
    """Where it happened, but not the message: it may hold what was sent, or the row that was to be written."""
    return "".join(traceback.format_tb(error.__traceback__))
