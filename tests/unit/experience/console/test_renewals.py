"""Renewals as their reader gets them: by week, with what they are worth and expected to become, and why."""

import re
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from domain.measures.forecasts import Snapshot
from domain.view import ForecastView, LifecycleView, Stage
from experience.reading.ahead import monday
from store.snapshots import take_snapshot
from tests.experience import Experience

TODAY = datetime.now(UTC).date()
UNFILLED = {"decision": "end", "months": "", "received": "", "reason": ""}
READINESS = {
    "verdict": "attention",
    "score": 60,
    "reasons": ["−25: 1 of 4 invoices overdue, 1,200.00 EUR", "−15: <adoption> is low"],
    "sources": {"erp": {"as_of": str(TODAY), "stale": False}, "usage": {"as_of": None, "stale": True}},
    "next_steps": ["Settle the overdue invoices before talking about the renewal"],
}


def view(number: int, days: int, **changes: Any) -> LifecycleView:
    ends = TODAY + timedelta(days=days)
    values: dict[str, Any] = {
        "contract": f"crm/RN-{number}/1",
        "stage": Stage.RENEWAL,
        "account": f"ACC-{number}",
        "selling_entity": "ACME-DE",
        "term": 1,
        "term_ends": ends,
        "renewal_date": ends,
        "window_opens": ends - timedelta(days=90),
        "notice_cut_off": ends - timedelta(days=30),
    }
    return LifecycleView(**(values | changes))


def expected(category: str, by: str = "") -> ForecastView:
    return ForecastView(term=1, category=category, computed="best_case", by=by, reasons=["an invoice is overdue"])


async def worth(experience: Experience, contract: str, annual: str, currency: str = "EUR") -> None:
    snapshot = Snapshot(
        contract=contract, day=TODAY, account="a", stage=Stage.RENEWAL, annual=Decimal(annual), currency=currency
    )
    await experience.database.write(lambda session: take_snapshot(session, snapshot))


async def page(experience: Experience, **asked: str) -> str:
    answer = await experience.http.get("/console/renewals", params=asked)
    assert answer.status_code == 200, answer.text
    return answer.text


def shown(text: str) -> list[str]:
    return re.findall(r'id="renewal-crm/(RN-\d+)/1"', text)


async def test_the_soonest_come_first_and_what_is_late_before_them(experience: Experience) -> None:
    await experience.publish(view(1, 60))
    await experience.publish(view(2, 10))
    await experience.publish(view(3, -12, stage=Stage.OUT_OF_TERM))
    await experience.publish(view(4, 400, stage=Stage.SERVING))
    await experience.publish(view(5, 5, stage=Stage.ENDED))
    text = await page(experience)
    assert shown(text) == ["RN-3", "RN-2", "RN-1"]
    assert "1 term is over and nobody has decided" in text


async def test_what_was_decided_is_not_late(experience: Experience) -> None:
    await experience.publish(view(1, -30, decision="renew (csm)"))
    await experience.publish(view(2, 20, decision="end (notice)"))
    text = await page(experience)
    assert shown(text) == ["RN-2"]
    assert "nobody has decided" not in text


async def test_each_week_says_what_it_holds_and_leads_there(experience: Experience) -> None:
    week = monday(TODAY + timedelta(days=40))
    await experience.publish(view(1, 40, forecast=expected("commit")))
    await experience.publish(view(2, 40, forecast=expected("at_risk")))
    await experience.publish(view(3, 100))
    text = await page(experience)
    assert f"{week:%d %b}: commit 1 renewals, best case 0 renewals, at risk 1 renewals" in text
    assert f'href="/console/renewals?week={week}"' in text
    assert shown(await page(experience, week=str(week))) == ["RN-1", "RN-2"]


async def test_filters_choose(experience: Experience) -> None:
    await experience.publish(view(1, 20, forecast=expected("churn"), risk="high"))
    await experience.publish(view(2, 30, decision="renew (clause)", forecast=expected("commit")))
    assert shown(await page(experience, category="churn")) == ["RN-1"]
    assert shown(await page(experience, category="none")) == []
    assert shown(await page(experience, risk="high")) == ["RN-1"]
    assert shown(await page(experience, undecided="1")) == ["RN-1"]
    assert "No renewal is like this" in await page(experience, risk="medium")


async def test_what_each_is_worth_is_added_up_by_currency(experience: Experience) -> None:
    for number, annual, currency in ((1, "12000", "EUR"), (2, "8000.50", "EUR"), (3, "5000", "USD")):
        await experience.publish(view(number, 20 + number, forecast=expected("commit")))
        await worth(experience, f"crm/RN-{number}/1", annual, currency)
    await experience.publish(view(4, 50, forecast=expected("commit")))
    text = await page(experience)
    assert "20,000.50 EUR a year" in text
    assert "5,000 USD a year" in text
    assert "unknown" in text, "the ERP tells no amount of the fourth"


async def test_who_forecast_by_hand_is_named_beside_what_the_facts_say(experience: Experience) -> None:
    await experience.publish(view(1, 20, forecast=expected("at_risk", by="dana")))
    assert "by dana; the facts say best case" in await page(experience)


async def test_one_renewal_says_how_ready_it_is_and_why_and_how_fresh_that_is(experience: Experience) -> None:
    await experience.publish(view(1, 20, readiness=READINESS, forecast=expected("best_case")))
    answer = await experience.http.get("/console/renewals/crm/RN-1/1")
    assert answer.status_code == 200, answer.text
    for words in (
        "attention, 60",
        "−25: 1 of 4 invoices overdue, 1,200.00 EUR",
        "&lt;adoption&gt; is low",
        "Settle the overdue invoices",
        "erp: today",
        "usage: never read, not judged",
        "an invoice is overdue",
        "nobody has decided",
    ):
        assert words in answer.text, words


async def test_a_contract_without_a_term_has_no_renewal(experience: Experience) -> None:
    await experience.publish(view(1, 20, renewal_date=None, stage=Stage.ORDER_ACTIVATION))
    assert (await experience.http.get("/console/renewals/crm/RN-1/1")).status_code == 404
    assert (await experience.http.get("/console/renewals/crm/nobody/1")).status_code == 404


async def test_what_is_asked_wrongly_is_one_clear_line(experience: Experience) -> None:
    for asked in ({"week": "soon"}, {"category": "maybe"}, {"risk": "<b>"}):
        answer = await experience.http.get("/console/renewals", params=asked)
        assert answer.status_code == 422
        assert 'role="alert"' in answer.text


async def test_an_end_needs_a_reason(experience: Experience) -> None:
    await experience.publish(view(1, 20))
    answer = await experience.http.get("/console/renewals/crm/RN-1/1/preview", params=UNFILLED)
    assert answer.status_code == 422
    assert "say why it ends" in answer.text


def test_a_week_begins_on_its_monday() -> None:
    assert [monday(date(2027, 1, day)) for day in (4, 10, 11)] == [
        date(2027, 1, 4),
        date(2027, 1, 4),
        date(2027, 1, 11),
    ]
