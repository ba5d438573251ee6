"""Amendments: quantities up and down, lines added, removed and swapped; at once, on a day, or with the next term."""

from collections.abc import Iterable
from datetime import date, timedelta
from decimal import Decimal

from domain import keys
from domain.changes.kinds import Amend, AmendAtRenewal, AtRenewal
from domain.refused import Refused
from domain.state import LifecycleState
from domain.steps import AmendSubscription
from domain.terms import LineTerms


def amend(state: LifecycleState, change: Amend, name: str, today: date) -> None:
    """One step in the ERP, keyed by `name`: the amendment's id, or the deal that won it."""
    if state.activated_on is None:
        raise Refused("the order is not activated yet, so there is nothing to amend")
    if state.ends_on is not None:
        raise Refused(f"the contract ends on {state.ends_on}")
    if state.moving is not None and change.added:
        raise Refused(f"it moves on {state.moving.on}; lines are added there, with prices of there")
    if state.between_legs:
        raise Refused("it is moving to another entity or currency at this moment; try again when it has arrived")
    effective = change.effective or today
    _within_contract(state, effective)
    quantities = _targets(state, change.quantities, change.removed, effective)
    removed = tuple(line.id for line in _named(state, change.removed, effective))
    _lines_stay(state, removed, change.added, effective)
    added = change.added
    _are_new(state, added)
    if not (quantities or removed or added):
        raise Refused("it changes nothing")
    step = AmendSubscription(
        key=keys.amendment(state.contract, name),
        subscription=state.subscription or "",
        effective=effective,
        quantities=quantities,
        former={line: state.quantities[line] for line in quantities},
        revision=change.revision,
        added=tuple(line.id for line in added),
        removed=removed,
    )
    state.quantities.update(quantities)
    take_lines(state, added, removed, effective)
    state.queue.append(step)


def take_lines(state: LifecycleState, added: Iterable[LineTerms], removed: Iterable[str], effective: date) -> None:
    """The contract's lines from a day on. One that is removed stays known, with its end."""
    gone = set(removed)
    new = [line.model_copy(update={"starts": max(line.starts or effective, effective)}) for line in added]
    kept = [line.model_copy(update={"ends": effective}) if line.id in gone else line for line in state.known.lines]
    state.sheet = state.known.model_copy(update={"lines": (*kept, *new)})
    state.quantities.update({line.id: line.quantity for line in new})


def amend_at_renewal(state: LifecycleState, change: AmendAtRenewal) -> None:
    """Kept until the renewal, and asked of the ERP with it."""
    term = state.term_now()
    if state.activated_on is None or term is None:
        raise Refused("the order is not activated yet, so there is no renewal to come")
    if state.ends_on is not None:
        raise Refused(f"the contract ends on {state.ends_on}")
    if term.ends is None:
        raise Refused("a contract without end has no renewal; amend it on a day")
    if state.renewed or keys.renewal(state.contract, state.term + 1) in {step.key for step in state.queue}:
        raise Refused("the renewal is in the ERP already, or on its way there; amend the contract on a day instead")
    last_day, was = term.ends - timedelta(days=1), state.at_renewal
    kept = {line.id for line in _named(state, change.keep, last_day)}
    quantities = _targets(state, change.quantities, change.removed, last_day)
    removed = tuple(line.id for line in _named(state, change.removed, last_day))
    renamed = {*kept, *quantities, *removed}
    added = tuple(line for line in was.added if line.id not in {new.id for new in change.added}) + change.added
    _are_new(state, added)
    asked = AtRenewal(
        quantities={line: q for line, q in was.quantities.items() if line not in renamed} | quantities,
        removed=(*(line for line in was.removed if line not in renamed), *removed),
        added=added,
        revision=change.revision or was.revision,
    )
    _lines_stay(state, asked.removed, asked.added, last_day)
    if asked == was:
        raise Refused("it changes nothing")
    state.at_renewal = asked


def line_named(state: LifecycleState, name: str, on: date) -> LineTerms:
    """The line with this id, or the only one of this product, that runs on a day or later. Raises Refused."""
    running = [line for line in state.known.lines if line.ends is None or line.ends > on]
    for line in running:
        if line.id == name:
            return line
    found = [line for line in running if line.product == name]
    if not found:
        known = ", ".join(dict.fromkeys(line.product for line in running))
        raise Refused(f"the contract has no line for {name}; it has {known or 'none'}")
    if len(found) > 1:
        raise Refused(f"{name} stands in {len(found)} lines; name one of {', '.join(line.id for line in found)}")
    return found[0]


def check_quantity(line: LineTerms, quantity: Decimal) -> None:
    """Raises Refused for a quantity that the line can't have."""
    if not quantity.is_finite() or quantity <= 0:
        raise Refused(f"{line.product} would have the quantity {quantity}; to end a line, remove it")
    if line.whole and quantity != quantity.to_integral_value():
        raise Refused(f"{line.product} is sold in whole numbers, not {quantity}")
    if line.max_quantity is not None and quantity > line.max_quantity:
        raise Refused(f"{line.product} would have the quantity {quantity}; at most {line.max_quantity} are sold")


def _within_contract(state: LifecycleState, effective: date) -> None:
    first, term = state.term_number(1), state.term_now()
    if first is not None and effective < first.starts:
        raise Refused(f"{effective} is before the contract's first day, {first.starts}")
    if term is not None and term.ends is not None and effective >= term.ends:
        raise Refused(f"the running term ends on {term.ends}; what begins with the next one is changed at renewal")


def _named(state: LifecycleState, names: Iterable[str], on: date) -> list[LineTerms]:
    lines = [line_named(state, name, on) for name in names]
    if len({line.id for line in lines}) < len(lines):
        raise Refused("a line is named twice")
    return lines


def _targets(
    state: LifecycleState, quantities: dict[str, Decimal], removed: Iterable[str], on: date
) -> dict[str, Decimal]:
    """By line id."""
    gone = {line.id for line in _named(state, removed, on)}
    lines = dict(zip(_named(state, quantities, on), quantities.values(), strict=True))
    for line, quantity in lines.items():
        if line.id in gone:
            raise Refused(f"line {line.id} is removed and changed in one: decide")
        check_quantity(line, quantity)
    return {line.id: quantity for line, quantity in lines.items()}


def _are_new(state: LifecycleState, added: Iterable[LineTerms]) -> None:
    known = {line.id for line in state.known.lines}
    for line in added:
        if line.id in known:
            raise Refused(f"the contract has a line {line.id!r} already; give the new one another id")
        check_quantity(line, line.quantity)
        known.add(line.id)


def _lines_stay(state: LifecycleState, removed: Iterable[str], added: Iterable[LineTerms], on: date) -> None:
    gone = set(removed)
    if not list(added) and all(line.id in gone or (line.ends and line.ends <= on) for line in state.known.lines):
        raise Refused("no line would be left; end the contract instead")
