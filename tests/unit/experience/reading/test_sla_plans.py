"""The SLA page reads the clocks that run, and what stopped lately, out of indexes of their own."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import event
from sqlmodel import Session

from domain.sla import ClockState
from domain.targets import ClockKind
from experience.reading.sla import Wanted, clocks, sla
from store.clocks import SlaClockRow
from store.database import Database
from store.tables import utc_now

NOW = utc_now()
DAY = timedelta(days=1)


def fill(session: Session) -> None:
    """Clocks that stopped on each of the last hundred days, every other one too late, and one that runs."""
    kind = ClockKind.ORDER_ACTIVATED.value
    for day in range(100):
        outcome = "missed" if day % 2 else "met"
        at = NOW - day * DAY
        session.add(SlaClockRow(id=f"{day}", kind=kind, since=at, started=at, due=at, stopped=at, outcome=outcome))
    session.add(SlaClockRow(id="runs", kind=kind, since=NOW, started=NOW, due=NOW + DAY, warned=NOW))


@pytest.fixture
def database(either_url: str) -> Any:
    database = Database(either_url)
    database.write_sync(fill)
    yield database
    database.close()


async def test_each_question_has_its_index(database: Database) -> None:
    asked: list[tuple[str, Any]] = []

    @event.listens_for(database.engine, "before_cursor_execute")
    def note(connection: Any, cursor: Any, statement: str, parameters: Any, context: Any, many: bool) -> None:
        if "FROM sla_clocks" in statement:
            asked.append((statement, parameters))

    await sla(database)
    await clocks(database, Wanted(), cursor=None, limit=10)
    questions = asked[:3]
    plans = [_plan(database, *each) for each in questions]
    wanted = ("ix_sla_clocks_stopped", "ix_sla_clocks_running", "ix_sla_clocks_running")
    assert [name in plan for name, plan in zip(wanted, plans, strict=True)] == [True] * 3, plans


def _plan(database: Database, statement: str, parameters: Any) -> str:
    """As the database would go about it, were it large."""
    with database.engine.connect() as connection:
        if connection.dialect.name == "sqlite":
            return str(connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters).all())
        connection.exec_driver_sql("SET LOCAL enable_seqscan = off")
        return str(connection.exec_driver_sql(f"EXPLAIN {statement}", parameters).all())


async def test_weeks_are_counted_by_the_database(database: Database) -> None:
    found = await sla(database)
    monday = NOW.date() - timedelta(days=NOW.weekday())
    assert [week.week for week in found.weeks] == [monday - timedelta(weeks=n) for n in reversed(range(12))]
    assert all(week.met + week.missed == 7 for week in found.weeks[:-1])
    assert found.weeks[-1].met + found.weeks[-1].missed == NOW.weekday() + 1
    order = next(each for each in found.kinds if each.kind is ClockKind.ORDER_ACTIVATED)
    assert (order.running, order.warned, order.late) == (1, 1, 0)


async def test_the_list_goes_on_where_its_page_ended(database: Database) -> None:
    first = await clocks(database, Wanted(state=ClockState.MET), cursor=None, limit=30)
    rest = await clocks(database, Wanted(state=ClockState.MET), cursor=first.next, limit=30)
    dues = [line.due for line in (*first.items, *rest.items)]
    assert (len(dues), dues) == (50, sorted(dues, key=str))
    assert rest.next is None
