"""What each told event does to a lifecycle's state: pure functions, so that handlers only mutate state."""

from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal

from pydantic import TypeAdapter

from domain import calendar, keys, outcomes, projection
from domain.changes.contradictions import check_won
from domain.changes.kinds import Amend, AtRenewal, Extend
from domain.changes.lines import amend as change_lines
from domain.changes.lines import check_quantity, line_named, take_lines
from domain.changes.terms import extend
from domain.corrections import check_correction, correct
from domain.finance import credit, purchasing
from domain.messages import (
    AmendmentWon,
    CollectionsChanged,
    CreditHoldChanged,
    EventAnswer,
    EventBatch,
    LifecycleEvent,
    MilestoneReached,
    OrderCorrected,
    ParentChanged,
    PurchaseOrderReceived,
    RenewalLost,
    RenewalSettled,
    RenewalWon,
    SubscriptionReported,
    Succeeded,
    SupportChanged,
    UsageChanged,
)
from domain.refused import Refused
from domain.renewals import CLAUSE, CONVERSION, check_notice
from domain.state import Decision, LifecycleState, WonAmendment
from domain.succession import succeeded
from domain.terms import ContractKind, PurchaseOrder

REMEMBERED = 99  # refusals whose answer may have been lost

Vets = Callable[[], bool]
"""Whether what contradicts an earlier decision is refused. Asked where something does: a history from before it was
vetted replays as it was."""


def always() -> bool:
    """Everything is vetted."""
    return True


def receive(
    state: LifecycleState, batch: EventBatch, today: date, *, making: bool = False, vets: Vets = always
) -> list[EventAnswer]:
    """Apply a batch in order of `seq`; what is not above `last_seq` is stale. Refusals leave the state as it was.

    `making`: the ERP is at work for this contract at this moment.
    """
    answers = []
    for event in batch.events:
        if event.seq <= state.last_seq:
            answers.append(_again(state, event.seq))
            continue
        try:
            react(state, event, today, making=making, vets=vets)
            answers.append(EventAnswer(seq=event.seq, outcome="applied"))
        except Refused as refused:
            answers.append(EventAnswer(seq=event.seq, outcome="refused", reason=str(refused)))
            state.refusals = {**dict(list(state.refusals.items())[-REMEMBERED:]), event.seq: str(refused)}
        state.last_seq = event.seq
    return answers


def _again(state: LifecycleState, seq: int) -> EventAnswer:
    """An event that was seen before: what was refused then is refused again, the first answer may have been lost."""
    if seq in state.refusals:
        return EventAnswer(seq=seq, outcome="refused", reason=state.refusals[seq])
    return EventAnswer(seq=seq, outcome="stale")


def receive_one(state: LifecycleState, raw: object, today: date, *, making: bool = False, vets: Vets = always) -> None:
    """Apply one event as a person wrote it, whatever its `seq`: what it says makes a repeat harmless.

    Raises ValidationError when it is no event, Refused when it can't be applied.
    """
    event = TypeAdapter[LifecycleEvent](LifecycleEvent).validate_python(raw)
    react(state, event, today, making=making, vets=vets)


def react(
    state: LifecycleState, event: LifecycleEvent, today: date, *, making: bool = False, vets: Vets = always
) -> None:
    """Apply one event. Raises Refused with the reason."""
    match event:
        case MilestoneReached():
            if state.sheet is not None and event.on < state.sheet.signed_on:
                raise Refused(
                    f"{event.milestone} on {event.on} would be before the signature on {state.sheet.signed_on}"
                )
            # the first report of a milestone stands: billing may already have started from it
            state.milestones.setdefault(event.milestone, event.on)
        case CollectionsChanged() | CreditHoldChanged() if state.billed_elsewhere:
            return
        case CollectionsChanged():
            state.delinquent, state.overdue_since = event.delinquent, event.overdue_since
            state.long_overdue, state.grace_over = event.long_overdue, event.grace_over
        case CreditHoldChanged():
            credit.overdue(state, event.invoices)
        case SupportChanged():
            state.severities = dict(event.severities)
        case UsageChanged():
            state.adoption = event.adoption
        case SubscriptionReported():
            state.erp_status, state.erp_entitled, state.erp_ends = event.status, event.entitled, event.ends
        case AmendmentWon() if state.activated_on is None:
            if all(early.deal != event.deal for early in state.early):
                state.early.append(event)  # it came before its time, and is applied when there is something to amend
        case AmendmentWon():
            amend(state, event, today, vets)
        case RenewalWon():
            check_opportunity(state, event.opportunity)
            won = Decision(outcome="renew", by=f"CRM opportunity {event.opportunity} won", on=today)
            won.quantities = renewed_quantities(state, event.quantities, today)
            won.months = event.months
            decide(state, won)
        case RenewalLost():
            check_opportunity(state, event.opportunity)
            decide(state, Decision(outcome="end", by=f"CRM opportunity {event.opportunity} lost", on=today))
        case RenewalSettled():
            decide(state, Decision(outcome=event.outcome, by=event.by, on=today))
        case PurchaseOrderReceived():
            order = PurchaseOrder(number=event.number, limit=event.limit, expires_on=event.expires_on)
            purchasing.received(state, order, today)
            if event.revision is not None and event.revision > state.order_revision and state.subscription is None:
                correct_if_possible(state, event.revision, making=making)
        case OrderCorrected() if event.revision <= state.order_revision:
            return  # the order that the lifecycle was started with, or was corrected to, holds it already
        case OrderCorrected():
            check_correction(state, event.revision, making=making)
            correct(state, event.revision)
        case Succeeded():
            succeeded(state, event, today)
        case ParentChanged():
            if state.sheet is not None:
                state.sheet = state.sheet.model_copy(update={"parent_account": event.parent})


def correct_if_possible(state: LifecycleState, revision: int, *, making: bool) -> None:
    """What the lifecycle knows by the event itself needs no refusal, where the order can't be corrected any more."""
    try:
        check_correction(state, revision, making=making)
    except Refused:
        return
    correct(state, revision)


def check_opportunity(state: LifecycleState, opportunity: str) -> None:
    """An opportunity made for another term decides nothing about this one."""
    for term in range(1, state.term):
        if state.effects.get(keys.renewal_opportunity(state.contract, term)) == opportunity:
            raise Refused(
                f"the opportunity {opportunity} was for the renewal after term {term}; this is term {state.term}"
            )


def renewed_quantities(state: LifecycleState, won: dict[str, Decimal], today: date) -> dict[str, Decimal]:
    """The targets by line that a won renewal changes. Raises Refused for what the contract can't hold."""
    if state.sheet is None:
        return {}
    held: dict[str, Decimal] = {}
    for line in state.sheet.lines:
        held[line.product] = held.get(line.product, Decimal()) + state.quantities.get(line.id, line.quantity)
    changed = {product: quantity for product, quantity in won.items() if quantity != held.get(product)}
    targets: dict[str, Decimal] = {}
    for product, quantity in changed.items():
        line = line_named(state, product, today)
        check_quantity(line, quantity)
        targets[line.id] = quantity
    return targets


def decide(state: LifecycleState, decision: Decision) -> None:
    """Record the renewal decision of the running term. Repeating the same decision is harmless."""
    if state.activated_on is None:
        raise Refused("the order is not activated yet, so there is nothing to renew")
    if state.decision is not None and state.decision.outcome == decision.outcome:
        if decision.quantities not in ({}, state.decision.quantities):
            raise Refused(f"term {state.term} is renewed already ({state.decision.by}), with other quantities")
        return
    by_clause = state.decision is not None and state.decision.by in (CLAUSE, CONVERSION)
    if decision.outcome == "end" and state.ends_on is None and (state.decision is None or by_clause):
        check_notice(state, decision.on)
    if state.decision is not None or state.ends_on is not None:
        was = f"{state.decision.outcome} ({state.decision.by})" if state.decision else f"end on {state.ends_on}"
        raise Refused(f"term {state.term} is already decided: {was}")
    if state.window_opened < state.term:
        opens = state.window_opens()
        when = f"it opens on {calendar.civil_date(opens, state.zone)}" if opens else "the contract has no term's end"
        raise Refused(f"the renewal window is not open; {when}")
    state.decision, term = decision, state.term_now()
    if term and term.ends and decision.months and decision.months != state.known.terms.renewal_months:
        ends = calendar.add_months(term.ends, decision.months)
        state.moved = state.moved | {state.term + 1: term.ends, state.term + 2: ends}
    if decision.outcome == "end":
        # a contract that ran out of term ends on the day of the decision, never in the past
        state.ends_on = max(term.ends, decision.on) if term and term.ends else decision.on
        state.end_reason = decision.by


def amend_early(state: LifecycleState, today: date, now: datetime, vets: Vets = always) -> None:
    """Apply the upsells that were won before the activation; one that can't be applied is a case of its own."""
    for event in state.early:
        try:
            amend(state, event, today, vets)
        except Refused as refused:
            outcomes.amendment_refused(state, event.deal, str(refused), now)
    state.early = []


def amend(state: LifecycleState, event: AmendmentWon, today: date, vets: Vets = always) -> None:
    """Turn a won upsell into an amendment, and an extension where it moves the end, named by the deal: the same deal
    amends once. Either of them refused, neither is made.
    """
    amendment, extension = keys.amendment(state.contract, event.deal), keys.term_change(state.contract, event.deal)
    made = {*state.effects, *state.doubts, *(step.key for step in state.queue)}
    if amendment in made or extension in made:
        return
    tried = state.model_copy(deep=True)
    for each in (tried, state):
        if event.ends is not None:
            extend(each, Extend(ends=event.ends), event.deal, today)
        if event.changes or event.ends is None:
            _amend_lines(each, event, today)
        if each is tried:
            if event.ends is not None:
                _can_go_on(tried, today)
            _vet(state, tried, amendment, vets)


def _vet(state: LifecycleState, tried: LifecycleState, amendment: str, vets: Vets) -> None:
    try:
        check_won(state, tried, amendment)
    except Refused:
        if vets():
            raise


def _can_go_on(state: LifecycleState, today: date) -> None:
    """Refuses an end from which no calendar counts: whoever looked at the contract would fail, and so its workflow.
    No history goes past such a one, so this refuses nothing that was accepted before."""
    try:
        projection.view(state, calendar.start_of_day(today, state.zone))
    except (ValueError, OverflowError) as error:
        raise Refused(f"the contract could not go on from there: {error}") from None


def _amend_lines(state: LifecycleState, event: AmendmentWon, today: date) -> None:
    lines = {product: line_named(state, product, today) for product in event.changes}
    targets = {
        line.id: event.changes[product] + (state.quantities[line.id] if event.mode == "difference" else 0)
        for product, line in lines.items()
    }
    change_lines(state, Amend(quantities=targets, effective=event.effective), event.deal, today)
    if event.effective is not None:
        won = WonAmendment(on=event.effective, lines=tuple(targets))
        state.won = {**state.won, keys.amendment(state.contract, event.deal): won}


def decide_by_terms(state: LifecycleState, today: date) -> bool:
    """What the terms decide where nobody did: it renews, becomes what the trial was for, or ends with its term. False
    where they decide nothing.
    """
    term = state.term_now()
    match state.if_undecided:
        case calendar.Undecided.RENEWS:
            trial = state.known.terms.kind is ContractKind.TRIAL and state.term == 1
            by = CONVERSION if trial else CLAUSE
            state.decision = Decision(outcome="renew", by=by, on=today)
        case calendar.Undecided.ENDS if term is not None:
            trial = state.known.terms.kind is ContractKind.TRIAL
            state.ends_on, state.end_reason = term.ends, "the trial was not converted" if trial else "delivered once"
        case _:
            return False
    return True


def begin_next_term(state: LifecycleState) -> None:
    """What was agreed for the next term, and decided with it, is what the contract has now."""
    following, decided = state.term_number(state.term + 1), state.decision.quantities if state.decision else {}
    agreed = state.at_renewal
    if following is not None and agreed:
        removed = [line for line in agreed.removed if line not in decided]
        take_lines(state, agreed.added, removed, following.starts)
    state.quantities |= agreed.quantities | decided
    state.term, state.decision, state.readiness, state.at_renewal = state.term + 1, None, None, AtRenewal()
