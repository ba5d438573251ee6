"""A company of some size: customers of two years, as the store holds them, with what was measured of each."""

import random
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

from sqlmodel import Session, col, delete

from domain.books import ViewRow
from domain.call_times import CallTimes
from domain.measures.forecasts import Snapshot
from domain.policies.forecast import CATEGORIES
from domain.targets import ClockKind
from domain.view import CaseView, ForecastView, LifecycleView, Stage
from store.call_times import SqlCallTimes
from store.clocks import SlaClockRow
from store.database import Database
from store.leaks import LeakRow
from store.orders import add_order
from store.snapshots import BeginningRow, take_snapshot
from store.tables import DeliveryRow, EffectRow, InboxRow, LifecycleRow
from store.views import publish_view

NAMES = (
    "Aperture Optics", "Blue Harbor", "Brightwater", "Cascade Health", "Cinder Media", "Copperfield", "Delta Freight",
    "Eastgate", "Ember Retail", "Fernwood", "Foxglove Labs", "Glacier Data", "Granite Works", "Halcyon", "Ironbridge",
    "Juniper Foods", "Kestrel Air", "Lakeshore", "Larkspur", "Lumen Energy", "Maplewood", "Meridian", "Nightingale",
    "Northwind", "Oakline", "Orchard Bank", "Palisade", "Quarry Stone", "Ridgeway", "Riverbend", "Saffron Travel",
    "Silverlake", "Stonebrook", "Summit Sports", "Tidewater", "Umber Paints", "Vantage", "Westfield", "Willow Care",
    "Yarrow",
)  # fmt: skip
CASES = (
    ("billing_start", "rejected", "the ERP refused to start the billing of line L2: the tax region is missing"),
    ("cs_plan", "unavailable", "the plan could not be made in the CS platform since its maintenance"),
    ("order", "invalid_order", "the purchase order that the customer asks for is missing"),
)
LEAKS = (
    ("not_started", "L1 is live since {days} days and not billed", "the milestone was reported late", 4200, None),
    ("not_started", "L3 is live since {days} days and not billed", "the order said no start of billing", 960, 960),
    ("under_billed", "L2: 25 seats are agreed and 20 are billed", "the amendment never reached the ERP", 1850, None),
    ("under_billed", "L1: 60 seats are agreed and 50 are billed", "somebody changed it in the ERP", 2300, 2300),
    ("too_early", "L2 is billed since {days} days, before the customer has accepted it", "", 640, 640),
    ("expired_served", "its term is over since {days} days and it is still served", "nobody has decided", 3100, None),
)
STAGES = (*[Stage.SERVING] * 7, *[Stage.RENEWAL] * 4, Stage.ONBOARDING, Stage.BILLING_ACTIVATION, Stage.ENDING)
NEXT = {Stage.ENDED: "", Stage.SERVING: "the renewal window opens"}
PRICES = (9_600, 14_400, 18_000, 24_000, 36_000, 58_800)
RUN = datetime(2025, 1, 1, tzinfo=UTC)
SOURCES, OUTSIDE = ("crm", "erp", "cs", "support", "usage"), ("crm", "erp", "cs")


async def add_past(database: Database, today: date) -> None:
    dice = random.Random(11)
    await database.write(lambda session: _write(session, today, dice))
    times = {name: CallTimes() for name in OUTSIDE}
    for name in times:
        for _ in range(400):
            times[name].add(dice.lognormvariate(-1.6, 0.7), failed=dice.random() < 0.01)
    await SqlCallTimes(database).add(times, {})


def _write(session: Session, today: date, dice: random.Random) -> None:
    for number, name in enumerate(NAMES):
        _customer(session, number, name, today, dice)
    for number, leak in enumerate(LEAKS):
        _leak(session, number, leak, today, dice)
    _clocks(session, today, dice)
    _running(session)
    _day(session, dice)


def _customer(session: Session, number: int, name: str, today: date, dice: random.Random) -> None:
    contract, account = f"crm/{7001 + number}/1", f"acc-{7001 + number}"
    stage, ends = STAGES[number % len(STAGES)], today + timedelta(days=dice.randint(95, 175))
    if stage is Stage.RENEWAL:
        ends = today + timedelta(days=dice.randint(4, 88))
    lost = number % 13 == 12
    stage = Stage.ENDED if lost else stage
    life: dict[str, Any] = {"account": account, "deal": str(7001 + number), "selling_entity": "ACME-DE"}
    workflow = f"lifecycle/acme/{contract}"
    session.add(LifecycleRow(contract=contract, tenant="acme", workflow_id=workflow, started=True, closed=lost, **life))
    session.flush()
    add_order(session, contract, {"account": {"id": account, "name": name}}, "crm")
    view = _view(contract, stage, ends, number, dice, life)
    row = ViewRow(contract=contract, run_started=RUN, sequence=1, view=view.model_dump(mode="json"))
    publish_view(session, row)
    signed = today - timedelta(days=dice.randint(100, 330))
    activated = signed + timedelta(days=dice.randint(1, 6))
    live = activated + timedelta(days=dice.randint(14, 60))
    days = {"signed_on": signed, "activated_on": activated, "launched_on": activated, "live_on": live}
    session.add(BeginningRow(contract=contract, invoiced_on=live + timedelta(days=dice.randint(1, 9)), **days))
    _measure(session, view, today, Decimal(dice.choice(PRICES)), dice)


def _measure(session: Session, view: LifecycleView, today: date, price: Decimal, dice: random.Random) -> None:
    """A year ago, a quarter ago, when its renewal was forecast, and today."""
    known = {"contract": view.contract, "account": view.account, "selling_entity": view.selling_entity}
    grown = (price * dice.choice((Decimal("1"), Decimal("1.1"), Decimal("1.25"), Decimal("0.9")))).quantize(Decimal(1))
    lost = view.stage is Stage.ENDED
    before = {"stage": Stage.SERVING, "term": 1, "term_ends": today - timedelta(days=dice.randint(5, 80))}
    category = dice.choice(("at_risk", "churn")) if lost else dice.choices(CATEGORIES, (9, 6, 3, 1))[0]
    worth = {"currency": "EUR", "annual": price, "category": category}
    for days in (365, 90):
        take_snapshot(session, Snapshot(day=today - timedelta(days=days), **known, **before, **worth))
    now = {
        "stage": view.stage,
        "term": 1 if lost else 2,
        "term_ends": view.term_ends,
        "currency": "EUR",
        "annual": grown,
    }
    expected = view.forecast.category if view.forecast else None
    take_snapshot(session, Snapshot(day=today, category=expected, **known, **now))


def _view(
    contract: str, stage: Stage, ends: date, number: int, dice: random.Random, life: dict[str, Any]
) -> LifecycleView:
    score = dice.randint(35, 98)
    decided = "renew (csm)" if stage is Stage.RENEWAL and number % 4 == 1 else None
    category = dice.choice(CATEGORIES)
    soon = datetime.combine(ends - timedelta(days=90 if stage is Stage.SERVING else 3), time(), UTC)
    return LifecycleView(
        contract=contract, stage=stage, zone="Europe/Berlin", term=2, term_starts=ends - timedelta(days=365),
        term_ends=ends, renewal_date=ends, window_opens=ends - timedelta(days=90),
        notice_cut_off=ends - timedelta(days=30), next_due=None if stage is Stage.ENDED else soon,
        next_step=NEXT.get(stage, "the term ends"),
        risk=("low", "low", "low", "medium", "high")[number % 5], entitlement="active", decision=decided,
        readiness=_readiness(score, ends) if stage is Stage.RENEWAL else None,
        forecast=ForecastView(term=2, category=category, computed=category, reasons=["as the facts say"]),
        cases=[_case(number)] if number % 9 == 4 else [], as_of=datetime.now(UTC), **life,
    )  # fmt: skip


def _case(number: int) -> CaseView:
    name, kind, title = CASES[number // 9 % len(CASES)]
    opened = datetime.now(UTC) - timedelta(hours=3 + 7 * number)
    return CaseView(id=name, kind=kind, title=title, reasons=["the answer names no more"], opened_at=opened)


def _readiness(score: int, ends: date) -> dict[str, Any]:
    sources = {name: {"as_of": str(ends - timedelta(days=91)), "stale": False} for name in SOURCES}
    lost = [f"−{100 - score}: adoption fell by a third since the summer"] if score < 90 else []
    verdict = "ready" if score >= 75 else "at_risk" if score < 50 else "attention"
    steps = ["Send the renewal proposal"]
    return {"verdict": verdict, "score": score, "reasons": lost, "sources": sources, "next_steps": steps}


def _leak(session: Session, number: int, leak: tuple[Any, ...], today: date, dice: random.Random) -> None:
    kind, sentence, because, amount, recovered = leak
    days, customer = dice.randint(12, 160), 7001 + 5 * number
    about = {"contract": f"crm/{customer}/1", "account": f"acc-{customer}", "line": f"L{1 + number % 3}"}
    closed = today - timedelta(days=5) if recovered else None
    since = today - timedelta(days=days)
    session.add(
        LeakRow(
            id=f"past-{number}", kind=kind, product="PLATFORM", since=since, found_on=since + timedelta(days=1),
            counted_on=today, sentence=sentence.format(days=days), because=because, currency="EUR",
            amount=str(amount), closed_on=closed, recovered=str(recovered) if recovered else None, **about,
        )
    )  # fmt: skip


def _clocks(session: Session, today: date, dice: random.Random) -> None:
    """Promises of the last twelve weeks, of which most were kept, and some that run: one is near its end, one late."""
    session.connection().execute(delete(SlaClockRow).where(col(SlaClockRow.contract).like("crm/70%")))
    for number in range(180):
        stopped = datetime.combine(today - timedelta(days=dice.randint(0, 80)), time(12), UTC)
        kind, missed = dice.choice(list(ClockKind)), dice.random() < 0.07
        began, customer = stopped - timedelta(hours=dice.randint(1, 40)), 7001 + number % len(NAMES)
        due = began + timedelta(hours=1) if missed else stopped + timedelta(hours=2)
        session.add(
            SlaClockRow(
                id=f"past-{number}", kind=kind.value, contract=f"crm/{customer}/1", account=f"acc-{customer}",
                team="operations", since=began, started=began, due=due, stopped=stopped,
                breached=due if missed else None, outcome="missed" if missed else "met", next_at=None,
            )
        )  # fmt: skip


def _running(session: Session) -> None:
    now = datetime.now(UTC)
    for number, (kind, hours) in enumerate(zip(ClockKind, (30, 8, 120, 2, -3, 50, 14), strict=True)):
        began, due = now - timedelta(hours=20), now + timedelta(hours=hours)
        late, near = hours < 0, hours < 4
        session.add(
            SlaClockRow(
                id=f"now-{number}", kind=kind.value, contract=f"crm/{7003 + number}/1", account=f"acc-{7003 + number}",
                team="operations" if number % 2 else "customer success", since=began, started=began, due=due,
                warn_at=due - timedelta(hours=4), warned=now if near else None, breached=due if late else None,
                next_at=None,
            )
        )  # fmt: skip


def _day(session: Session, dice: random.Random) -> None:
    """What flowed in the last day: more by day than by night."""
    now = datetime.now(UTC)
    for number in range(420):
        came = now - timedelta(hours=dice.triangular(0, 23, 6))
        event = InboxRow(
            source=dice.choice(SOURCES), event_id=f"past-{number}", type="tenure.event.v1", subject="", payload="{}",
            state="routed", received_at=came,
        )  # fmt: skip
        session.add(event)
        session.flush()
        settled = came.timestamp() + dice.lognormvariate(-0.5, 0.6)
        stream = f"crm/{7001 + number % len(NAMES)}/1"
        told: dict[str, Any] = {
            "stream": stream,
            "kind": "event",
            "payload": {},
            "seq": 100 + number,
            "state": "delivered",
        }
        session.add(DeliveryRow(inbox_id=event.id or 0, settled_at=settled, **told))
    for number in range(260):
        at = now.timestamp() - dice.uniform(0, 80_000)
        key: dict[str, Any] = {
            "key": f"past:{number}",
            "contract": f"crm/{7001 + number % len(NAMES)}/1",
            "state": "DONE",
        }
        asked: dict[str, Any] = {
            "arguments": "",
            "generation": 0,
            "asked_arguments": "",
            "asked_generation": 0,
            "lease_until": 0.0,
        }
        step = f"{dice.choice(OUTSIDE)}.set_level"
        session.add(EffectRow(operation=step, fence=1, created_at=at, sent_at=at, updated_at=at + 0.3, **key, **asked))
