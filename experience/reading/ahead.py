"""Renewals ahead: by week, what each is expected to become, what it is worth, and how ready it is."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import BaseModel
from sqlmodel import Session, and_, col, func, not_, select

from domain.access import Guarded, Sensitive
from domain.policies.forecast import CATEGORIES, Category
from domain.policies.readiness import RenewalReadiness
from domain.view import LifecycleView, Stage
from experience.reading.frame import Answer
from store.board import BoardRow, amount
from store.database import Database
from store.snapshots import last_day
from store.tables import LifecycleViewRow
from store.views import OVER

WEEKS = 26
NOT_YET = (Stage.ORDER_ACTIVATION.value, *(stage.value for stage in OVER))
"""Stages in which no renewal is ahead."""
LATE = (BoardRow.stage == Stage.OUT_OF_TERM.value, col(BoardRow.renewal_date).is_not(None))
"""By its own calendar: its zone and its clock, which may have been moved, are not ours."""


class Wanted(NamedTuple):
    """Which renewals to list; None means all. `week`: the Monday of one. `undecided`: only those."""

    week: date | None = None
    category: Category | Literal["none"] | None = None
    risk: str | None = None
    undecided: bool = False


class Renewal(Guarded):
    """One renewal. `ends`: the first day that the running term does not serve. `annual`: the annual recurring value of
    the contract by the ERP, unknown (null) where the ERP tells no amount, in `currency`."""

    contract: str
    account: str
    customer: str
    selling_entity: str
    stage: Stage
    ends: date
    window_opens: date | None
    notice_cut_off: date | None
    risk: str
    renewal_priority: str
    decision: str | None
    category: Category | None
    computed: Category | None
    by: str
    reasons: list[str]
    readiness: RenewalReadiness | None
    annual: Annotated[Decimal | None, Sensitive("value")]
    currency: str | None
    needs_attention: bool


class Week(BaseModel):
    """How many renewals are ahead in the week that begins on the Monday `week`, by category ("none": nothing is known
    of them)."""

    week: date
    renewals: dict[str, int]


class RenewalsAhead(Answer, Guarded):
    """`late`: terms that are over and undecided. `found`: how many are listed, of which `renewals` are the first; of
    all of those, `categories` counts them and `annual` adds them up by category and currency."""

    today: date
    weeks: list[Week]
    late: int
    found: int
    categories: dict[str, int]
    annual: Annotated[dict[str, dict[str, Decimal]], Sensitive("value")]
    renewals: list[Renewal]


async def renewals_ahead(database: Database, wanted: Wanted, today: date, *, limit: int) -> RenewalsAhead:
    """Of the next half year, and those that are late, soonest first."""

    def read(session: Session) -> RenewalsAhead:
        parts = [[*part, *_wanted(wanted)] for part in (_soon(today), _late(today))]
        found, annual = _totals(session, parts)
        newest = session.exec(select(func.max(BoardRow.updated_at))).one()
        return RenewalsAhead(
            today=today,
            weeks=_weeks(session, today),
            late=session.exec(select(func.count()).where(*LATE)).one(),
            found=found.total(),
            categories=found,
            annual=annual,
            renewals=_first(session, parts, limit),
            freshness={"lifecycles": newest, "amounts": _measured(session)},
        )

    return await database.read(read)


async def renewal(database: Database, contract: str) -> Renewal | None:
    """One renewal, however far ahead. None where there is no such contract, or no term that could be renewed."""

    def read(session: Session) -> Renewal | None:
        row = session.exec(select(BoardRow).where(BoardRow.contract == contract)).one_or_none()
        if row is None or row.renewal_date is None:
            return None
        return _opened(session, [row])[0]

    return await database.read(read)


def monday(day: date) -> date:
    return day - timedelta(days=day.weekday())


def _soon(today: date) -> list[Any]:
    """Of the half year that begins with this week."""
    first = monday(today)
    ends = col(BoardRow.renewal_date)
    return [ends.between(first, first + timedelta(weeks=WEEKS, days=-1)), col(BoardRow.stage).not_in(NOT_YET)]


def _late(today: date) -> list[Any]:
    """The others that are late, so that none is found twice."""
    return [*LATE, not_(and_(*_soon(today)))]


def _wanted(wanted: Wanted) -> list[Any]:
    where: list[Any] = []
    if wanted.week is not None:
        last = wanted.week + min(timedelta(days=6), date.max - wanted.week)
        where.append(col(BoardRow.renewal_date).between(wanted.week, last))
    if wanted.category is not None:
        where.append(BoardRow.forecast == ("" if wanted.category == "none" else wanted.category))
    if wanted.risk is not None:
        where.append(BoardRow.risk == wanted.risk)
    if wanted.undecided:
        where.append(BoardRow.decision == "")
    return where


def _weeks(session: Session, today: date) -> list[Week]:
    """Each week has its place, also one in which nothing is ahead."""
    by_week: dict[date, Counter[str]] = {monday(today) + timedelta(weeks=n): Counter() for n in range(WEEKS)}
    keys = (col(BoardRow.renewal_date), col(BoardRow.forecast))
    for ends, forecast, number in session.exec(select(*keys, func.count()).where(*_soon(today)).group_by(*keys)):
        if ends is not None:
            by_week[monday(ends)][forecast or "none"] += number
    return [Week(week=week, renewals=counted) for week, counted in by_week.items()]


def _totals(session: Session, parts: Sequence[list[Any]]) -> tuple[Counter[str], dict[str, dict[str, Decimal]]]:
    """By category, how many there are, and what they are worth by currency; what the ERP tells no amount of is not in
    that."""
    found, worth = Counter[str](), defaultdict[str, Counter[str]](Counter)
    keys = (col(BoardRow.forecast), col(BoardRow.currency))
    for part in parts:
        query = select(*keys, func.count(), func.sum(BoardRow.annual)).where(*part).group_by(*keys)
        for forecast, currency, number, annual in session.exec(query):
            found[forecast or "none"] += number
            if currency is not None and annual is not None:
                worth[forecast or "none"][currency] += int(annual)
    return found, {
        name: {currency: amount(units) for currency, units in sorted(worth[name].items())}
        for name in (*CATEGORIES, "none")
        if worth[name]
    }


def _first(session: Session, parts: Sequence[list[Any]], limit: int) -> list[Renewal]:
    query = select(BoardRow).order_by(col(BoardRow.renewal_date), col(BoardRow.contract)).limit(limit)
    found = [row for part in parts for row in session.exec(query.where(*part))]
    found.sort(key=lambda row: (row.renewal_date or date.max, row.contract))
    return _opened(session, found[:limit])


def _opened(session: Session, rows: Sequence[BoardRow]) -> list[Renewal]:
    query = select(LifecycleViewRow).where(col(LifecycleViewRow.contract).in_([row.contract for row in rows]))
    views = {row.contract: LifecycleView.model_validate(row.view) for row in session.exec(query)}
    return [_renewal(row, views[row.contract]) for row in rows]


def _measured(session: Session) -> datetime | None:
    day = last_day(session)
    return datetime.fromisoformat(f"{day}T00:00:00+00:00") if day else None


def _renewal(row: BoardRow, view: LifecycleView) -> Renewal:
    shared: dict[str, Any] = {
        name: getattr(view, name)
        for name in ("account", "selling_entity", "stage", "window_opens", "notice_cut_off", "risk", "decision")
    }
    forecast = view.forecast
    return Renewal(
        contract=row.contract,
        customer=row.customer,
        ends=row.renewal_date or date.max,
        renewal_priority=view.renewal_priority,
        category=forecast.category if forecast else None,
        computed=forecast.computed if forecast else None,
        by=forecast.by if forecast else "",
        reasons=forecast.reasons if forecast else [],
        readiness=RenewalReadiness.model_validate(view.readiness) if view.readiness else None,
        annual=None if row.annual is None else amount(row.annual),
        currency=row.currency,
        needs_attention=not row.calm,
        **shared,
    )
