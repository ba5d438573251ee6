"""How much flows: the newest events, and how soon they were answered, by source; the newest effects, by connection."""

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
    for source, number, events in session.exec(query.group_by(hour, InboxRow.source)).all():
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


def effects_within(session: Session, since: datetime) -> Mapping[str, Counter[str]]:
    """By connection, how many effects that were touched `since` are in each state."""
    keys = (col(EffectRow.operation), col(EffectRow.state))
    query = select(*keys, func.count()).where(col(EffectRow.updated_at) >= since.timestamp()).group_by(*keys)
    found: dict[str, Counter[str]] = defaultdict(Counter)
    for operation, state, effects in session.exec(query):
        found[operation.partition(".")[0]][state] += effects
    return found
