"""Measuring: from a contract's view, its order and what the ERP said to its snapshot, its first steps and its leakage.

It reads the store alone. The same facts measured twice change nothing.
"""

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Literal, NamedTuple

import structlog
from sqlmodel import Session, col, update

from domain import keys
from domain.calendar import civil_date, start_of_day
from domain.company import Company
from domain.facts import USAGE
from domain.measures.delays import Beginning
from domain.measures.forecasts import Snapshot
from domain.measures.leakage import Leak, Watched, amount_until, leakage, recovered
from domain.measures.value import annual_value
from domain.order import ContractSheet
from domain.policies.validation import parse_order, sheet
from domain.ports.prices import PricedState
from domain.standins import is_real
from domain.urgency import urgency_of_view
from domain.view import LifecycleView, Stage
from starter.leaking import tell_found, tell_settled
from store.database import Database, change, take_turn
from store.erp_states import ErpStateRow, first_invoice
from store.facts import facts_of
from store.leaks import LeakRow, close_leak, keep_leak, open_leaks
from store.orders import newest_order
from store.snapshots import MeasuredRow, keep_beginning, take_snapshot, to_measure
from store.tables import EffectRow, LifecycleRow, LifecycleViewRow, utc_now
from store.transit import ImportRow
from store.views import OVER

log = structlog.get_logger()

TURN = "measuring"
BATCH = 50


class Known(NamedTuple):
    """What the store knows of a contract. `state`: the ERP's, None where it was never read; `current`: it was read
    after the view was published, so that the two can be held against each other. `now`: the contract's business time,
    `today`: its day.
    """

    life: LifecycleRow
    shown: LifecycleViewRow
    view: LifecycleView
    erp: ErpStateRow | None
    state: PricedState | None
    current: bool
    now: datetime
    today: date


class Measured(NamedTuple):
    """What was measured of a contract. `leaks` None: it was not looked for leakage."""

    known: Known
    snapshot: Snapshot | None = None
    beginning: Beginning | None = None
    leaks: tuple[Leak, ...] | None = None


async def measure(database: Database, company: Company, *, rest: timedelta = timedelta()) -> int:
    """Measure a batch of the contracts that have news, or a new day; returns how many. It is reckoned before anything
    is written: nobody waits for the store meanwhile. `rest`: for so long a contract must not have changed; between two
    steps it would look as if something were missing."""
    found = await database.read(lambda session: measure_due(session, company, utc_now(), rest))
    if found:
        await database.write(lambda session: keep_measured(session, found, company))
    return len(found)


def measure_due(session: Session, company: Company, moment: datetime, rest: timedelta = timedelta()) -> list[Measured]:
    """Of a batch; nothing is written."""
    return [measure_one(session, contract, company, moment) for contract in to_measure(session, moment, rest, BATCH)]


def measure_one(session: Session, contract: str, company: Company, moment: datetime) -> Measured:
    """One contract's absurd dates must not keep the others from being measured."""
    known = _known(session, contract, moment)
    try:
        ordered, activated = _sheet(session, known, company), activated_on(session, contract)
        if ordered is None:
            return Measured(known, _snapshot(known))
        begun = _beginning(session, known, ordered, activated, company)
        leaks = _leakage(session, known, ordered, activated)
        return Measured(known, _snapshot(known), begun, leaks)
    except (ArithmeticError, ValueError) as error:
        log.error("a contract can't be measured", contract=contract, error=type(error).__name__)
        return Measured(known)


def keep_measured(session: Session, measured: Iterable[Measured], company: Company) -> None:
    take_turn(session, TURN)
    for each in measured:
        if each.snapshot is not None:
            take_snapshot(session, each.snapshot)
        if each.beginning is not None:
            keep_beginning(session, each.known.view.contract, each.beginning)
        if each.leaks is not None and each.known.state is not None:
            _keep_leaks(session, each.known, each.leaks, each.known.state, company)
        _mark(session, each.known)


def _known(session: Session, contract: str, moment: datetime) -> Known:
    life, shown = session.get_one(LifecycleRow, contract), session.get_one(LifecycleViewRow, contract)
    view, erp = LifecycleView.model_validate(shown.view), session.get(ErpStateRow, contract)
    state = PricedState.model_validate(erp.state) if erp is not None and erp.state is not None else None
    at = moment + timedelta(seconds=life.clock_shift)
    today = civil_date(at, view.zone)
    return Known(life, shown, view, erp, state, erp is not None and erp.read_after(shown), at, today)


def _snapshot(known: Known) -> Snapshot:
    view, state = known.view, known.state
    return Snapshot(
        contract=view.contract,
        day=known.today,
        account=view.account,
        selling_entity=view.selling_entity,
        stage=view.stage,
        term=view.term,
        term_ends=view.term_ends,
        category=view.forecast.category if view.forecast else None,
        by=view.forecast.by if view.forecast else "",
        decision=_decision(view),
        currency=state.currency if state is not None else None,
        annual=annual_value(state, known.today) if state is not None else None,
    )


def _sheet(session: Session, known: Known, company: Company) -> ContractSheet | None:
    """The order as it is now; None while it is being corrected, before anything was made of it."""
    row = newest_order(session, known.view.contract)
    if row is None or known.view.stage is Stage.ORDER_ACTIVATION:
        return None
    try:
        return sheet(parse_order(row.document)[0], company)
    except ValueError:
        return None


def _beginning(
    session: Session, known: Known, ordered: ContractSheet, activated: date | None, company: Company
) -> Beginning | None:
    """When the first steps were made, of a contract that was won while Tenure was there."""
    view = known.view
    if view.stage is Stage.CANCELLED or session.get(ImportRow, view.contract) is not None:
        return None
    return Beginning(
        signed_on=ordered.signed_on,
        activated_on=activated,
        launched_on=_performed_on(session, known, keys.onboarding(view.contract)),
        live_on=view.milestones.get(company.go_live_milestone),
        invoiced_on=first_invoice(session, view.contract),
    )


def activated_on(session: Session, contract: str) -> date | None:
    """The day on which the ERP activated the order, as it confirmed it; or as it was imported."""
    imported = session.get(ImportRow, contract)
    effect = session.get(EffectRow, keys.activation(contract))
    done = (effect.result if effect is not None else None) or {}
    said = imported.existing.get("activated_on") if imported is not None else done.get("on")
    return date.fromisoformat(said) if said else None


def _performed_on(session: Session, known: Known, key: str) -> date | None:
    """The business day on which a step was done."""
    effect = session.get(EffectRow, key)
    if effect is None or effect.state != "DONE" or not is_real(known.view.effects.get(key)):
        return None
    moment = datetime.fromtimestamp(effect.updated_at, UTC) + timedelta(seconds=known.life.clock_shift)
    return civil_date(moment, known.view.zone)


def _leakage(session: Session, known: Known, ordered: ContractSheet, activated: date | None) -> tuple[Leak, ...] | None:
    """None where the ERP's answer is older than the view, or there is none."""
    if known.state is None or not known.current:
        return None
    low = [row for row in open_leaks(session, known.view.contract) if row.kind == "under_billed"]
    watched = Watched(
        today=known.today,
        sheet=ordered,
        view=known.view,
        state=known.state,
        activated_on=activated,
        used_on=_used_on(session, known.view.contract),
        low_since={row.line: row.since for row in low},
    )
    return leakage(watched)


def _keep_leaks(session: Session, known: Known, leaks: Iterable[Leak], state: PricedState, company: Company) -> None:
    """What is found now is noted and told, and what was found and is not any more is settled."""
    view, found = known.view, {(leak.kind, leak.line): leak for leak in leaks}
    for row in open_leaks(session, view.contract):
        if (row.kind, row.line) not in found:
            _settle(row, state, known.today)
            tell_settled(session, company, row, known.life, known.now)
    for leak in found.values():
        row = keep_leak(session, view.contract, view.account, leak, known.today)
        if view.mode == "live":  # in shadow nothing is Tenure's doing yet: it is counted, and nobody's turn
            tell_found(session, company, row, known.life, known.now)


def _settle(row: LeakRow, state: PricedState, today: date) -> None:
    leak = row.leak
    held = next((line for line in state.lines if line.line == leak.line), None)
    amount = leak.amount if held is None else amount_until(leak, held, today)
    back = recovered(leak, held, state, today)
    close_leak(row, today, amount, min(back, amount or Decimal(0)))


def _used_on(session: Session, contract: str) -> date | None:
    """The last day for which usage was reported."""
    reports = [fact for fact in facts_of(session, contract, [USAGE]) if Decimal(fact.data["active"]) > 0]
    return max((date.fromisoformat(fact.version[:10]) for fact in reports), default=None)


def _decision(view: LifecycleView) -> Literal["renew", "end"] | None:
    said = (view.decision or "").partition(" ")[0]
    return "renew" if said == "renew" else "end" if said == "end" else None


def _mark(session: Session, known: Known) -> None:
    if (first := urgency_of_view(known.view)) != known.life.urgency:
        mine = col(LifecycleRow.contract) == known.view.contract
        change(session, update(LifecycleRow).where(mine).values(urgency=first))
    over = known.view.stage in OVER and (known.erp is None or known.erp.settled)
    begins = start_of_day(known.today + timedelta(days=1), known.view.zone)
    session.merge(
        MeasuredRow(
            contract=known.view.contract,
            run_started=known.shown.run_started,
            sequence=known.shown.sequence,
            read_at=known.erp.read_at if known.erp is not None else None,
            clock_shift=known.life.clock_shift,
            again_at=None if over else begins - timedelta(seconds=known.life.clock_shift),
        )
    )
