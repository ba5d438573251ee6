"""The move to another legal entity or currency: ended here, begun there, one lifecycle."""

from datetime import date, timedelta
from decimal import Decimal

from domain import keys
from domain.changes.kinds import Move, Moving
from domain.refused import Refused
from domain.state import LifecycleState
from domain.steps import ActivateOrder, CreateCustomer, CreateSubscription, EndSubscription, StartBilling, Step


def move(state: LifecycleState, change: Move, today: date) -> None:
    """Decided now, done on its day."""
    term = state.term_now()
    if state.activated_on is None or term is None:
        raise Refused("the order is not activated yet: correct it with tenure fix")
    if state.ends_on is not None:
        raise Refused(f"the contract ends on {state.ends_on}")
    if state.moving is not None:
        raise Refused(
            f"it moves to {state.moving.selling_entity}, {state.moving.currency} on {state.moving.on} already"
        )
    if (change.selling_entity, change.currency) == (state.known.selling_entity, state.known.currency):
        raise Refused(f"it is with {change.selling_entity} in {change.currency} already")
    on, earliest = change.on or today, max(today, term.starts + timedelta(days=1))
    if on < earliest:
        raise Refused(f"it can't move on {on}, {earliest} is the earliest day: what was billed here stays")
    if term.ends is not None and on >= term.ends:
        raise Refused(f"the running term ends on {term.ends}: decide on the renewal first, or name a day before")
    state.moving = Moving(
        selling_entity=change.selling_entity, currency=change.currency, revision=change.revision, on=on
    )


def steps_there(state: LifecycleState) -> list[Step]:
    """Customer and subscription there, as drafts: whatever stands in the way is known before anything ends here."""
    moving, term = _moving(state), state.term_number(state.term + 1 if state.renewed else state.term)
    there = keys.leg(state.contract, state.leg + 1)
    customer = keys.customer(state.account, moving.selling_entity, state.scopes.get("erp"))
    begun: list[Step] = [CreateCustomer(key=customer, revision=moving.revision)]
    if customer in state.effects:
        begun.append(
            CreateSubscription(
                key=keys.subscription(there),
                revision=moving.revision,
                customer=state.effects[customer],
                starts=moving.on,
                ends=term.ends if term else None,
                leg=there,
                quantities=_running(state, moving.on),
            )
        )
    return begun


def steps_across(state: LifecycleState) -> list[Step]:
    """The end here, and there the activation and the billing of what is billed here."""
    moving, term = _moving(state), state.term_number(state.term + 1 if state.renewed else state.term)
    there = keys.leg(state.contract, state.leg + 1)
    subscription = state.effects[keys.subscription(there)]
    running = _running(state, moving.on)
    return [
        EndSubscription(
            key=keys.ending(state.leg_id),
            subscription=state.subscription or "",
            ends=moving.on,
            reason=f"continued with {moving.selling_entity} in {moving.currency}",
        ),
        ActivateOrder(
            key=keys.activation(there),
            subscription=subscription,
            on=moving.on,
            starts=moving.on,
            ends=term.ends if term else None,
        ),
        *(
            StartBilling(
                key=keys.billing_start(there, line, 1),
                subscription=subscription,
                line=line,
                starts=moving.on,
                accepted_on=moving.on,
            )
            for line in state.billing
            if line in running
        ),
    ]


def arrive(state: LifecycleState) -> None:
    """Everything is there: the contract goes on with its new subscription."""
    moving = _moving(state)
    state.sheet = state.known.model_copy(update={"selling_entity": moving.selling_entity, "currency": moving.currency})
    state.selling_entity, state.order_revision = moving.selling_entity, moving.revision
    state.leg, state.moving, state.renewed_as = state.leg + 1, None, None


def _moving(state: LifecycleState) -> Moving:
    if state.moving is None:
        raise ValueError("the contract does not move")
    return state.moving


def _running(state: LifecycleState, on: date) -> dict[str, Decimal]:
    return {line.id: state.quantities[line.id] for line in state.known.lines if line.ends is None or line.ends > on}
