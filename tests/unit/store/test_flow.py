"""What flowed lately, and how long it took."""

from datetime import UTC, datetime, timedelta

from sqlmodel import Session

from store.database import Database, now
from store.flow import answered_within, effects_within, received_by_hour
from store.tables import DeliveryRow, EffectRow, InboxRow, LifecycleRow

HOUR = datetime(2027, 3, 1, 9, tzinfo=UTC)


def came(source: str, event_id: str, at: datetime) -> InboxRow:
    return InboxRow(source=source, event_id=event_id, type="t", subject="", payload="{}", received_at=at)


def effect(key: str, operation: str, state: str, *, sent: float | None, updated: float) -> EffectRow:
    return EffectRow(
        key=key,
        contract="crm/f/1",
        operation=operation,
        state=state,
        fence=1,
        sent_at=sent,
        created_at=updated - 60,
        updated_at=updated,
        arguments="a",
        generation=0,
        asked_arguments="a",
        asked_generation=0,
        lease_until=0.0,
    )


async def test_events_are_counted_by_source_and_hour(database: Database) -> None:
    moments = [HOUR, HOUR + timedelta(minutes=59, seconds=59), HOUR + timedelta(hours=1), HOUR - timedelta(seconds=1)]

    def put(session: Session) -> None:
        session.add_all(came("erp", f"e{n}", at) for n, at in enumerate(moments))
        session.add(came("cs", "c", HOUR))

    await database.write(put)
    counts = await database.read(lambda session: received_by_hour(session, HOUR))
    first = int(HOUR.timestamp()) // 3600
    assert {source: dict(hours) for source, hours in counts.items()} == {
        "erp": {first: 2, first + 1: 1},
        "cs": {first: 1},
    }


async def test_an_answer_took_as_long_as_the_event_was_here(database: Database) -> None:
    def put(session: Session) -> None:
        session.add(LifecycleRow(contract="c", tenant="t", account="a", deal="d", selling_entity="e", workflow_id="w"))
        for n, (seconds, late) in enumerate([(2.5, 0), (4.0, 0), (1.0, -3600)]):
            row = came("erp", f"e{n}", HOUR + timedelta(seconds=late))
            session.add(row)
            session.flush()
            settled = HOUR.timestamp() + late + seconds
            session.add(
                DeliveryRow(
                    inbox_id=row.id or 0, stream="c", kind="k", payload={}, seq=n, state="delivered", settled_at=settled
                )
            )

    await database.write(put)
    took = await database.read(lambda session: answered_within(session, HOUR))
    assert sorted(took["erp"]) == [2.5, 4.0], "what was answered before is not looked at"


async def test_effects_are_told_by_connection(database: Database) -> None:
    clock = await database.read(now)

    def put(session: Session) -> None:
        session.add(effect("a", "erp-de.start_billing", "DONE", sent=clock - 10, updated=clock - 8))
        session.add(effect("b", "erp-de.end_subscription", "REFUSED", sent=clock - 10, updated=clock - 9))
        session.add(effect("c", "cs.set_health", "SENT", sent=clock - 5, updated=clock - 5))
        session.add(effect("old", "cs.set_health", "DONE", sent=clock - 9000, updated=clock - 8000))

    await database.write(put)
    since = datetime.fromtimestamp(clock - 3600, UTC)
    found = await database.read(lambda session: effects_within(session, since))
    assert {name: dict(states) for name, states in found.items()} == {
        "erp-de": {"DONE": 1, "REFUSED": 1},
        "cs": {"SENT": 1},
    }
