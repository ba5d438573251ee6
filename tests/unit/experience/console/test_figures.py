"""SLA, leakage and the leaders' figures as their reader gets them."""

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from sqlmodel import Session

from domain.measures.forecasts import Snapshot
from domain.measures.leakage import Leak
from domain.view import LifecycleView, Stage
from store.clocks import SlaClockRow
from store.leaks import close_leak, keep_leak
from store.snapshots import BeginningRow, take_snapshot
from tests.experience import Experience

NOW = datetime.now(UTC)
TODAY = NOW.date()


async def page(experience: Experience, path: str, **asked: str) -> str:
    answer = await experience.http.get(f"/console/{path}", params=asked)
    assert answer.status_code == 200, answer.text
    return re.sub(r"\s+", " ", answer.text)


def clock(number: int, hours: float, **changes: object) -> SlaClockRow:
    """One whose time is over in so many hours."""
    due, kind = NOW + timedelta(hours=hours), str(changes.pop("kind", "order_activated"))
    row = SlaClockRow(id=f"{kind}:{number}", kind=kind, contract="crm/SL-1/1", since=NOW, started=NOW, due=due)
    return row.sqlmodel_update(changes)


async def test_clocks_come_the_most_urgent_first_and_promises_say_how_they_are_kept(experience: Experience) -> None:
    def put(session: Session) -> None:
        session.add(clock(1, 50))
        session.add(clock(2, -3, breached=NOW, kind="onboarding_launched", team="<csm>"))
        session.add(clock(3, 1, warned=NOW))
        session.add_all(clock(10 + n, -1, stopped=NOW, outcome="met") for n in range(3))
        session.add(clock(20, -1, stopped=NOW, outcome="missed"))

    await experience.database.write(put)
    text = await page(experience, "sla")
    states = re.findall(r'<span class="pill \w*">(late|near its end|in time)</span>', text)
    assert states == ["late", "near its end", "in time"]
    assert "75 %" in text
    assert "&lt;csm&gt;" in text
    assert f"{TODAY - timedelta(days=TODAY.weekday()):%d %b}: kept 3, missed 1" in text
    assert "near its end" not in await page(experience, "sla", state="breached")
    assert "late</span>" not in await page(experience, "sla", kind="order_activated")


async def leak(experience: Experience, number: int, kind: str, amount: str | None, *, settled: str = "") -> None:
    contract = f"crm/LK-{number}/1"
    await experience.publish(LifecycleView(contract=contract, stage=Stage.SERVING))
    found = Leak(
        kind=kind,
        line="L1",
        product="PLATFORM",
        since=TODAY - timedelta(days=30 - number),
        sentence=f"finding <{number}>",
        currency="EUR",
        amount=None if amount is None else Decimal(amount),
    )

    def put(session: Session) -> None:
        row = keep_leak(session, contract, "ACC-1", found, TODAY)
        if settled:
            close_leak(row, TODAY, found.amount, Decimal(settled))

    await experience.database.write(put)


async def test_what_leaks_is_added_up_by_kind_and_each_finding_leads_to_its_repair(experience: Experience) -> None:
    await leak(experience, 1, "not_started", "1200.50")
    await leak(experience, 2, "not_started", "800")
    await leak(experience, 3, "under_billed", None)
    await leak(experience, 4, "too_early", "10", settled="7")
    text = await page(experience, "leakage")
    assert "2,000.50 EUR" in text
    assert "1 without a price" in text
    assert re.findall(r"finding &lt;(\d)&gt;", text) == ["1", "2", "3"], "the longest first"
    assert 'href="/console/reconciliation?contract=crm/LK-1/1"' in text
    assert re.findall(r"finding &lt;(\d)&gt;", await page(experience, "leakage", kind="under_billed")) == ["3"]
    assert re.findall(r"finding &lt;(\d)&gt;", await page(experience, "leakage", contract="crm/LK-2/1")) == ["2"]
    settled = await page(experience, "leakage", settled="1", kind="too_early")
    assert re.search(r"finding &lt;4&gt;.*7 EUR", settled)


async def test_leaders_see_how_long_it_takes_what_stays_and_what_came(experience: Experience) -> None:
    began, first = TODAY - timedelta(days=200), TODAY - timedelta(days=100)

    def put(session: Session) -> None:
        for number, days in enumerate((2, 4, 10)):
            contract = f"crm/LD-{number}/1"
            activated = began + timedelta(days=days)
            session.add(BeginningRow(contract=contract, signed_on=began, activated_on=activated))
            ends = first + timedelta(days=30)
            stands = {"account": f"A{number}", "stage": Stage.SERVING, "currency": "EUR", "annual": Decimal(1000)}
            said = Snapshot(contract=contract, day=first, term=1, term_ends=ends, category="commit", **stands)
            take_snapshot(session, said)
            renewed = {**stands, "stage": Stage.ENDED} if number == 0 else stands
            take_snapshot(session, Snapshot(contract=contract, day=TODAY, term=1 if number == 0 else 2, **renewed))

    await experience.database.write(put)
    text = await page(experience, "leaders")
    assert "4.0 days" in text or "4 days" in text
    assert "66.7 %" in text, "two of three are still there"
    assert "1 of 3 customers lost" in text
    assert f"What was forecast on {TODAY - timedelta(days=90)}, and what came" in text
    assert "commit: renewed 2 renewals, lost 1 renewals" in text


async def test_before_anything_is_known_the_pages_say_so(experience: Experience) -> None:
    assert "nothing was measured yet" in await page(experience, "leaders")
    assert "Nothing leaks" in await page(experience, "leakage")
    assert "No clock is like this" in await page(experience, "sla")


async def test_what_is_asked_wrongly_is_one_clear_line(experience: Experience) -> None:
    for path in ("sla?kind=x", "sla?state=x", "sla?cursor=x", "leakage?kind=x", "leaders?days=7", "leaders?forecast=x"):
        answer = await experience.http.get(f"/console/{path}")
        assert answer.status_code == 422, path
        assert 'role="alert"' in answer.text
