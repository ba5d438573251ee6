"""Where what is billed and served is not what the terms say, line by line, with the ERP's own amounts."""

from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from typing import Literal, get_args

from domain import billing, calendar
from domain.base import Frozen
from domain.billing import CONVERSION, BillingFacts
from domain.measures.value import CENT, amount_for
from domain.order import ContractSheet
from domain.ports.prices import PricedLine, PricedState
from domain.terms import BillingRule, ContractKind, LineTerms
from domain.view import SERVED, LifecycleView, Stage

Kind = Literal["not_started", "too_early", "under_billed", "expired_served"]
KINDS: tuple[Kind, ...] = get_args(Kind)


class Watched(Frozen):
    """What is known of a contract on a day: its valid order as it is now, its last view, and its subscription as the
    ERP had it after that view. `used_on`: the last day for which usage was reported. `low_since`: by line, the day on
    which a quantity was found too low that still is.
    """

    today: date
    sheet: ContractSheet
    view: LifecycleView
    state: PricedState
    activated_on: date | None
    used_on: date | None = None
    low_since: dict[str, date] = {}


class Leak(Frozen):
    """One finding. `since`: the first day that is billed or served other than it should be; of a quantity the day on
    which it was found. `amount`: what that amounts to by today, None where the ERP tells no price. `because`: what is
    known of the reason. `quantity`: how many the ERP bills, of a line that is under-billed.
    """

    kind: Kind
    line: str
    product: str
    since: date
    sentence: str
    because: str = ""
    currency: str
    amount: Decimal | None = None
    quantity: Decimal | None = None


def leakage(watched: Watched) -> tuple[Leak, ...]:
    """Leakage: where the ERP bills or serves other than the contract's terms say: billing that has not started, that
    started too early, of a quantity that is too low, or service without a contract. Its amounts are the ERP's own price
    of the line, for the days concerned; they are no invoice. What a reseller bills is left out.
    """
    if watched.view.stage in SERVED and watched.sheet.terms.kind is not ContractKind.RESELLER:
        return (*_lines(watched), *_expired(watched))
    return tuple(_expired(watched))


def billing_due(watched: Watched, line: LineTerms) -> date | None:
    """The first day on which a line's rule allows to bill it, if it has come. A contract that has moved to another
    entity is billed there no earlier than its subscription there begins.
    """
    due = billing.line_starts(line, watched.sheet.terms, _facts(watched), watched.today)
    begun = watched.state.starts if watched.view.leg > 1 else None
    return max(due, begun) if due is not None and begun is not None else due


def billing_not_started(watched: Watched, line: LineTerms, held: PricedLine) -> Leak | None:
    """Billing not started: the line's billing-start rule was met before today, the line runs, and the ERP does not bill
    it. It counts from the day on which the rule was met.
    """
    due = billing_due(watched, line)
    if held.billed_from is not None or due is None or due >= watched.today or billing.is_over(line, watched.today):
        return None
    return Leak(
        kind="not_started",
        line=line.id,
        product=line.product,
        since=due,
        sentence=f"{line.product} could be billed since {due}, and the ERP does not bill it",
        because=_because(watched, line.id),
        currency=watched.state.currency,
        amount=amount_for(held, due, watched.today),
    )


def billed_too_early(watched: Watched, line: LineTerms, held: PricedLine) -> Leak | None:
    """Billed before the rule allowed: the ERP bills the line from a day before the one on which its billing-start rule
    was met, or bills it though the rule is not met yet. It counts the days until then.
    """
    if held.billed_from is None or held.billed_from > watched.today:
        return None
    due = billing_due(watched, line)
    if due is not None and due <= held.billed_from:
        return None
    facts = _facts(watched)
    rule = billing.rule_of(line, watched.sheet.terms, facts)
    until = f"before {due}" if due else f"though {_unmet(rule, facts, watched.today)}"
    return Leak(
        kind="too_early",
        line=line.id,
        product=line.product,
        since=held.billed_from,
        sentence=f"{line.product} is billed from {held.billed_from}, {until}; its rule: {billing.describe(rule)}",
        currency=watched.state.currency,
        amount=amount_for(held, held.billed_from, due or watched.today),
    )


def under_billed(watched: Watched, line: LineTerms, agreed: Decimal, held: PricedLine | None) -> Leak | None:
    """Under-billed quantity: the ERP holds less of a line that is billed than was agreed, for the days to come as well.
    The missing part counts in proportion to what the ERP charges for the rest, from the day on which it was found.
    """
    has = Decimal(0) if held is None else held.quantity if held.target is None else max(held.quantity, held.target)
    if has >= agreed or (held is not None and held.billed_from is None):
        return None
    if any(key.startswith("amendment:") for key in watched.view.pending) and not watched.view.cases:
        return None  # it is on its way
    since = watched.low_since.get(line.id, watched.today)
    billed = amount_for(held, since, watched.today) if held is not None and held.quantity else None
    return Leak(
        kind="under_billed",
        line=line.id,
        product=line.product,
        since=since,
        sentence=f"{agreed} of {line.product} are agreed, and the ERP has {has}",
        because=_because(watched, line.id),
        currency=watched.state.currency,
        amount=None if billed is None or held is None else (billed * (agreed - has) / held.quantity).quantize(CENT),
        quantity=has,
    )


def expired_but_served(watched: Watched, over: date, line: PricedLine) -> Leak | None:
    """Expired but served: the contract has ended, or its term is over and nobody has decided, and the ERP says that the
    customer may use it, or usage was reported for a later day. It counts from the first day that no term covers.
    """
    used = watched.used_on is not None and watched.used_on >= over
    if not (watched.state.entitled or used) or over >= watched.today:
        return None
    how = "the ERP serves it on" if watched.state.entitled else f"it was used on {watched.used_on}"
    ended = "its term was over and nobody has decided" if watched.view.stage is Stage.OUT_OF_TERM else "it ended"
    return Leak(
        kind="expired_served",
        line=line.line,
        product=_product(watched, line.line),
        since=over,
        sentence=f"{ended} on {over}, and {how}",
        because=_because(watched, line.line),
        currency=watched.state.currency,
        amount=amount_for(line, over, watched.today),
    )


def amount_until(leak: Leak, held: PricedLine, day: date) -> Decimal | None:
    """What a finding has come to by the day on which it is settled."""
    return amount_for(held, leak.since, day) if leak.kind in ("not_started", "expired_served") else leak.amount


def recovered(leak: Leak, held: PricedLine | None, state: PricedState, closed_on: date) -> Decimal:
    """Leakage recovered: the part of a finding's amount that the ERP bills after all, once it is settled: of the days
    since the one from which it now bills the line, or bills more of it than it did, or of those that a new term now
    covers. What was billed too early is settled and not recovered, and so is a quantity of which the ERP does not tell
    from which day it bills it.
    """
    if held is None:
        return Decimal(0)
    if leak.kind == "not_started" and held.billed_from is not None:
        return amount_for(held, max(held.billed_from, leak.since), closed_on) or Decimal(0)
    if leak.kind == "under_billed":
        return _billed_more(leak, held, closed_on)
    if leak.kind == "expired_served" and state.entitled and held.billed_from is not None:
        return amount_for(held, leak.since, closed_on) or Decimal(0)
    return Decimal(0)


def _billed_more(leak: Leak, held: PricedLine, closed_on: date) -> Decimal:
    """What the ERP charges, of the days of a finding, for more of the line than it had then."""
    if leak.quantity is None or held.quantity_since is None or held.quantity <= leak.quantity:
        return Decimal(0)
    whole = amount_for(held, max(held.quantity_since, leak.since), closed_on) or Decimal(0)
    return (whole * (held.quantity - leak.quantity) / held.quantity).quantize(CENT)


def _lines(watched: Watched) -> Iterator[Leak]:
    held = {line.line: line for line in watched.state.lines}
    agreed = {line.id: Decimal(line.quantity) for line in watched.view.lines if line.billed_by is None}
    for line in watched.sheet.lines:
        if line.id not in agreed:
            continue
        there = held.get(line.id)
        own = _dated(line, there)
        if (own.starts is not None and own.starts > watched.today) or billing.is_over(own, watched.today):
            continue
        found = [under_billed(watched, own, agreed[line.id], there)]
        if there is not None:
            found += [billing_not_started(watched, own, there), billed_too_early(watched, own, there)]
        yield from (leak for leak in found if leak is not None)


def _dated(line: LineTerms, held: PricedLine | None) -> LineTerms:
    """With the days on which the ERP has it: a change may have added it, or taken it away."""
    if held is None:
        return line
    return line.model_copy(update={"starts": held.starts or line.starts, "ends": held.ends or line.ends})


def _expired(watched: Watched) -> Iterator[Leak]:
    over = _over_since(watched)
    if over is None:
        return
    for line in watched.state.lines:
        if (line.ends is None or line.ends > over) and (leak := expired_but_served(watched, over, line)):
            yield leak


def _over_since(watched: Watched) -> date | None:
    """The first day that no term covers, where it has come."""
    view = watched.view
    if view.stage is Stage.OUT_OF_TERM:
        return view.term_ends
    return view.entitlement_since if view.stage is Stage.ENDED else None


def _facts(watched: Watched) -> BillingFacts:
    return billing_facts(watched.sheet, watched.view, watched.activated_on)


def billing_facts(sheet: ContractSheet, view: LifecycleView, activated_on: date | None) -> BillingFacts:
    """What is known of a contract that its lines' billing rules ask for."""
    reached = {name: max(day, sheet.signed_on) for name, day in view.milestones.items()}
    if sheet.terms.kind is ContractKind.TRIAL and view.term > 1:
        anchor = calendar.anchor(sheet.terms, sheet.signed_on, activated_on)
        second = (
            view.term_starts if view.term == 2 else calendar.term(sheet.terms, anchor, 2).starts if anchor else None
        )
        reached |= {CONVERSION: second} if second else {}
    return BillingFacts(signed_on=sheet.signed_on, activated_on=activated_on, milestones=reached)


def _unmet(rule: BillingRule, facts: BillingFacts, today: date) -> str:
    waits = [*billing.awaited_facts(rule, facts), *(f"{day}" for day in billing.awaited_dates(rule) if day > today)]
    return f"{' and '.join(waits)} has not come" if waits else "its rule is not met"


def _because(watched: Watched, line: str) -> str:
    """The first thing that is known to hold it up."""
    view = watched.view
    waits = next((each.waits_for for each in view.lines if each.id == line and each.waits_for), None)
    if waits:
        return f"it waits for {waits}"
    if view.hold:
        return f"credit hold: {view.hold}"
    if view.paused:
        return f"paused: {view.paused}"
    if view.mode == "shadow":
        return "the lifecycle is in shadow: it changes nothing"
    return view.cases[0].title if view.cases else ""


def _product(watched: Watched, line: str) -> str:
    return next((each.product for each in watched.sheet.lines if each.id == line), line)
