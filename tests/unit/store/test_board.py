"""The board says what the views say, and is filled from the views that were there before it."""

import runpy
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from alembic.migration import MigrationContext
from alembic.operations import Operations
from sqlmodel import Session, select

from domain.books import ViewRow
from domain.measures.forecasts import Snapshot
from domain.view import Stage
from store.board import BoardRow, amount
from store.database import Database
from store.migrate import MIGRATIONS
from store.orders import add_order
from store.snapshots import take_snapshot
from store.tables import LifecycleRow
from store.views import publish_view

OPENED = datetime(2026, 11, 20, 9, tzinfo=UTC)
FORECAST = {"term": 1, "category": "commit", "computed": "commit"}


def view(contract: str, **changes: Any) -> dict[str, Any]:
    return {"contract": contract, "stage": "serving", "account": "acc-board", "deal": "d-board", **changes}


def case(opened_at: datetime) -> dict[str, Any]:
    return {"id": "order", "kind": "invalid_order", "title": "no tax id", "opened_at": opened_at.isoformat()}


def publish(session: Session, seen: dict[str, Any], sequence: int = 1) -> None:
    contract = seen["contract"]
    if session.get(LifecycleRow, contract) is None:
        life = LifecycleRow(
            contract=contract, tenant="acme", account="a", deal="d", selling_entity="", workflow_id=f"w/{contract}"
        )
        session.add(life)
        session.flush()
    publish_view(session, ViewRow(contract=contract, run_started=OPENED, sequence=sequence, view=seen))


async def test_it_says_where_a_lifecycle_stands_and_whose_it_is(database: Database) -> None:
    def live(session: Session) -> list[BoardRow]:
        add_order(session, "b/1/1", {"account": {"id": "a", "name": "Hooli GmbH"}}, "test")
        publish(session, view("b/1/1", renewal_date="2027-11-20", risk="high", cases=[case(OPENED)]))
        first = session.get_one(BoardRow, "b/1/1").model_copy()
        publish(session, view("b/1/1", stage="renewal", hold="inv-7"), sequence=2)
        add_order(session, "b/1/1", {"account": {"id": "a", "name": "Hooli SE"}}, "test")
        session.expire_all()
        return [first, session.get_one(BoardRow, "b/1/1")]

    first, then = await database.write(live)
    assert (first.stage, first.customer, first.risk) == ("serving", "Hooli GmbH", "high")
    assert (first.calm, first.attention_since, first.renewal_date) == (False, OPENED, date(2027, 11, 20))
    assert (then.stage, then.customer, then.calm, then.standing) == ("renewal", "Hooli SE", True, "on_hold")


async def test_a_shadow_needs_nobody(database: Database) -> None:
    def live(session: Session) -> bool:
        publish(session, view("b/2/1", mode="shadow", cases=[case(OPENED)]))
        return session.get_one(BoardRow, "b/2/1").calm

    assert await database.write(live)


async def test_it_is_filled_from_what_was_there(database: Database) -> None:
    def refill(session: Session) -> list[BoardRow]:
        add_order(session, "b/3/1", {"account": {"name": "Old"}}, "test")
        add_order(session, "b/3/1", {"account": {"name": "Pied Piper"}}, "test")
        publish(
            session, view("b/3/1", renewal_date="2027-01-31", cases=[case(OPENED)], paused="audit", entitlement="grace")
        )
        publish(session, view("b/4/1", forecast=FORECAST, decision="renew (csm)", parent_account="acc-group"))
        worth = Snapshot(contract="b/4/1", day=OPENED.date(), account="a", stage=Stage.SERVING, currency="EUR")
        take_snapshot(session, worth.model_copy(update={"annual": Decimal("1200.00505")}))
        session.expire_all()
        before = [row.model_dump(exclude={"updated_at"}) for row in session.exec(select(BoardRow)).all()]
        scripts = [_script(name) for name in ("board", "board_columns", "counts", "board_pages")]
        with Operations.context(MigrationContext.configure(session.connection())):
            for script in reversed(scripts):
                script["downgrade"]()
            for script in scripts:
                script["upgrade"]()
        session.expunge_all()
        after = session.exec(select(BoardRow)).all()
        assert [row.model_dump(exclude={"updated_at"}) for row in after] == before
        return list(after)

    rows = {row.contract: row for row in await database.write(refill)}
    assert rows["b/3/1"].customer == "Pied Piper"
    assert rows["b/3/1"].standing == "paused"
    assert (rows["b/4/1"].currency, amount(rows["b/4/1"].annual or 0)) == ("EUR", Decimal("1200.01"))
    assert rows["b/3/1"].sought == "b/3/1 acc-board d-board pied piper"
    assert (rows["b/4/1"].forecast, rows["b/4/1"].decision) == ("commit", "renew")


def _script(name: str) -> dict[str, Any]:
    """A migration's functions, whatever its number is."""
    (file,) = (MIGRATIONS / "versions").glob(f"*_{name}.py")
    return runpy.run_path(str(file))
