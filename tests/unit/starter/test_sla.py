"""SLA clocks from what the store learns to the case, the event and the figures that follow."""

import asyncio
from collections.abc import Iterator
from datetime import timedelta

import pytest
from sqlmodel import select

from domain.calendar import start_of_day
from domain.messages import CollectionsChanged
from domain.ports import Health
from domain.view import Stage
from starter.case_desk import CaseDesk
from starter.sla.risk import risk_clock
from starter.sla.sweep import ClockSweep, sweep_clocks
from store.account_health import SqlAccountHealth
from store.clocks import SlaClockRow
from store.database import Database
from store.figures import promises
from store.outgoing import told_by
from store.tables import CaseRow, LifecycleRow, utc_now
from tests.clocks import CONTRACT, Watched, a_company

ALONE = {"onboarding": {"name": "none", "tasks": ()}}


@pytest.fixture
def database(either_url: str) -> Iterator[Database]:
    database = Database(either_url)
    yield database
    database.close()


@pytest.fixture
def watched(database: Database) -> Watched:
    return Watched(database, a_company(**ALONE))


async def test_an_order_that_is_not_activated_is_warned_of_and_late_once(watched: Watched) -> None:
    await watched.won()
    await watched.later(hours=17)
    assert await watched.states() == {"order_activated": "running"}
    await watched.later(hours=2)
    assert await watched.states() == {"order_activated": "warned"}
    assert await watched.cases() == ["soon late: a won order is activated"]
    await watched.later(hours=6)
    for _ in range(2):
        await watched.sweep()
    assert await watched.states() == {"order_activated": "breached"}
    assert await watched.cases() == ["late: a won order is activated"]
    assert await watched.told() == ["sla_warned order_activated", "sla_breached order_activated"]

    await watched.activated(stages={"billing": "off"})
    await watched.sweep()
    assert (await watched.states())["order_activated"] == "missed"
    assert await watched.cases() == []
    figures = await watched.database.read(promises)
    assert figures["order_activated"][3:] == (0, 1)
    assert figures["onboarding_launched"][3:] == (1, 0), "launched with the very view that told of the activation"


async def test_a_stop_in_time_counts_though_nobody_looked(watched: Watched) -> None:
    await watched.won()
    await watched.show()
    await watched.activated(stages={"billing": "off"})
    await watched.later(days=9)
    assert await watched.states() == {"order_activated": "met", "onboarding_launched": "met"}
    assert await watched.told() == []


async def test_what_ended_late_while_nobody_looked_is_told_but_is_no_case(watched: Watched) -> None:
    await watched.won()
    watched._shift = timedelta(days=3)
    await watched.activated(stages={"billing": "off"})
    await watched.sweep()
    assert (await watched.states())["order_activated"] == "missed"
    assert await watched.told() == ["sla_breached order_activated"]
    assert await watched.cases("resolved") == []


async def test_a_cancelled_order_leaves_nothing_running(watched: Watched) -> None:
    await watched.won()
    await watched.later(days=2)
    await watched.show(stage=Stage.CANCELLED)
    await watched.later(days=9)
    assert await watched.states() == {"order_activated": "void"}
    assert await watched.cases() == []


async def test_a_pause_does_not_count(watched: Watched) -> None:
    await watched.won()
    await watched.later(hours=10)
    await watched.show(paused="the customer asked")
    await watched.later(days=5)
    assert await watched.states() == {"order_activated": "held"}
    await watched.show(paused=None)
    await watched.later(hours=7)
    assert await watched.states() == {"order_activated": "running"}
    await watched.later(hours=8)
    assert await watched.states() == {"order_activated": "breached"}


async def test_milestones_are_measured_by_their_planned_day(database: Database) -> None:
    watched = Watched(database, a_company())
    await watched.won()
    await watched.activated(stages={"billing": "off"})
    await watched.sweep()
    states = await watched.states()
    assert {name for name in states if name.startswith("milestone")} == {
        "milestone_reached kick-off",
        "milestone_reached trained",
        "milestone_reached go-live",
    }
    await watched.later(days=7)
    assert (await watched.states())["milestone_reached kick-off"] == "breached"
    in_time = (watched.now - timedelta(days=3)).date()
    await watched.show(milestones={"kick-off": in_time})
    await watched.sweep()
    assert (await watched.states())["milestone_reached kick-off"] == "met", "it was reached in time, and told late"
    assert await watched.cases() == []


async def test_billing_counts_from_the_day_on_which_its_rule_is_met(watched: Watched) -> None:
    starts = (watched.now + timedelta(days=10)).date()
    await watched.won(billing_start=f"on_date:{starts}")
    await watched.activated()
    begins = start_of_day(starts, watched.view.zone)
    await watched.until(begins - timedelta(hours=1))
    assert (await watched.states())["billing_started 1"] == "waiting"
    await watched.until(begins + timedelta(hours=12))
    assert (await watched.states())["billing_started 1"] == "running"
    await watched.until(begins + timedelta(hours=25))
    assert (await watched.states())["billing_started 1"] == "breached"
    assert await watched.cases() == ["late: billing of a line starts once its rule is met (1)"]
    lines = [{"id": "1", "product": "P", "quantity": "1", "billing_rule": "r", "billing_starts": starts}]
    await watched.show(lines=lines)
    await watched.sweep()
    assert (await watched.states())["billing_started 1"] == "missed"


async def test_billing_that_waits_for_a_purchase_order_is_not_late(watched: Watched) -> None:
    line = {"id": "1", "product": "P", "quantity": "1", "billing_rule": "r"}
    await watched.won(billing_start="on_activation")
    await watched.activated(lines=[{**line, "waits_for": "the customer's purchase order"}])
    await watched.later(days=9)
    assert (await watched.states())["billing_started 1"] == "waiting"
    await watched.show(lines=[line])
    await watched.later(hours=23)
    assert (await watched.states())["billing_started 1"] == "warned"


async def test_readiness_counts_from_the_window_that_may_be_moved(watched: Watched) -> None:
    opens = (watched.now + timedelta(days=20)).date()
    await watched.won()
    await watched.activated(stages={"billing": "off"}, window_opens=opens)
    await watched.later(days=15)
    assert (await watched.states())["readiness_assembled"] == "waiting"
    await watched.show(window_opens=opens + timedelta(days=30))
    await watched.later(days=15)
    assert (await watched.states())["readiness_assembled"] == "waiting"
    await watched.later(days=22)
    assert (await watched.states())["readiness_assembled"] == "breached"
    await watched.show(readiness={"level": "ready"})
    await watched.sweep()
    assert (await watched.states())["readiness_assembled"] == "missed"
    await watched.show(readiness=None, term=2, window_opens=opens + timedelta(days=400))
    await watched.sweep()
    assert (await watched.told())[-1] == "sla_breached readiness_assembled"


async def test_a_case_is_answered_by_a_person(watched: Watched) -> None:
    await watched.won()
    await watched.activated(stages={"billing": "off"})
    opened = utc_now() - timedelta(hours=7)
    await watched.open(CaseRow(id="c1", contract=CONTRACT, kind="order", title="wrong", opened_at=opened))
    await watched.sweep()
    assert (await watched.states())["case_answered order"] == "warned"
    desk = CaseDesk(watched.database)
    assert (await desk.find("c1")).tags == ["sla-warned"]
    await desk.note("c1", "ann", "I look into it")
    await watched.sweep()
    assert (await watched.states())["case_answered order"] == "met"
    assert await watched.told() == ["sla_warned case_answered"]


async def test_a_case_that_nobody_takes_up_is_tagged_and_gets_no_case_of_its_own(watched: Watched) -> None:
    await watched.won()
    opened = utc_now() - timedelta(hours=9)
    await watched.open(CaseRow(id="c2", contract=None, kind="dead_letter", title="wrong", opened_at=opened))
    for _ in range(3):
        await watched.sweep()
    case = (await CaseDesk(watched.database).show("c2")).case
    assert case.tags == ["sla-breached"]
    assert await watched.cases() == []
    history = (await CaseDesk(watched.database).show("c2")).history
    assert [note.what.split(";")[0] for note in history] == ["nobody has taken it up"]
    await CaseDesk(watched.database).resolve("c2", "ann", "a test")
    await watched.sweep()
    assert (await watched.states())["case_answered dead_letter"] == "missed"


async def test_targets_are_the_company_s(database: Database) -> None:
    office = {"zone": "UTC", "week": {"mon": ("09:00-17:00",)}}
    sla = [
        {"kind": "order_activated", "within": "30m"},
        {"kind": "case_answered", "of": ["order"], "within": "1h"},
        {"kind": "case_answered", "off": True},
    ]
    watched = Watched(database, a_company(**ALONE, sla=sla, hours={"office": office}))
    await watched.won()
    await watched.later(minutes=31)
    opened = utc_now() - timedelta(hours=2)
    for kind in ("order", "dead_letter"):
        await watched.open(CaseRow(id=kind, kind=kind, title="wrong", opened_at=opened))
    await watched.sweep()
    assert await watched.states() == {
        "order_activated": "breached",
        "case_answered order": "breached",
        "case_answered dead_letter": "running",
    }


async def test_the_clock_of_a_risk_stops_when_cs_shows_it(watched: Watched) -> None:
    def told(overdue: bool, before: object) -> None:
        level = CollectionsChanged(overdue_since=watched.today if overdue else None, delinquent=("I-1",), seq=4)
        watched.database.write_sync(
            lambda session: risk_clock(
                session, session.get_one(LifecycleRow, CONTRACT), before, level, watched.company, swept=False
            )
        )

    await watched.won()
    await watched.activated(stages={"billing": "off"})
    told(True, None)
    await watched.later(minutes=10)
    health = SqlAccountHealth(watched.database)

    async def shown(*reasons: str) -> None:
        seen = Health(
            company="C-1", risk="medium", renewal_priority="raised", lifecycle_stage="serving", reasons=reasons
        )
        rolled = await health.assess(CONTRACT, seen)
        while rolled.news:
            rolled = await health.shown(CONTRACT, rolled)

    await shown("adoption is 10%, less than 40%")
    await watched.sweep()
    assert (await watched.states())["risk_told"] == "running", "what CS shows does not know of the invoice yet"
    await watched.later(minutes=2)
    assert (await watched.states())["risk_told"] == "warned"
    await shown("adoption is 10%, less than 40%", "an invoice is 0 days overdue")
    await watched.sweep()
    assert (await watched.states())["risk_told"] == "met"
    told(True, {"overdue_since": "2027-01-01"})
    told(False, {"overdue_since": "2027-01-01"})
    await watched.sweep()
    assert (await watched.states())["risk_told"] == "met"


async def test_a_changed_target_moves_the_clocks_that_run(watched: Watched) -> None:
    await watched.won()
    await ClockSweep(watched.database, watched.company).look()
    await watched.later(hours=2)
    assert await watched.states() == {"order_activated": "running"}
    stricter = a_company(**ALONE, sla=[{"kind": "order_activated", "within": "1h"}])
    sweep = ClockSweep(watched.database, stricter)
    assert await sweep.look() == 1
    assert await watched.states() == {"order_activated": "breached"}
    assert await sweep.look() == 0, "nothing is due any more"


async def test_no_stop_is_lost_while_the_sweep_is_at_work(database: Database) -> None:
    """What a lifecycle publishes and what the sweep reckons meet on the same rows, again and again."""
    company, over = a_company(**ALONE, sla=[{"kind": "order_activated", "within": "0m"}]), asyncio.Event()
    lives = [Watched(database, company, contract=f"crm/sla-{number}/1") for number in range(12)]
    for life in lives:
        await life.won()

    async def sweep() -> None:
        while not over.is_set():
            await database.write(lambda session: sweep_clocks(session, company))

    async def activate(life: Watched) -> None:
        await life.show(paused="a while")
        await life.show(paused=None)
        await life.activated(stages={"billing": "off"})

    sweeping = asyncio.create_task(sweep())
    await asyncio.gather(*(activate(life) for life in lives))
    over.set()
    await sweeping
    while await database.write(lambda session: sweep_clocks(session, company)):
        pass
    rows = await database.read(lambda session: session.exec(select(SlaClockRow)).all())
    assert {(row.kind, row.outcome, row.next_at) for row in rows} == {
        ("order_activated", "missed", None),
        ("onboarding_launched", "met", None),
    }
    told = await database.read(lambda session: [told_by(session, life.contract) for life in lives])
    turns = [[body["type"] for body in bodies if "sla_breached" in body["type"]] for bodies in told]
    assert turns == [["tenure.lifecycle.sla_breached.v1"]] * len(lives)
