"""Renewals ahead: by week, what each is expected to become, what it is worth, and how ready it is."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Annotated, Any, Literal, NamedTuple

from sqlmodel import Session, col, func, or_, select

from domain.access import Guarded, Sensitive
from domain.measures.forecasts import Snapshot
from domain.policies.forecast import CATEGORIES, Category
from domain.policies.readiness import RenewalReadiness
from domain.view import LifecycleView, Stage
from experience.reading.frame import Answer
from store.board import BoardRow
from store.database import Database
from store.snapshots import last_day, snapshots_on
from store.tables import LifecycleViewRow
from store.views import OVER

WEEKS = 26
NOT_YET = (Stage.ORDER_ACTIVATION.value, *(stage.value for stage in OVER))
"""Stages in which no renewal is ahead."""


class _Ahead(NamedTuple):
    """What is counted of a renewal, without opening it."""

    contract: str
    stage: str
    ends: date
    forecast: str
    risk: str
    decision: str


Amounts = Annotated[dict[str, Decimal], Sensitive("value")]


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


class Week(Guarded):
    """What is ahead in one week, which begins on the Monday `week`: how many renewals by category ("none": nothing is
    known of them), and their annual recurring value by currency."""

    week: date
    renewals: dict[str, int]
    annual: Amounts


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
        ahead = _ahead(session, today)
        worth = {each.contract: each for each in snapshots_on(session, today, [row.contract for row in ahead])}
        listed = [row for row in ahead if _is_wanted(row, wanted)]
        first = _opened(session, [row.contract for row in listed[:limit]])
        newest = session.exec(select(func.max(BoardRow.updated_at))).one()
        return RenewalsAhead(
            today=today,
            weeks=_weeks(ahead, worth, today),
            late=sum(map(_is_late, ahead)),
            found=len(listed),
            categories=Counter(_category(row) for row in listed),
            annual={name: total for name in (*CATEGORIES, "none") if (total := _worth_of(listed, worth, name))},
            renewals=[_renewal(row, view, worth.get(row.contract)) for row, view in first],
            freshness={"lifecycles": newest, "amounts": _measured(session)},
        )

    return await database.read(read)


async def renewal(database: Database, contract: str, today: date) -> Renewal | None:
    """One renewal, however far ahead. None where there is no such contract, or no term that could be renewed."""

    def read(session: Session) -> Renewal | None:
        row = session.exec(select(BoardRow).where(BoardRow.contract == contract)).one_or_none()
        if row is None or row.renewal_date is None:
            return None
        worth = snapshots_on(session, today, [contract])
        [(row, view)] = _opened(session, [contract])
        return _renewal(row, view, worth[0] if worth else None)

    return await database.read(read)


def monday(day: date) -> date:
    return day - timedelta(days=day.weekday())


def _is_late(row: _Ahead) -> bool:
    """By its own calendar: its zone and its clock, which may have been moved, are not ours."""
    return row.stage == Stage.OUT_OF_TERM.value


def _ahead(session: Session, today: date) -> list[_Ahead]:
    row, first = BoardRow, monday(today)
    ends = col(row.renewal_date)
    soon = ends.between(first, first + timedelta(weeks=WEEKS, days=-1))
    query = select(row.contract, row.stage, row.renewal_date, row.forecast, row.risk, row.decision)  # type: ignore[call-overload]  # five or more
    query = query.where(or_(row.stage == Stage.OUT_OF_TERM.value, soon))
    query = query.where(col(row.stage).not_in(NOT_YET), ends.is_not(None)).order_by(ends, col(row.contract))
    return [_Ahead(*values) for values in session.exec(query).all()]


def _is_wanted(row: _Ahead, wanted: Wanted) -> bool:
    return (
        (wanted.week is None or monday(row.ends) == wanted.week)
        and (wanted.category is None or _category(row) == wanted.category)
        and (wanted.risk is None or row.risk == wanted.risk)
        and not (wanted.undecided and row.decision)
    )


def _category(row: _Ahead) -> str:
    return row.forecast or "none"


def _weeks(ahead: Sequence[_Ahead], worth: Mapping[str, Snapshot], today: date) -> list[Week]:
    """Each week has its place, also one in which nothing is ahead."""
    by_week: dict[date, list[_Ahead]] = {monday(today) + timedelta(weeks=n): [] for n in range(WEEKS)}
    for row in ahead:
        if (week := monday(row.ends)) in by_week:
            by_week[week].append(row)
    return [
        Week(week=week, renewals=Counter(map(_category, rows)), annual=_worth_of(rows, worth))
        for week, rows in by_week.items()
    ]


def _worth_of(rows: Sequence[_Ahead], worth: Mapping[str, Snapshot], category: str | None = None) -> dict[str, Decimal]:
    """By currency. What the ERP tells no amount of is not in it."""
    total: dict[str, Decimal] = {}
    for row in rows:
        known = worth.get(row.contract)
        if known is None or known.annual is None or known.currency is None:
            continue
        if category is None or _category(row) == category:
            total[known.currency] = total.get(known.currency, Decimal(0)) + known.annual
    return dict(sorted(total.items()))


def _opened(session: Session, contracts: list[str]) -> list[tuple[BoardRow, LifecycleView]]:
    """In the given order."""
    both = select(BoardRow, LifecycleViewRow).join(
        LifecycleViewRow, col(LifecycleViewRow.contract) == col(BoardRow.contract)
    )
    found = {row.contract: (row, view) for row, view in session.exec(both.where(col(BoardRow.contract).in_(contracts)))}
    return [(row, LifecycleView.model_validate(view.view)) for row, view in (found[each] for each in contracts)]


def _measured(session: Session) -> datetime | None:
    day = last_day(session)
    return datetime.fromisoformat(f"{day}T00:00:00+00:00") if day else None


def _renewal(row: BoardRow, view: LifecycleView, worth: Snapshot | None) -> Renewal:
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
        annual=worth.annual if worth else None,
        currency=worth.currency if worth else None,
        needs_attention=row.attention,
        **shared,
    )
