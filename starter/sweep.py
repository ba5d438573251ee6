"""The sweep: due dates that pass announce nothing, so somebody has to look; what was parked may be known by now."""

from datetime import date, timedelta

import structlog
from sqlmodel import Session, col, select

from domain.company import Company
from domain.facts import INVOICE, Fact
from domain.mediation import COLLECTIONS, LEVELS, news, next_change, standing
from domain.routes import Landscape
from starter.delivery import business_day, look_anew, look_at_credit
from starter.routing import unpark_known
from starter.sla.sweep import sweep_clocks
from starter.slips import FACT
from store.clocks import look_again
from store.database import take_turn
from store.dead_letters import cases_for_parked, retry_due
from store.facts import facts_of, told
from store.inbox import ROUTING
from store.tables import DeliveryRow, FactRow, LifecycleRow

log = structlog.get_logger()


def sweep(session: Session, company: Company, landscape: Landscape | None = None) -> int:
    """Queue a look at every lifecycle whose invoices changed their standing by time alone; returns how many."""
    take_turn(session, ROUTING)
    unpark_known(session, landscape)
    retry_due(session)
    cases_for_parked(session, timedelta(days=company.early_event_days))
    with_invoices = select(FactRow.contract).where(FactRow.kind == INVOICE).distinct()
    lives = select(LifecycleRow).where(col(LifecycleRow.contract).in_(with_invoices), ~col(LifecycleRow.closed))
    return sum(_look_at(session, life, company) for life in session.exec(lives).all())


def sweep_one(session: Session, contract: str, company: Company) -> int:
    """The same for one lifecycle, whose clock was moved."""
    life = session.get(LifecycleRow, contract)
    look_again(session, contract)
    sweep_clocks(session, company, contract=contract)
    return _look(session, life, company) if life and not life.closed else 0


def next_sweep(session: Session, life: LifecycleRow, company: Company) -> date | None:
    """The next business day on which the sweep will find something for this lifecycle."""
    return next_change(_invoices(session, life.contract), business_day(session, life), company)


def _look_at(session: Session, life: LifecycleRow, company: Company) -> int:
    """One contract's absurd dates must not keep the sweep from the others."""
    try:
        return _look(session, life, company)
    except (ArithmeticError, ValueError) as error:
        log.error(
            "the sweep can't reckon with a contract's invoices", contract=life.contract, error=type(error).__name__
        )
        return 0


def _look(session: Session, life: LifecycleRow, company: Company) -> int:
    if _facts_under_way(session, life.contract):
        return 0
    queued, today = look_at_credit(session, life, company), business_day(session, life)
    level = news(standing(COLLECTIONS, _invoices(session, life.contract), today, company))
    if level == (told(session, life.contract, COLLECTIONS) or news(standing(COLLECTIONS, [], today, company))):
        return queued
    return queued + int(look_anew(session, life.contract, COLLECTIONS))


def _facts_under_way(session: Session, contract: str) -> bool:
    """Whether facts are still to be mediated; until then nobody knows what the lifecycle will have been told."""
    pending = select(DeliveryRow.id).where(DeliveryRow.stream == contract, DeliveryRow.state == "pending")
    return session.exec(pending.where(DeliveryRow.kind == FACT).limit(1)).first() is not None


def _invoices(session: Session, contract: str) -> list[Fact]:
    return facts_of(session, contract, LEVELS[COLLECTIONS])
