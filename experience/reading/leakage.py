"""Leakage and control: what is billed or served other than the terms say, and what of it was recovered."""

from collections.abc import Iterable
from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, NamedTuple

from sqlalchemy import ColumnElement
from sqlmodel import Session, col, func, select

from domain.access import Guarded, Sensitive
from domain.glossary import glossary
from domain.measures.leakage import KINDS, Kind
from domain.measures.money import Money, money
from experience.reading.frame import Answer, Page, page_of, position
from starter.reporting import Reporting
from store.database import Database
from store.erp_states import Freshness, freshness
from store.leaks import LeakRow, leaks_between
from store.snapshots import last_day

OWNER = "finance"


class LeakLine(Guarded):
    """One finding. `days`: for how long so far, or until it was settled. `amount`: by the ERP's own price, up to
    `counted_on`; null where the ERP tells none. `recovered`: what the ERP bills of it after all, null while it is open.
    """

    id: str
    kind: Kind
    contract: str
    account: str
    line: str
    product: str
    since: date
    found_on: date
    counted_on: date
    days: int
    sentence: str
    because: str
    owner: str = OWNER
    currency: str
    amount: Annotated[Decimal | None, Sensitive("amount")]
    reported: Annotated[Money | None, Sensitive("amount")]
    closed_on: date | None
    recovered: Annotated[Decimal | None, Sensitive("amount")]


class Wanted(NamedTuple):
    """Which findings to list; None means all. `open`: only those that are not settled."""

    kind: Kind | None = None
    contract: str | None = None
    account: str | None = None
    open: bool = True


class KindSum(Guarded):
    """The open findings of one kind. `unpriced`: for how many the ERP tells no price: the sum is without them."""

    kind: Kind
    title: str
    meaning: str
    findings: int
    contracts: int
    unpriced: int
    amount: Annotated[Money, Sensitive("amount")]


class LeakageSums(Answer):
    """What is open, by kind. `problems`: by connection, why an ERP could not be read; what is known of it is older."""

    as_of: date
    kinds: list[KindSum]
    problems: dict[str, str]
    unread: int


class LeakageOverTime(Guarded):
    """What was found and what was recovered on the days asked for. `recovered_of`: what the settled findings amounted
    to. `settled` counts them, recovered or not."""

    found: int
    found_amount: Annotated[Money, Sensitive("amount")]
    settled: int
    recovered_of: Annotated[Money, Sensitive("amount")]
    recovered: Annotated[Money, Sensitive("amount")]
    unpriced: int


TITLES: dict[Kind, str] = {
    "not_started": "billing not started",
    "too_early": "billed before the rule allowed",
    "under_billed": "under-billed quantity",
    "expired_served": "expired but served",
}


async def leaks(
    database: Database, reporting: Reporting, wanted: Wanted, *, cursor: str | None = None, limit: int = 100
) -> Page[LeakLine]:
    """The findings, the longest first. Raises Mistake for a cursor that is none."""
    query = select(LeakRow).where(*_where(wanted))
    if cursor is not None:
        since, name = position(cursor, [date.fromisoformat, str])
        later = col(LeakRow.since) > since
        query = query.where(later | ((col(LeakRow.since) == since) & (col(LeakRow.id) > name)))
    query = query.order_by(col(LeakRow.since), col(LeakRow.id)).limit(limit + 1)

    def read(session: Session) -> Page[LeakLine]:
        rows = session.exec(query).all()
        return page_of(rows, limit, lambda row: [row.since, row.id], lambda row: line(row, reporting), sources(session))

    return await database.read(read)


async def sums(database: Database, reporting: Reporting, today: date) -> LeakageSums:
    """The open findings by kind, converted by the rates of the day."""

    def read(session: Session) -> LeakageSums:
        day = max(today, last_day(session) or today)
        rows = session.exec(select(LeakRow).where(col(LeakRow.closed_on).is_(None))).all()
        known = freshness(session)
        return LeakageSums(
            as_of=day,
            kinds=[_sum(kind, [row for row in rows if row.kind == kind], reporting, day) for kind in KINDS],
            problems=known.problems,
            unread=known.unread,
            freshness=sources(session, known),
        )

    return await database.read(read)


def over_time(session: Session, since: date, until: date, reporting: Reporting) -> LeakageOverTime:
    """What was found, and what was settled, on the days from one to another, at the rates of the last one."""
    rows = leaks_between(session, since, until)
    found = [row for row in rows if since <= row.found_on <= until]
    settled = [row for row in rows if row.closed_on is not None and since <= row.closed_on <= until]
    return LeakageOverTime(
        found=len(found),
        found_amount=_money(((row.currency, row.amount) for row in found), reporting, until),
        settled=len(settled),
        recovered_of=_money(((row.currency, row.amount) for row in settled), reporting, until),
        recovered=_money(((row.currency, row.recovered) for row in settled), reporting, until),
        unpriced=sum(row.amount is None for row in found),
    )


def line(row: LeakRow, reporting: Reporting) -> LeakLine:
    amount = None if row.amount is None else Decimal(row.amount)
    shown = {name: getattr(row, name) for name in LeakLine.model_fields if name in LeakRow.model_fields}
    return LeakLine(
        **shown
        | {
            "days": ((row.closed_on or row.counted_on) - row.since).days,
            "amount": amount,
            "reported": _money([(row.currency, row.amount)], reporting, row.counted_on) if amount is not None else None,
            "recovered": None if row.recovered is None else Decimal(row.recovered),
        }
    )


def sources(session: Session, known: Freshness | None = None) -> dict[str, datetime | None]:
    """How fresh what the ERP said is: the state that was read longest ago counts."""
    return {"erp": (known or freshness(session)).oldest}


def open_count(session: Session) -> int:
    """How many findings are open."""
    return session.exec(select(func.count()).where(col(LeakRow.closed_on).is_(None))).one()


def _sum(kind: Kind, rows: list[LeakRow], reporting: Reporting, day: date) -> KindSum:
    meanings = {entry.term: entry.definition for entry in glossary()}
    return KindSum(
        kind=kind,
        title=TITLES[kind],
        meaning=meanings[TITLES[kind]],
        findings=len(rows),
        contracts=len({row.contract for row in rows}),
        unpriced=sum(row.amount is None for row in rows),
        amount=_money(((row.currency, row.amount) for row in rows), reporting, day),
    )


def _money(amounts: Iterable[tuple[str, str | None]], reporting: Reporting, day: date) -> Money:
    total: dict[str, Decimal] = {}
    for currency, amount in amounts:
        if amount is not None:
            total[currency] = total.get(currency, Decimal(0)) + Decimal(amount)
    return money(total, reporting.currency, reporting.rates, day)


def _where(wanted: Wanted) -> list[ColumnElement[bool]]:
    where: list[ColumnElement[bool]] = [col(LeakRow.closed_on).is_(None)] if wanted.open else []
    for name in ("kind", "contract", "account"):
        if (value := getattr(wanted, name)) is not None:
            where.append(getattr(LeakRow, name) == value)
    return where
