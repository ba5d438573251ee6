"""How much flows, and how long it takes: the newest events and effects, by source and by connection."""

from collections import Counter, defaultdict
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Integer
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement
from sqlmodel import Session, col, func, select

from store.tables import DeliveryRow, EffectRow, InboxRow

HOUR = 3600
SAMPLES = 10_000
"""At most so many of the newest are looked at for a duration: enough for a percentile, whatever the traffic is."""


class hour_of(FunctionElement[int]):
    """The number of the hour since 1970 that a moment lies in."""

    type = Integer()
    inherit_cache = True


@compiles(hour_of, "sqlite")
def _sqlite_hour(element: hour_of, compiler: SQLCompiler, **kw: Any) -> str:
    return f"(CAST(strftime('%s', {compiler.process(element.clauses, **kw)}) AS INTEGER) / {HOUR})"


@compiles(hour_of, "postgresql")
def _postgresql_hour(element: hour_of, compiler: SQLCompiler, **kw: Any) -> str:
    return f"CAST(floor(EXTRACT(EPOCH FROM {compiler.process(element.clauses, **kw)}) / {HOUR}) AS INTEGER)"


def received_by_hour(session: Session, since: datetime) -> Mapping[str, Counter[int]]:
    """Events by source, and by the number of the hour since 1970 in which they came."""
    hour = hour_of(col(InboxRow.received_at))
    query = select(InboxRow.source, hour, func.count()).where(col(InboxRow.received_at) >= since)
    counts: dict[str, Counter[int]] = defaultdict(Counter)
    for source, number, events in session.exec(query.group_by(InboxRow.source, hour)).all():
        counts[source][number] += events
    return counts


def answered_within(session: Session, since: datetime) -> Mapping[str, list[float]]:
    """By source: seconds from the arrival of an event until its lifecycle had answered, of those answered `since`."""
    query = (
        select(InboxRow.source, InboxRow.received_at, DeliveryRow.settled_at)
        .join(InboxRow, col(InboxRow.id) == col(DeliveryRow.inbox_id))
        .where(col(DeliveryRow.settled_at) >= since.timestamp())
        .order_by(col(DeliveryRow.settled_at).desc())
        .limit(SAMPLES)
    )
    took: dict[str, list[float]] = defaultdict(list)
    for source, came, settled in session.exec(query).all():
        took[source].append(max(0.0, settled - came.timestamp()))
    return took


class EffectsThere:
    """What was done in one outside system: effects by state, and the seconds that each finished call took."""

    def __init__(self) -> None:
        self.states: Counter[str] = Counter()
        self.seconds: list[float] = []


def effects_within(session: Session, since: datetime) -> Mapping[str, EffectsThere]:
    """By connection, of the effects that were touched `since`."""
    query = (
        select(EffectRow.operation, EffectRow.state, EffectRow.sent_at, EffectRow.updated_at)
        .where(col(EffectRow.updated_at) >= since.timestamp())
        .order_by(col(EffectRow.updated_at).desc())
        .limit(SAMPLES)
    )
    found: dict[str, EffectsThere] = defaultdict(EffectsThere)
    for operation, state, sent_at, updated_at in session.exec(query).all():
        there = found[operation.partition(".")[0]]
        there.states[state] += 1
        if state == "DONE" and sent_at is not None:
            there.seconds.append(max(0.0, updated_at - sent_at))
    return found
