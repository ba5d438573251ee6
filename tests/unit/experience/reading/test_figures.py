"""The leaders' figures, leakage, and forecasts against what came, as whoever asks is answered."""

from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlmodel import Session

from domain.access import default_policy, visible
from domain.measures.forecasts import Snapshot
from domain.measures.money import NoRates, read_rates
from domain.view import ForecastView, Stage
from experience.reading.forecasts import forecast_against, snapshot_days
from experience.reading.leaders import leaders, period, retention
from experience.reading.leakage import Wanted, leaks, sums
from starter.mistakes import Mistake
from starter.reporting import Reporting
from store.database import Database
from store.difference_tables import DifferenceRow
from store.snapshots import snapshots_on
from store.subjects import merge_account
from tests.figures import BEGIN, GO_LIVE, Books, open_books, platform
from tests.stores import lay

END = date(BEGIN.year + 1, BEGIN.month, BEGIN.day)
US = {
    "selling_entity": "ACME-US",
    "currency": "USD",
}
RATES = f"Date,USD\n{BEGIN},1.25\n{END},2\n"
APART = Reporting(None, NoRates())
TOGETHER = Reporting("EUR", read_rates(RATES, "the bank"))


def after(days: int) -> date:
    return BEGIN + timedelta(days=days)


@pytest.fixture(scope="module")
async def year(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Books]:
    """Five customers of 3650 a year each. By the year's end one has doubled, one is lost, one of two merged accounts is
    gone, one has been decided and one is out of term; a new one came in between."""
    url = f"sqlite:///{tmp_path_factory.mktemp('year') / 'store.db'}"
    lay(url)
    async with open_books(Database(url)) as books:
        for deal, forecast in (("GROWS", "commit"), ("LEAVES", "commit"), ("STAYS", "best_case"), ("OPEN", "at_risk")):
            contract = await books.win(deal, [platform()], billed={"1": BEGIN})
            await books.change(contract, forecast=ForecastView(term=1, category=forecast, computed=forecast))
        dollars = await books.win("DOLLARS", [platform()], billed={"1": BEGIN}, **US)
        await books.change(dollars, forecast=ForecastView(term=1, category="commit", computed="commit"))
        await books.sweep()

        await books.on(after(200))
        await books.win("NEW", [platform(billing_start=GO_LIVE)], billed={}, signed_on=after(195).isoformat())
        new = books.views["crm/NEW/1"]
        await books.change(new.contract, milestones={"go-live": after(210)})
        await books.on(after(240))
        await books.sweep()

        await books.on(END)
        renewed = {"stage": Stage.SERVING, "term": 2, "term_starts": END, "term_ends": END.replace(year=END.year + 1)}
        await books.change("crm/GROWS/1", **renewed)
        await books.change("crm/STAYS/1", **renewed)
        await books.change("crm/DOLLARS/1", **renewed)
        await books.change("crm/LEAVES/1", stage=Stage.ENDED, forecast=None, entitlement="ended", entitlement_since=END)
        await books.change("crm/OPEN/1", stage=Stage.OUT_OF_TERM)
        (await books.admin.post("/admin/clock", json={"now": f"{END}T11:00:00+00:00"})).raise_for_status()
        await _double(books)
        await books.sweep()
        yield books
        books.database.close()


async def _double(books: Books) -> None:
    from domain.ports import Amendment

    amendment = Amendment(subscription=books.subscription("crm/GROWS/1"), effective=END, quantities={"1": Decimal(20)})
    await books.erp.amend_subscription(amendment, key="amendment:double")
    [line] = books.views["crm/GROWS/1"].lines
    await books.change("crm/GROWS/1", lines=[line.model_copy(update={"quantity": "20"})])


async def test_the_ends_of_the_calendar_are_days_too(year: Books) -> None:
    assert (await leaders(year.database, APART, date.min, date.max)).healed == {}


async def test_retention_over_a_year_by_currency(year: Books) -> None:
    found = (await leaders(year.database, APART, BEGIN, END)).retention
    assert found is not None
    assert (found.customers, found.lost, found.gained, found.logo_churn) == (5, 1, 1, Decimal("0.2000"))
    euro, dollar = found.by_currency
    assert (euro.currency, euro.gross, euro.net) == ("EUR", Decimal("0.7500"), Decimal("1.0000"))
    assert (dollar.currency, dollar.gross, dollar.net) == ("USD", Decimal(1), Decimal(1))
    assert (found.gross, found.net) == (None, None), "two currencies are not added up without rates"
    assert found.opening.by_currency == {"EUR": Decimal("14600.00"), "USD": Decimal("3650.00")}


async def test_retention_in_the_reporting_currency_is_no_matter_of_rates(year: Books) -> None:
    found = (await leaders(year.database, TOGETHER, BEGIN, END)).retention
    assert found is not None
    assert found.opening.reported is not None
    assert found.opening.reported.amount == Decimal("17520.00"), "14600 and 3650 / 1.25"
    assert (found.gross, found.net) == (Decimal("0.7917"), Decimal("1.0000"))
    assert [(rate.currency, rate.on, rate.source) for rate in found.rates] == [("USD", BEGIN, "the bank")]


async def test_accounts_that_were_merged_are_one_customer(year: Books) -> None:
    merged = await year.database.write(lambda session: merge_account(session, "ACC-LEAVES", "ACC-STAYS"))
    assert merged
    found = (await leaders(year.database, APART, BEGIN, END)).retention
    assert found is not None
    assert (found.customers, found.lost) == (4, 0)


async def test_first_steps_of_those_that_were_signed_in_the_time(year: Books) -> None:
    found = (await leaders(year.database, APART, after(100), after(300))).delays
    assert (found.activation.contracts, found.activation.median) == (1, 5)
    assert (found.go_live.median, found.first_invoice.waiting) == (15, 1)


async def test_what_leaked_and_was_recovered(year: Books) -> None:
    found = (await leaders(year.database, TOGETHER, after(201), after(300))).leakage
    assert (found.found, found.settled) == (1, 0)
    assert found.found_amount.by_currency == {"EUR": Decimal("1550.00")}, "since the go-live, up to the last look"

    page = await leaks(year.database, TOGETHER, Wanted(kind="not_started"))
    [leak] = page.items
    assert (leak.contract, leak.days, leak.amount, leak.owner) == ("crm/NEW/1", 155, Decimal("1550.00"), "finance")
    assert page.freshness["erp"] is not None

    by_kind = {each.kind: each for each in (await sums(year.database, TOGETHER, BEGIN)).kinds}
    assert (by_kind["not_started"].findings, by_kind["too_early"].findings) == (1, 0)
    assert by_kind["not_started"].meaning.startswith("Billing not started: ")


async def test_findings_come_page_by_page(year: Books) -> None:
    first = await leaks(year.database, APART, Wanted(open=False), limit=1)
    names, cursor = [each.id for each in first.items], first.next
    while cursor is not None:
        page = await leaks(year.database, APART, Wanted(open=False), cursor=cursor, limit=1)
        names, cursor = [*names, *(each.id for each in page.items)], page.next
    everything = await leaks(year.database, APART, Wanted(open=False))
    assert names == [each.id for each in everything.items]
    with pytest.raises(Mistake):
        await leaks(year.database, APART, Wanted(), cursor="none")


async def test_a_forecast_against_what_came(year: Books) -> None:
    found = await forecast_against(year.database, APART, after(1), END, END, BEGIN)
    assert [(each.contract, each.category, each.came) for each in found.renewals] == [
        ("crm/DOLLARS/1", "commit", "renewed"),
        ("crm/GROWS/1", "commit", "renewed"),
        ("crm/LEAVES/1", "commit", "lost"),
        ("crm/OPEN/1", "at_risk", "undecided"),
        ("crm/STAYS/1", "best_case", "renewed"),
    ]
    commit, best_case, at_risk, churn = found.categories
    assert (commit.contracts, commit.came["lost"], commit.kept) == (3, 1, None)
    assert commit.renewed.by_currency == {"EUR": Decimal("7300.00"), "USD": Decimal("3650.00")}
    assert (best_case.kept, at_risk.kept, churn.contracts) == (Decimal(1), None, 0)

    together = await forecast_against(year.database, TOGETHER, after(1), END, END, BEGIN)
    assert together.categories[0].kept == Decimal("0.6429"), "of 10220: 3650 and 2920"


async def test_a_day_before_the_first_snapshot_has_no_forecast(year: Books) -> None:
    with pytest.raises(Mistake, match=f"there is no forecast of {after(-1)}: the first snapshot is of {BEGIN}"):
        await forecast_against(year.database, APART, after(-1), END, END, BEGIN)
    assert (await snapshot_days(year.database)).model_dump() == {"first": BEGIN, "last": END}
    assert await period(year.database, BEGIN) == (END - timedelta(days=365), END)


async def test_days_before_anything_was_measured_have_no_retention(year: Books) -> None:
    assert (await leaders(year.database, APART, after(-90), after(-1))).retention is None
    with pytest.raises(Mistake, match="is after"):
        await leaders(year.database, APART, after(2), after(1))


async def test_differences_that_went_away_are_counted_by_how(year: Books) -> None:
    def close(session: Session) -> None:
        for number, status in enumerate(("healed", "healed", "repaired", "open")):
            gone = datetime.combine(after(9), time(), UTC) if status != "open" else None
            session.add(
                DifferenceRow(
                    id=f"d{number}", kind="erp_missing", klass="missing", system="erp", sentence="", owner="finance",
                    status=status, closed_at=gone,
                )
            )  # fmt: skip

    await year.database.write(close)
    found = await leaders(year.database, APART, after(9), after(9))
    assert (found.healed, found.repaired) == ({"erp_missing": 2}, {"erp_missing": 1})
    assert (await leaders(year.database, APART, after(10), after(20))).healed == {}


async def test_who_sees_no_amounts_sees_the_findings(year: Books) -> None:
    [leak] = (await leaks(year.database, APART, Wanted(kind="not_started"))).items
    csm = default_policy().principal("ann", roles=["csm"])
    shown: dict[str, Any] = visible(csm, leak)
    assert shown["sentence"] == leak.sentence
    assert (shown["amount"], shown["recovered"], "amount" in shown["masked"]) == (None, None, True)


async def test_customers_that_came_in_between_do_not_matter_to_retention(year: Books) -> None:
    """Nor does their currency."""
    opening = [each for each in await _on(year, BEGIN) if each.currency == "USD"]
    closing = await _on(year, END)
    found = retention(opening, closing, {}, APART, BEGIN, END)
    assert (found.gross, found.net, found.gained) == (Decimal(1), Decimal(1), 4)
    assert [each.currency for each in found.by_currency] == ["USD"]
    assert set(found.closing.by_currency) == {"EUR", "USD"}


async def _on(year: Books, day: date) -> list[Snapshot]:
    return await year.database.read(lambda session: snapshots_on(session, day))
