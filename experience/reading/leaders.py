"""What leaders are shown: how long the first steps take, what stays of what there was, and what leaked."""

from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Annotated

from pydantic import BaseModel
from sqlmodel import Session, col, func, select

from domain.access import Guarded, Sensitive
from domain.measures.delays import (
    Beginning,
    Spread,
    spread,
    time_to_activation,
    time_to_first_invoice,
    time_to_go_live,
    time_to_onboarding,
)
from domain.measures.forecasts import Snapshot
from domain.measures.money import Money, Rate, money
from domain.measures.retention import Held, gross_retention, logo_churn, net_retention
from experience.reading.frame import Answer
from experience.reading.leakage import LeakageOverTime, over_time, sources
from starter.mistakes import Mistake
from starter.reporting import Reporting
from store.database import Database
from store.difference_tables import DifferenceRow
from store.snapshots import beginnings, first_day, last_day, snapshots_on
from store.subjects import merged_accounts

PLACES = Decimal("0.0001")


class Delays(BaseModel):
    """Days from the signature, over the contracts that were signed on the days asked for."""

    activation: Spread
    onboarding: Spread
    go_live: Spread
    first_invoice: Spread


class CurrencyRetention(Guarded):
    """Retention over the contracts, in one currency, of those who were customers on the first day."""

    currency: str
    gross: Decimal | None
    net: Decimal | None
    opening: Annotated[Decimal, Sensitive("value")]
    closing: Annotated[Decimal, Sensitive("value")]


class Retention(Guarded):
    """How much of what there was on `since` is there on `until`. Shares: 0.93 is 93 %.

    `gross` and `net` are over all contracts of those who were customers on the first day, in the reporting currency,
    both ends at the rates of that day, so that rates that move are no growth; null where their currencies can't be
    added up. `customers`: active on the first day; `lost` those that are not any more; `gained` those that came in
    between. `unpriced`: contracts of which the ERP tells no amount: they are left out of every amount.
    """

    since: date
    until: date
    gross: Decimal | None
    net: Decimal | None
    logo_churn: Decimal | None
    customers: int
    lost: int
    gained: int
    opening: Annotated[Money, Sensitive("value")]
    closing: Annotated[Money, Sensitive("value")]
    by_currency: list[CurrencyRetention]
    unpriced: int
    rates: list[Rate]


class Leaders(Answer):
    """The leaders' figures of the days from `since` until `until`. `healed`: differences between the systems that went
    away by themselves, by kind; `repaired` those that somebody repaired."""

    since: date
    until: date
    reporting_currency: str | None
    delays: Delays
    retention: Retention | None
    leakage: LeakageOverTime
    healed: dict[str, int]
    repaired: dict[str, int]


async def leaders(database: Database, reporting: Reporting, since: date, until: date) -> Leaders:
    """The figures of the days from one to another. Raises Mistake where they are the wrong way round."""
    if since > until:
        raise Mistake(f"{since} is after {until}")

    def read(session: Session) -> Leaders:
        return Leaders(
            since=since,
            until=until,
            reporting_currency=reporting.currency,
            delays=delays(beginnings(session, since, until).values()),
            retention=_retention(session, reporting, since, until),
            leakage=over_time(session, since, until, reporting),
            healed=_gone(session, "healed", since, until),
            repaired=_gone(session, "repaired", since, until),
            freshness=sources(session),
        )

    return await database.read(read)


async def period(database: Database, today: date, days: int = 365) -> tuple[date, date]:
    """The days that end with today, or with the last day on which a contract was measured: clocks that were moved are
    ahead."""
    last = await database.read(last_day)
    until = max(today, last or today)
    return until - timedelta(days=days), until


def delays(contracts: Iterable[Beginning]) -> Delays:
    begun = list(contracts)
    return Delays(
        activation=spread(map(time_to_activation, begun)),
        onboarding=spread(map(time_to_onboarding, begun)),
        go_live=spread(map(time_to_go_live, begun)),
        first_invoice=spread(map(time_to_first_invoice, begun)),
    )


def _retention(session: Session, reporting: Reporting, since: date, until: date) -> Retention | None:
    """None where nothing was measured by the last day. What is not known of the first day begins with the first that
    is."""
    first = first_day(session)
    if first is None or first > until:
        return None
    since = max(since, first)
    return retention(
        snapshots_on(session, since), snapshots_on(session, until), merged_accounts(session), reporting, since, until
    )


def retention(
    opening: Iterable[Snapshot],
    closing: Iterable[Snapshot],
    merged: Mapping[str, str],
    reporting: Reporting,
    since: date,
    until: date,
) -> Retention:
    """From where each contract stood on two days. `merged`: into what an account went that is gone."""
    before, after = list(opening), list(closing)
    unpriced = {each.contract for each in (*before, *after) if each.active and each.annual is None}
    was, now = _values(before, merged, unpriced), _values(after, merged, unpriced)
    customers = {_account(each, merged) for each in before if each.active}
    still = {_account(each, merged) for each in after if each.active}
    kept = {(account, currency): amount for (account, currency), amount in now.items() if account in customers}
    used = {each: _rate(each, reporting, since) for each in sorted({each for _, each in (*was, *kept)})}
    overall = _overall(was, kept, used)
    churned = logo_churn(customers, still)
    return Retention(
        since=since,
        until=until,
        gross=_share(gross_retention(overall)) if overall is not None else None,
        net=_share(net_retention(overall)) if overall is not None else None,
        logo_churn=_share(churned),
        customers=len(customers),
        lost=len(customers - still),
        gained=len(still - customers),
        opening=money(_total(was), reporting.currency, reporting.rates, since),
        closing=money(_total(now), reporting.currency, reporting.rates, since),
        by_currency=[_of_currency(each, was, kept) for each in sorted({each for _, each in was})],
        unpriced=len(unpriced),
        rates=[rate for rate in used.values() if isinstance(rate, Rate)],
    )


Values = Mapping[tuple[str, str], Decimal]
"""By account and currency."""


def _values(snapshots: Iterable[Snapshot], merged: Mapping[str, str], unpriced: set[str]) -> Values:
    found: dict[tuple[str, str], Decimal] = {}
    for each in snapshots:
        if each.held and each.currency and each.contract not in unpriced:
            key = _account(each, merged), each.currency
            found[key] = found.get(key, Decimal(0)) + each.held
    return found


def _account(snapshot: Snapshot, merged: Mapping[str, str]) -> str:
    return merged.get(snapshot.account, snapshot.account)


def _rate(currency: str, reporting: Reporting, day: date) -> Rate | Decimal | None:
    if currency == reporting.currency:
        return Decimal(1)
    return None if reporting.currency is None else reporting.rates.rate(currency, reporting.currency, day)


def _overall(was: Values, now: Values, used: Mapping[str, Rate | Decimal | None]) -> list[Held] | None:
    """What each customer had and has, in one currency; None where the currencies can't be added up."""
    if len(used) > 1 and None in used.values():
        return None
    factors = {each: rate.rate if isinstance(rate, Rate) else rate or Decimal(1) for each, rate in used.items()}
    accounts = sorted({account for values in (was, now) for account, _ in values})
    return [
        Held(
            sum((was.get((each, currency), Decimal(0)) * factor for currency, factor in factors.items()), Decimal(0)),
            sum((now.get((each, currency), Decimal(0)) * factor for currency, factor in factors.items()), Decimal(0)),
        )
        for each in accounts
    ]


def _of_currency(currency: str, was: Values, now: Values) -> CurrencyRetention:
    accounts = sorted({account for values in (was, now) for account, of in values if of == currency})
    held = [Held(was.get((each, currency), Decimal(0)), now.get((each, currency), Decimal(0))) for each in accounts]
    return CurrencyRetention(
        currency=currency,
        gross=_share(gross_retention(held)),
        net=_share(net_retention(held)),
        opening=sum((each.opening for each in held), Decimal(0)),
        closing=sum((each.closing for each in held), Decimal(0)),
    )


def _total(values: Values) -> dict[str, Decimal]:
    total: dict[str, Decimal] = {}
    for (_, currency), amount in values.items():
        total[currency] = total.get(currency, Decimal(0)) + amount
    return total


def _share(share: Decimal | None) -> Decimal | None:
    return None if share is None else share.quantize(PLACES)


def _gone(session: Session, how: str, since: date, until: date) -> dict[str, int]:
    """The differences that were closed so, by kind; days are those of UTC."""
    begins, ends = datetime.combine(since, time.min, UTC), datetime.combine(until, time.max, UTC)
    query = select(DifferenceRow.kind, func.count()).where(DifferenceRow.status == how)
    query = query.where(col(DifferenceRow.closed_at) >= begins, col(DifferenceRow.closed_at) <= ends)
    return dict(session.exec(query.group_by(col(DifferenceRow.kind)).order_by(col(DifferenceRow.kind))).all())
