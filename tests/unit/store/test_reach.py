"""Who serves one region finds nothing of another, whatever is asked of the store: on SQLite and PostgreSQL."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlmodel import Session, col, func, select

from domain.access import Principal, default_policy
from store.database import Database
from store.reach import condition, serving, tables
from store.tables import CaseNoteRow, CaseRow, DeliveryRow, InboxRow, LifecycleRow, LifecycleViewRow

POLICY = default_policy().with_changes({}, {"emea": ("ACME-DE",), "nowhere": ()})
GERMAN, AMERICAN = "crm/de/1", "crm/us/1"


def somebody(*regions: str) -> Principal:
    return POLICY.principal("ann", roles=["operations"], regions=regions)


@pytest.fixture
async def two(database: Database) -> Database:
    """A store with one contract of each of two selling entities."""

    def fill(session: Session) -> None:
        for contract, entity in ((GERMAN, "ACME-DE"), (AMERICAN, "ACME-US")):
            session.add(
                LifecycleRow(
                    contract=contract, tenant="t", account=f"a-{entity}", deal="d", selling_entity=entity,
                    workflow_id=contract,
                )
            )  # fmt: skip
            view = LifecycleViewRow(
                contract=contract, run_started=datetime.now(UTC), sequence=1, stage="serving", account=f"a-{entity}",
                needs_attention=False, view={},
            )  # fmt: skip
            row = InboxRow(source="crm", event_id=contract, type="t", subject=contract, payload=contract)
            session.add_all([view, row])
            session.flush()
            session.add(DeliveryRow(inbox_id=row.id or 0, stream=contract, kind="k", payload={}))
            session.add(CaseRow(id=f"c:{contract}", contract=contract, kind="k", title=contract))
            session.add(CaseNoteRow(case_id=f"c:{contract}", by="b", what=contract))
        session.add(InboxRow(source="crm", event_id="unknown", type="t", subject="s", payload="of nobody knows whom"))
        session.add(CaseRow(id="c:early", kind="k", title="of no contract"))

    await database.write(fill)
    return database


def titles(session: Session) -> Any:
    joined = select(CaseRow, InboxRow).join(InboxRow, col(InboxRow.id) == col(CaseRow.inbox_id), isouter=True)
    return sorted(case.title for case, _ in session.exec(joined).all())


QUESTIONS: dict[str, tuple[Callable[[Session], Any], Any, Any]] = {
    "rows": (lambda s: s.exec(select(LifecycleRow.contract)).all(), [GERMAN], [GERMAN, AMERICAN]),
    "a count": (lambda s: s.exec(select(func.count()).select_from(LifecycleViewRow)).one(), 1, 2),
    "one by its key": (lambda s: s.get(LifecycleViewRow, AMERICAN) is not None, False, True),
    "a join": (titles, [GERMAN], [GERMAN, AMERICAN, "of no contract"]),
    "notes": (lambda s: [note.what for note in s.exec(select(CaseNoteRow)).all()], [GERMAN], [GERMAN, AMERICAN]),
    "events": (lambda s: s.exec(select(func.count(col(InboxRow.id)))).one(), 1, 3),
    "deliveries": (lambda s: len(s.exec(select(DeliveryRow)).all()), 1, 2),
}


@pytest.mark.parametrize("question", QUESTIONS)
async def test_a_region_is_all_that_there_is(two: Database, question: str) -> None:
    ask, narrowed, everything = QUESTIONS[question]
    assert await serving(two, somebody("emea")).read(ask) == narrowed
    assert await serving(two, somebody("*")).read(ask) == everything
    assert await two.read(ask) == everything
    assert not await serving(two, somebody("nowhere")).read(ask)


@pytest.mark.usefixtures("sqlite_url")  # whose migration reads every table's file
def test_every_table_says_which_region_it_tells_of() -> None:
    for table in tables():
        condition(table, frozenset({"ACME-DE"}))
