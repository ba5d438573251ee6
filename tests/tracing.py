"""The spans of this process, and their tree."""

from collections.abc import Iterator
from contextlib import contextmanager

from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider
from opentelemetry.trace import format_trace_id


class Keeping(SpanProcessor):
    """Keeps what ends, while somebody wants it."""

    def __init__(self) -> None:
        self.kept: list[ReadableSpan] | None = None

    def on_end(self, span: ReadableSpan) -> None:
        if self.kept is not None:
            self.kept.append(span)


KEEPING = Keeping()


class Spans:
    """What was recorded of Tenure's own: in a test the outside systems are in the same process, too."""

    def __init__(self) -> None:
        self.kept: list[ReadableSpan] = []

    def all(self) -> list[ReadableSpan]:
        scoped = [(span, span.instrumentation_scope) for span in self.kept]
        return [span for span, scope in scoped if scope and scope.name == "tenure"]

    def of(self, trace: str) -> list[ReadableSpan]:
        return [span for span in self.all() if span.context and format_trace_id(span.context.trace_id) == trace]

    def traces(self) -> set[str]:
        return {format_trace_id(span.context.trace_id) for span in self.all() if span.context}

    def paths(self) -> set[str]:
        """Each span by the names on the way to it from the first of its trace; one whose parent is not here begins
        with an ellipsis."""
        spans = {span.context.span_id: span for span in self.all() if span.context}

        def path(span: ReadableSpan) -> str:
            if span.parent is None:
                return span.name
            above = spans.get(span.parent.span_id)
            return f"{path(above) if above else '…'} > {span.name}"

        return {path(span) for span in spans.values()}

    def tree(self) -> str:
        """Every path once, indented: for people, and for the message of a failure."""
        lines = []
        for path in sorted(self.paths()):
            *above, name = path.split(" > ")
            lines.append("  " * len(above) + (f"… > {name}" if "…" in above else name))
        return "\n".join(lines)


@contextmanager
def recording() -> Iterator[Spans]:
    """Record spans in memory. A process has one provider for good: it is made once, and records only in here."""
    if not isinstance(trace.get_tracer_provider(), TracerProvider):
        provider = TracerProvider()
        provider.add_span_processor(KEEPING)
        trace.set_tracer_provider(provider)
    spans = Spans()
    KEEPING.kept = spans.kept
    try:
        yield spans
    finally:
        KEEPING.kept = None
