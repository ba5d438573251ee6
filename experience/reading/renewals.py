"""Renewals: which are ahead, whether one can be decided on now, and how ready the customer is."""

from collections.abc import Iterator
from datetime import date
from typing import NamedTuple

from pydantic import BaseModel
from sqlmodel import Session, col, func, select, tuple_

from domain.glossary import can_be_renewed
from domain.policies.forecast import Category
from domain.policies.readiness import RenewalReadiness
from domain.view import ForecastView, LifecycleView, PriceNoticeView, Stage
from experience.reading.contracts import seen
from experience.reading.frame import Answer, Page, page_of, position
from experience.reading.freshness import of_sources
from experience.services import Services
from store.board import BoardRow
from store.tables import LifecycleViewRow

OVER = (Stage.ENDED.value, Stage.CANCELLED.value)


class Wanted(NamedTuple):
    """Which renewals to list; None means all."""

    renews_from: date | None = None
    renews_before: date | None = None
    forecast: Category | None = None
    decided: bool | None = None
    account: str | None = None


class RenewalLine(BaseModel):
    """A renewal that is ahead. `verdict` and `score` are of its readiness; null while it was not assembled."""

    contract: str
    account: str
    customer: str
    term: int
    renewal_date: date
    notice_cut_off: date | None
    window_opens: date | None
    risk: str
    forecast: Category | None
    verdict: str | None
    score: int | None
    decision: str | None


class EligibilityAnswer(Answer):
    """`eligible`: see the glossary, "renewal eligibility"; `reasons` say why not. `decision`: what was decided already,
    and by whom. `notice_cut_off`: the last day of notice for the running term."""

    contract: str
    eligible: bool
    reasons: list[str]
    term: int
    term_ends: date | None
    window_opens: date | None
    notice_cut_off: date | None
    decision: str | None
    price_notice: PriceNoticeView | None


class ReadinessAnswer(Answer):
    """How ready the customer is to renew, with the reason for each lost point; null while nothing was assembled."""

    contract: str
    account: str
    term: int
    term_ends: date | None
    risk: str
    renewal_priority: str
    readiness: RenewalReadiness | None
    forecast: ForecastView | None
    decision: str | None


async def renewals(services: Services, wanted: Wanted, *, cursor: str | None, limit: int) -> Page[RenewalLine]:
    """The renewals of open contracts, the nearest first."""
    row = BoardRow
    query = select(row, LifecycleViewRow).join(LifecycleViewRow, col(LifecycleViewRow.contract) == col(row.contract))
    query = query.where(col(row.renewal_date).is_not(None), col(row.stage).not_in(OVER))
    if wanted.renews_from is not None:
        query = query.where(col(row.renewal_date) >= wanted.renews_from)
    if wanted.renews_before is not None:
        query = query.where(col(row.renewal_date) < wanted.renews_before)
    if wanted.forecast is not None:
        query = query.where(row.forecast == wanted.forecast)
    if wanted.decided is not None:
        query = query.where((col(row.decision) != "") if wanted.decided else (row.decision == ""))
    if wanted.account is not None:
        query = query.where(row.account == wanted.account)
    place = (col(row.renewal_date), col(row.contract))
    if cursor is not None:
        query = query.where(tuple_(*place) > tuple_(*position(cursor, [date.fromisoformat, str])))

    def read(session: Session) -> Page[RenewalLine]:
        rows = session.exec(query.order_by(*place).limit(limit + 1)).all()
        newest = session.exec(select(func.max(BoardRow.updated_at))).one()
        return page_of(
            rows, limit, lambda pair: [pair[0].renewal_date, pair[0].contract], _line, {"lifecycles": newest}
        )

    return await services.database.read(read)


async def eligibility(services: Services, contract: str) -> EligibilityAnswer | None:
    def read(session: Session) -> EligibilityAnswer | None:
        found = seen(session, contract, services.clock)
        if found is None:
            return None
        view = found.view
        reasons = list(_hindrances(view, found.today))
        return EligibilityAnswer(
            contract=contract,
            eligible=can_be_renewed(view.stage, view.window_opens, found.today),
            reasons=reasons,
            term=view.term,
            term_ends=view.term_ends,
            window_opens=view.window_opens,
            notice_cut_off=view.notice_cut_off,
            decision=view.decision,
            price_notice=view.price_notice,
            freshness={"lifecycle": found.updated_at},
        )

    return await services.database.read(read)


async def readiness(services: Services, contract: str) -> ReadinessAnswer | None:
    def read(session: Session) -> ReadinessAnswer | None:
        found = seen(session, contract, services.clock)
        if found is None:
            return None
        view = found.view
        assessed = RenewalReadiness.model_validate(view.readiness) if view.readiness else None
        return ReadinessAnswer(
            contract=contract,
            account=view.account,
            term=view.term,
            term_ends=view.term_ends,
            risk=view.risk,
            renewal_priority=view.renewal_priority,
            readiness=assessed,
            forecast=view.forecast,
            decision=view.decision,
            freshness={"lifecycle": found.updated_at, **(of_sources(assessed) if assessed else {})},
        )

    return await services.database.read(read)


def _hindrances(view: LifecycleView, today: date) -> Iterator[str]:
    """Why it can't be renewed now; nothing where it can."""
    match view.stage:
        case Stage.ORDER_ACTIVATION:
            yield "the order is not activated yet"
        case Stage.CANCELLED:
            yield "the order was cancelled"
        case Stage.ENDED:
            yield "the contract has ended"
        case Stage.ENDING:
            yield "the contract is ending"
        case _ if view.window_opens is None:
            yield "the contract runs on without a term's end"
        case _ if view.window_opens > today:
            yield f"the renewal window opens on {view.window_opens}"


def _line(pair: tuple[BoardRow, LifecycleViewRow]) -> RenewalLine:
    row, view = pair[0], LifecycleView.model_validate(pair[1].view)
    read = view.readiness or {}
    return RenewalLine.model_validate(
        {
            "contract": row.contract,
            "account": row.account,
            "customer": row.customer,
            "term": view.term,
            "renewal_date": row.renewal_date,
            "notice_cut_off": view.notice_cut_off,
            "window_opens": view.window_opens,
            "risk": row.risk,
            "forecast": row.forecast or None,
            "verdict": read.get("verdict"),
            "score": read.get("score"),
            "decision": view.decision,
        }
    )
