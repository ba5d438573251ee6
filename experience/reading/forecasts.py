"""Dated forecast snapshots against what came."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Annotated, NamedTuple, get_args

from pydantic import BaseModel
from sqlmodel import Session

from domain.access import Guarded, Sensitive
from domain.measures.forecasts import Came, Outcome, Snapshot, what_came
from domain.measures.money import Money, money
from domain.policies.forecast import CATEGORIES, Category
from experience.reading.frame import Answer
from experience.reading.leakage import sources
from starter.mistakes import Mistake
from starter.reporting import Reporting
from store.database import Database
from store.snapshots import first_day, last_day, snapshots_between, snapshots_on

PLACES = Decimal("0.0001")


class ForecastLine(Guarded):
    """One renewal as it was forecast on the day, and what came of it. `annual`: the annual recurring value of then,
    `annual_after` that of afterwards; null where the ERP tells none. `by`: who forecast by hand."""

    contract: str
    account: str
    term: int
    term_ends: date
    category: Category
    by: str
    currency: str | None
    annual: Annotated[Decimal | None, Sensitive("value")]
    came: Came
    came_on: date | None
    annual_after: Annotated[Decimal | None, Sensitive("value")]


class CategorySum(Guarded):
    """The renewals that were forecast alike. `forecast`: what they were worth in a year; `renewed` what those are worth
    that were renewed, `lost` what those were that were not; the rest is open, or undecided after its term's end.
    `kept`: of those that are decided, the share of the forecast amount that was renewed; null while none is, or where
    currencies can't be added up."""

    category: Category
    contracts: int
    forecast: Annotated[Money, Sensitive("value")]
    came: dict[Came, int]
    renewed: Annotated[Money, Sensitive("value")]
    lost: Annotated[Money, Sensitive("value")]
    kept: Decimal | None


class ForecastAgainst(Answer):
    """What was forecast on `on` of the renewals whose term ends from `since` until `until`, and what has come of it by
    `today`. `unpriced`: for how many the ERP told no amount."""

    on: date
    since: date
    until: date
    today: date
    categories: list[CategorySum]
    renewals: list[ForecastLine]
    unpriced: int


class Days(BaseModel):
    """The days of which there are snapshots; null before the first."""

    first: date | None
    last: date | None


async def snapshot_days(database: Database) -> Days:
    return await database.read(lambda session: Days(first=first_day(session), last=last_day(session)))


class _Renewal(NamedTuple):
    """A renewal that was forecast, and what came of it."""

    was: Snapshot
    category: Category
    ends: date
    outcome: Outcome


async def forecast_against(
    database: Database, reporting: Reporting, on: date, since: date, until: date, today: date
) -> ForecastAgainst:
    """Amounts are converted at the rates of the day of the forecast. Raises Mistake for a day before the first
    snapshot, or days that are the wrong way round."""
    if since > until:
        raise Mistake(f"{since} is after {until}")

    def read(session: Session) -> ForecastAgainst:
        first, last = first_day(session), last_day(session)
        if first is None or last is None:
            raise Mistake("nothing has been measured yet, so there is no forecast to look back at")
        if on < first:
            raise Mistake(f"there is no forecast of {on}: the first snapshot is of {first}")
        day = max(today, last)
        forecast = [each for each in snapshots_on(session, on, (since, until)) if each.active and each.category]
        later = snapshots_between(session, on, day, [each.contract for each in forecast])
        renewals = list(_renewals(forecast, later, day))
        return ForecastAgainst(
            on=on,
            since=since,
            until=until,
            today=day,
            categories=[
                _sum(category, [each for each in renewals if each.category == category], reporting, on)
                for category in CATEGORIES
            ],
            renewals=[_line(each) for each in sorted(renewals, key=lambda each: (each.ends, each.was.contract))],
            unpriced=sum(each.was.annual is None for each in renewals),
            freshness=sources(session),
        )

    return await database.read(read)


def _renewals(forecast: Iterable[Snapshot], later: Mapping[str, Sequence[Snapshot]], today: date) -> Iterator[_Renewal]:
    for was in forecast:
        if was.category is not None and was.term_ends is not None:
            outcome = what_came(was, later.get(was.contract, ()), today)
            yield _Renewal(was, was.category, was.term_ends, outcome)


def _sum(category: Category, renewals: Sequence[_Renewal], reporting: Reporting, on: date) -> CategorySum:
    def total(amounts: Iterable[tuple[str | None, Decimal | None]]) -> Money:
        found: dict[str, Decimal] = {}
        for currency, amount in amounts:
            if currency is not None and amount is not None:
                found[currency] = found.get(currency, Decimal(0)) + amount
        return money(found, reporting.currency, reporting.rates, on)

    lost = total((each.was.currency, each.was.annual) for each in renewals if each.outcome.came == "lost")
    kept = total((each.was.currency, each.was.annual) for each in renewals if each.outcome.came == "renewed")
    return CategorySum(
        category=category,
        contracts=len(renewals),
        forecast=total((each.was.currency, each.was.annual) for each in renewals),
        came={came: sum(each.outcome.came == came for each in renewals) for came in get_args(Came)},
        renewed=total((each.was.currency, each.outcome.annual) for each in renewals if each.outcome.came == "renewed"),
        lost=lost,
        kept=_share(kept, lost),
    )


def _share(kept: Money, lost: Money) -> Decimal | None:
    """The part that was kept, in the reporting currency, or in the only one that there is."""
    currencies = kept.by_currency.keys() | lost.by_currency.keys()
    if len(currencies) == 1:
        [currency] = currencies
        amounts = [each.by_currency.get(currency, Decimal(0)) for each in (kept, lost)]
    elif kept.reported and lost.reported and not (kept.reported.left_out or lost.reported.left_out):
        amounts = [kept.reported.amount, lost.reported.amount]
    else:
        return None
    return (amounts[0] / sum(amounts)).quantize(PLACES) if sum(amounts) else None


def _line(renewal: _Renewal) -> ForecastLine:
    was, outcome = renewal.was, renewal.outcome
    return ForecastLine(
        contract=was.contract,
        account=was.account,
        term=was.term,
        term_ends=renewal.ends,
        category=renewal.category,
        by=was.by,
        currency=was.currency,
        annual=was.annual,
        came=outcome.came,
        came_on=outcome.on,
        annual_after=outcome.annual,
    )
