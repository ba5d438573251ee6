"""How received events are seen on their way into a lifecycle: how long each lay in the inbox, and their delivery."""

import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import NamedTuple

import structlog
from sqlmodel import Session, col, select

from starter.tracing import SpanKind, correlation, span, traceparent
from store.tables import DeliveryRow, InboxRow


class Origin(NamedTuple):
    """The inbox row that a delivery comes from."""

    inbox_id: int
    source: str
    type: str
    received_at: datetime
    trace: str


def origins_of(session: Session, rows: Sequence[DeliveryRow]) -> dict[int, Origin]:
    """By the seq of the delivery."""
    named = select(InboxRow).where(col(InboxRow.id).in_({row.inbox_id for row in rows}))
    inbox = {
        row.id or 0: Origin(row.id or 0, row.source, row.type, row.received_at, row.trace)
        for row in session.exec(named).all()
    }
    return {row.seq: inbox[row.inbox_id] for row in rows if row.seq is not None}


@contextmanager
def arriving(contract: str, origins: Mapping[int, Origin], told: Collection[int | None]) -> Iterator[None]:
    """Around a delivery. It belongs to the trace of the first event that is told; of the others it is linked to."""
    order = sorted(origins, key=lambda seq: (seq not in told, seq))
    waits, others = [_waited(contract, origins[seq]) for seq in order[:1]], order[1:]
    parent, first = (waits[0], origins[order[0]].trace) if waits else ("", "")
    links = [trace for seq in others if (trace := origins[seq].trace)]
    told_here = structlog.contextvars.bound_contextvars(contract=contract, correlation=correlation(parent or first))
    with (
        told_here,
        span("deliver", SpanKind.CONSUMER, parent=parent, links=links, contract=contract, events=len(origins)),
    ):
        here = traceparent()
        for seq in others:
            _waited(contract, origins[seq], here)
        yield


def _waited(contract: str, origin: Origin, *links: str) -> str:
    """The time from being received until now, which is over: its traceparent."""
    with span(
        f"inbox {origin.type}",
        SpanKind.INTERNAL,
        parent=origin.trace,
        links=links,
        began=min(int(origin.received_at.timestamp() * 1e9), time.time_ns()),
        contract=contract,
        source=origin.source,
        inbox_id=origin.inbox_id,
    ):
        return traceparent()
