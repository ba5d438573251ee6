"""A store full of lifecycles, as years of work leave it: written through the store's own functions, so that whatever
lists and counters are kept beside a view are there, too."""

import random
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import (
    JSON,
    Column,
    ColumnElement,
    Integer,
    String,
    Table,
    Text,
    TypeDecorator,
    case,
    cast,
    false,
    func,
    literal,
    or_,
    true,
    type_coerce,
)
from sqlmodel import Session, SQLModel, insert, select

from domain.books import ViewRow
from domain.measures.forecasts import Snapshot
from domain.policies.forecast import CATEGORIES
from domain.view import CaseView, ForecastView, LifecycleView, LineView, Stage
from store.database import Database, now
from store.orders import add_order
from store.snapshots import take_snapshot
from store.tables import DeliveryRow, EffectRow, InboxRow, LifecycleRow, TimelineRow
from store.views import publish_view

FIRST = 200
MARK = "-0P"
"""Stands in the names of the first lifecycles, and of nothing else."""
NUMBERED = ("id", "inbox_id", "outgoing_id")
NAMED = ("contract", "key", "subject", "stream", "account", "customer", "event_id", "case_id", "difference")
BEGAN = datetime(2024, 1, 1, 9, tzinfo=UTC)
SHARES = {
    Stage.ORDER_ACTIVATION: 2,
    Stage.ONBOARDING: 8,
    Stage.BILLING_ACTIVATION: 3,
    Stage.SERVING: 55,
    Stage.RENEWAL: 18,
    Stage.ENDING: 3,
    Stage.OUT_OF_TERM: 1,
    Stage.ENDED: 9,
    Stage.CANCELLED: 1,
}
NAMES = ("Hooli", "Initech", "Umbrella", "Stark", "Wayne", "Wonka", "Tyrell", "Cyberdyne", "Vandelay", "Globex")
FORMS = ("GmbH", "Inc.", "SE", "AG", "Ltd", "BV")
ENTITIES = (("ACME-US", "USD"), ("ACME-DE", "EUR"))
STEPS = (
    "erp.create_customer", "erp.create_subscription", "erp.activate_order", "crm.write_status", "cs.create_company",
    "cs.create_plan", "erp.start_billing", "erp.set_acceptance", "cs.set_health", "cs.complete_task",
    "crm.create_renewal_opportunity", "cs.start_playbook",
)  # fmt: skip
LINES = ("PLATFORM", "ANALYTICS", "SUPPORT-PREMIUM")
NEEDS_SOMEBODY = 0.04


def fill(database: Database, lives: int, seed: int) -> list[str]:
    """Make the first ones through the store's own functions, then copy whatever rows they have, in every table, until
    there are as many as wanted. Returns their contracts."""
    dice, first = random.Random(seed), min(FIRST, lives)

    def write(session: Session) -> None:
        for number in range(first):
            _life(session, number, dice)
        if copies := lives // first - 1:
            _copy_rows(session, copies)
        session.connection().exec_driver_sql("ANALYZE")

    database.write_sync(write)
    names = database.read_sync(lambda session: session.exec(select(LifecycleRow.contract)).all())
    return sorted(names)


def _copy_rows(session: Session, copies: int) -> None:
    """Every row of every table that names one of the first lifecycles, so often more under other names: a statement for
    each table, which reads the table once."""
    connection = session.connection()
    session.flush()
    numbers = select(literal(1).label("copy")).cte("copies", recursive=True)
    numbers = numbers.union_all(select(numbers.c.copy + 1).where(numbers.c.copy < copies))
    for table in SQLModel.metadata.sorted_tables:
        if not connection.scalar(select(func.count()).select_from(table)):
            continue
        highest = {
            column.name: connection.scalar(select(func.max(column))) or 0
            for column in table.columns
            if column.name in NUMBERED and isinstance(_kind(column), Integer)
        }
        values = [_renamed(column, numbers.c.copy, highest, connection.dialect.name) for column in table.columns]
        rows = select(*values).select_from(table.join(numbers, true())).where(_is_first(table))
        connection.execute(table.insert().from_select([column.name for column in table.columns], rows))


def _is_first(table: Table) -> ColumnElement[bool]:
    named = [column for column in table.columns if column.name in NAMED]
    return or_(*(column.like(f"%{MARK}%") for column in named)) if named else false()


def _renamed(
    column: Column[Any], copy: ColumnElement[int], highest: Mapping[str, int], dialect: str
) -> ColumnElement[Any]:
    if column.name in highest:
        return column + copy * highest[column.name]
    if not isinstance(_kind(column), String | JSON):
        return column
    document = isinstance(_kind(column), JSON) and dialect == "postgresql"
    text = cast(column, Text) if document else type_coerce(column, Text)
    mark = literal("-") + cast(copy + 100, Text)
    renamed: ColumnElement[Any] = func.replace(text, MARK, mark)
    if column.unique:
        renamed = case((text.contains(MARK), renamed), else_=text + mark)
    return cast(renamed, column.type) if document else renamed


def _kind(column: Column[Any]) -> object:
    return column.type.impl_instance if isinstance(column.type, TypeDecorator) else column.type


def _life(session: Session, number: int, dice: random.Random) -> str:
    deal, (entity, currency) = f"D{MARK}{number:04}", dice.choice(ENTITIES)
    contract = f"crm/{deal}/1"
    life = LifecycleRow(
        contract=contract,
        tenant="acme",
        account=f"A{MARK}{number * 4 // 5:04}",
        deal=deal,
        selling_entity=entity,
        workflow_id=f"lifecycle/acme/{contract}",
        started=True,
    )
    session.add(life)
    session.flush()
    name = f"{dice.choice(NAMES)} {number} {dice.choice(FORMS)}"
    lines = [{"id": f"L{n}", "product": sku, "quantity": 25, "unit_price": 20} for n, sku in enumerate(LINES, 1)]
    account = {"id": life.account, "name": name}
    add_order(
        session, contract, {"deal_id": life.deal, "account": account, "currency": currency, "lines": lines}, "bench"
    )
    view = _view(life, dice)
    row = ViewRow(contract=contract, run_started=BEGAN, sequence=1, view=view.model_dump(mode="json"))
    publish_view(session, row)
    take_snapshot(session, _snapshot(view, currency, dice))
    _history(session, view, dice)
    return contract


def _view(life: LifecycleRow, dice: random.Random) -> LifecycleView:
    stage = dice.choices([*SHARES], [*SHARES.values()])[0]
    today = datetime.now(UTC).date()
    ahead = {Stage.RENEWAL: (1, 90), Stage.OUT_OF_TERM: (-20, 0)}.get(stage, (91, 365))
    ends = today + timedelta(days=dice.randint(*ahead))
    activated = stage not in (Stage.ORDER_ACTIVATION, Stage.CANCELLED)
    category = dice.choice(CATEGORIES)
    score = dice.randint(30, 100)
    needs = activated and dice.random() < NEEDS_SOMEBODY
    return LifecycleView(
        contract=life.contract,
        stage=stage,
        account=life.account,
        deal=life.deal,
        selling_entity=life.selling_entity,
        connections={kind: kind for kind in ("crm", "erp", "cs")},
        zone="Europe/Berlin",
        term=1,
        term_starts=ends - timedelta(days=365) if activated else None,
        term_ends=ends if activated else None,
        renewal_date=ends if activated else None,
        window_opens=ends - timedelta(days=90) if activated else None,
        notice_cut_off=ends - timedelta(days=30) if activated else None,
        next_due=datetime.now(UTC) + timedelta(days=dice.randint(1, 90)),
        next_step="the renewal window opens",
        risk=dice.choices(("low", "medium", "high"), (80, 15, 5))[0],
        readiness=_readiness(score, today) if stage is Stage.RENEWAL else None,
        forecast=ForecastView(term=1, category=category, computed=category, reasons=["it renews by its clause"]),
        entitlement="active" if activated else "none",
        lines=[
            LineView(id=f"L{n}", product=sku, quantity="25", billing_rule="on activation", billing_starts=ends)
            for n, sku in enumerate(LINES, 1)
        ],
        milestones={"go-live": ends - timedelta(days=330)} if activated else {},
        effects={f"{step}:{life.contract}": f"ref-{n}-{life.deal}" for n, step in enumerate(STEPS)},
        cases=[_case(life.contract)] if needs else [],
        last_seq=7,
        as_of=datetime.now(UTC),
    )


def _snapshot(view: LifecycleView, currency: str, dice: random.Random) -> Snapshot:
    return Snapshot(
        contract=view.contract,
        day=datetime.now(UTC).date(),
        account=view.account,
        selling_entity=view.selling_entity,
        stage=view.stage,
        term=view.term,
        term_ends=view.term_ends,
        category=view.forecast.category if view.forecast else None,
        currency=currency,
        annual=Decimal(dice.randint(50, 2000) * 12),
    )


def _readiness(score: int, today: date) -> dict[str, Any]:
    sources = {name: {"as_of": str(today), "stale": False} for name in ("erp", "support", "usage", "cs", "crm")}
    return {
        "verdict": "ready" if score >= 75 else "at_risk" if score < 50 else "attention",
        "score": score,
        "reasons": [f"−{100 - score}: 1 of 5 invoices overdue, 1,200.00 EUR"] if score < 100 else [],
        "sources": sources,
        "next_steps": ["Send the renewal proposal"],
    }


def _case(contract: str) -> CaseView:
    return CaseView(
        id="billing",
        kind="rejected",
        title="the ERP refused to start the billing of line L1",
        reasons=["tax region is missing"],
        opened_at=datetime.now(UTC) - timedelta(hours=3),
        mend=f"tenure fix {contract} ship_to.address.region=…",
    )


def _history(session: Session, view: LifecycleView, dice: random.Random) -> None:
    """Its effects, what was told, and the events that it had."""
    clock, contract = now(session), view.contract
    sent = [clock - dice.uniform(0, 30 * 86400) for _ in STEPS]
    effects = [
        {
            "key": f"{step}:{contract}", "contract": contract, "operation": step, "state": "DONE", "fence": 1,
            "arguments": "0" * 64, "generation": 0, "asked_arguments": "0" * 64, "asked_generation": 0,
            "lease_until": 0.0, "sent_at": at, "created_at": at, "updated_at": at + dice.uniform(0.02, 0.6),
            "result": {"ref": f"ref-{n}"}, "reason": "", "epoch": 0,
        }
        for n, (step, at) in enumerate(zip(STEPS, sent, strict=True))
    ]  # fmt: skip
    session.connection().execute(insert(EffectRow), effects)
    told = [
        {"contract": contract, "business_at": datetime.fromtimestamp(at, UTC), "recorded_at": datetime.now(UTC),
         "kind": "effect", "summary": f"{step} was done", "ref": f"{step}:{n}"}
        for n, (step, at) in enumerate(zip(STEPS, sent, strict=True))
    ]  # fmt: skip
    session.connection().execute(insert(TimelineRow), told)
    for n in range(2):
        came = datetime.now(UTC) - timedelta(seconds=dice.uniform(0, 30 * 86400))
        event = InboxRow(
            source=dice.choice(("crm", "erp", "cs", "support")), event_id=f"{contract}:{n}", subject=contract,
            type="tenure.invoice.posted.v1", payload="{}", state="routed", received_at=came,
        )  # fmt: skip
        session.add(event)
        session.flush()
        session.add(
            DeliveryRow(
                inbox_id=event.id or 0, stream=contract, kind="invoice_posted", payload={}, seq=n + 1,
                state="delivered", settled_at=came.timestamp() + dice.uniform(0.1, 2.0),
            )
        )  # fmt: skip
