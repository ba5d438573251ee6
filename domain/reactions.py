"""What each told event does to a lifecycle's state: pure functions, so that handlers only mutate state."""

from datetime import date
from decimal import Decimal

from pydantic import TypeAdapter

from domain import calendar, keys
from domain.messages import (
    AmendmentWon,
    CollectionsChanged,
    EventAnswer,
    EventBatch,
    LifecycleEvent,
    MilestoneReached,
    RenewalLost,
    RenewalWon,
    SupportChanged,
    UsageChanged,
)
from domain.state import Decision, LifecycleState
from domain.steps import AmendSubscription


class Refused(ValueError):
    """The event or command can't be applied as things stand; the message is the reason, nothing was changed."""


def receive(state: LifecycleState, batch: EventBatch, today: date) -> list[EventAnswer]:
    """Apply a batch in order of `seq`; what is not above `last_seq` is stale. Refusals leave the state as it was."""
    answers = []
    for event in batch.events:
        if event.seq <= state.last_seq:
            answers.append(EventAnswer(seq=event.seq, outcome="stale"))
            continue
        try:
            react(state, event, today)
            answers.append(EventAnswer(seq=event.seq, outcome="applied"))
        except Refused as refused:
            answers.append(EventAnswer(seq=event.seq, outcome="refused", reason=str(refused)))
        state.last_seq = event.seq
    return answers


def receive_one(state: LifecycleState, raw: object, today: date) -> None:
    """Apply one event as a person wrote it. Without a `seq` of the stream, what it says makes a repeat harmless.

    Raises ValidationError when it is no event, Refused when it can't be applied.
    """
    event = TypeAdapter[LifecycleEvent](LifecycleEvent).validate_python(raw)
    if event.seq == 0:
        react(state, event, today)
        return
    for answer in receive(state, EventBatch(events=[event]), today):
        if answer.outcome == "refused":
            raise Refused(answer.reason)


def react(state: LifecycleState, event: LifecycleEvent, today: date) -> None:
    """Apply one event. Raises Refused with the reason."""
    match event:
        case MilestoneReached():
            # the first report of a milestone stands: billing may already have started from it
            state.milestones.setdefault(event.milestone, event.on)
        case CollectionsChanged():
            state.delinquent, state.overdue_since = event.delinquent, event.overdue_since
            state.long_overdue = event.long_overdue
        case SupportChanged():
            state.severities = dict(event.severities)
        case UsageChanged():
            state.adoption = event.adoption
        case AmendmentWon():
            amend(state, event, today)
        case RenewalWon():
            decide(state, Decision(outcome="renew", by=f"CRM opportunity {event.opportunity} won", on=today))
        case RenewalLost():
            decide(state, Decision(outcome="end", by=f"CRM opportunity {event.opportunity} lost", on=today))


def decide(state: LifecycleState, decision: Decision) -> None:
    """Record the renewal decision of the running term. Repeating the same decision is harmless."""
    if state.activated_on is None:
        raise Refused("the order is not activated yet, so there is nothing to renew")
    if state.decision is not None and state.decision.outcome == decision.outcome:
        return
    if state.decision is not None or state.ends_on is not None:
        was = f"{state.decision.outcome} ({state.decision.by})" if state.decision else f"end on {state.ends_on}"
        raise Refused(f"term {state.term} is already decided: {was}")
    if state.window_opened < state.term:
        opens = state.window_opens()
        when = f"it opens on {calendar.civil_date(opens, state.zone)}" if opens else "the contract has no term's end"
        raise Refused(f"the renewal window is not open; {when}")
    state.decision = decision
    if decision.outcome == "end":
        term = state.term_now()
        # a contract that ran out of term ends on the day of the decision, never in the past
        state.ends_on = max(term.ends, decision.on) if term and term.ends else decision.on
        state.end_reason = decision.by


def amend(state: LifecycleState, event: AmendmentWon, today: date) -> None:
    """Turn a won upsell into target quantities and one ERP step, keyed by the deal: the same deal amends once."""
    if state.subscription is None or state.activated_on is None:
        raise Refused("the order is not activated yet, so there is nothing to amend")
    if state.ends_on is not None:
        raise Refused(f"the contract ends on {state.ends_on}")
    key = keys.amendment(state.contract, event.deal)
    if key in state.effects or any(step.key == key for step in state.queue):
        return
    by_product = {line.product: line.id for line in state.known.lines}
    unknown = sorted(set(event.changes) - set(by_product))
    if unknown:
        raise Refused(f"the contract has no line for {', '.join(unknown)}; it has {', '.join(sorted(by_product))}")
    targets: dict[str, Decimal] = {}
    for product, change in event.changes.items():
        line = by_product[product]
        targets[line] = change + (state.quantities[line] if event.mode == "difference" else 0)
        if targets[line] <= 0:
            raise Refused(f"{product} would have the quantity {targets[line]}")
    state.quantities.update(targets)
    state.queue.append(
        AmendSubscription(
            key=key, subscription=state.subscription, effective=event.effective or today, quantities=targets
        )
    )
