"""The entries about billing: when each line begins to be billed, a ramp's steps, free months, the purchase order."""

from collections.abc import Iterator, Sequence
from datetime import date
from decimal import Decimal

from domain import billing, calendar
from domain.billing import BillingFacts
from domain.explaining.entries import Entry, Topic, every, months
from domain.terms import (
    BillingRule,
    ChargeType,
    ContractKind,
    ContractTerms,
    EarliestOf,
    LatestOf,
    LineTerms,
    OnActivation,
    OnDate,
    OnMilestone,
    OnSignature,
    PurchaseOrder,
)

Bounds = tuple[date, date | None]


def billing_entries(terms: ContractTerms, lines: Sequence[LineTerms], facts: BillingFacts) -> Iterator[Entry]:
    """For each line, from when on it is billed and by whom."""
    for line in lines:
        rule = billing.rule_of(line, terms, facts)
        earliest, latest = _bounds(rule, facts)
        words = _held_back(line, terms)
        if latest is None and earliest > (facts.signed_on or date.min):
            words += f"; not before {earliest}"
        if line.ends is not None and (latest or earliest) >= line.ends:
            what = f"line {line.id} ({_sold(line)}) is never billed: it ends on {line.ends}"
            yield Entry(on=None, topic=Topic.BILLING, what=what, reckoned=words, line=line.id)
            continue
        at_latest = latest is not None and earliest < latest
        what = f"billing of line {line.id} starts: {_charged(line, terms)}"
        yield Entry(on=latest, topic=Topic.BILLING, what=what, reckoned=words, at_latest=at_latest, line=line.id)


def ramp_entries(lines: Sequence[LineTerms], first: date | None) -> Iterator[Entry]:
    """How much of a product runs before and after each day on which one of its lines begins or ends."""
    for product in dict.fromkeys(line.product for line in lines):
        of_product = [line for line in lines if line.product == product and line.charge is not ChargeType.ONE_TIME]
        for day in sorted({day for line in of_product for day in (line.starts, line.ends) if day}):
            if first is not None and day <= first:
                continue
            before, after = _running(of_product, day, after=False), _running(of_product, day, after=True)
            what = f"{product}: {before:f} until the day before, {after:f} from this day on"
            yield Entry(on=day, topic=Topic.RAMP, what=what, reckoned="the lines' own days")


def other_entries(terms: ContractTerms, order: PurchaseOrder | None, first: date | None) -> Iterator[Entry]:
    """The end of the free months, and of the purchase order."""
    if terms.free_months:
        over = calendar.add_months(first, terms.free_months) if first else None
        reckoned = f"{months(terms.free_months)} after the contract's first day"
        what = "the free months are over: recurring lines can be billed"
        yield Entry(on=over, topic=Topic.BILLING, what=what, reckoned=reckoned)
    if order is not None and order.expires_on:
        what = f"the purchase order {order.number} expires: the last day on which it can be billed against"
        yield Entry(on=order.expires_on, topic=Topic.PURCHASE_ORDER, what=what, reckoned="as the customer gave it")


def _running(lines: Sequence[LineTerms], day: date, *, after: bool) -> Decimal:
    def runs(line: LineTerms) -> bool:
        if after:
            return (line.starts is None or line.starts <= day) and (line.ends is None or day < line.ends)
        return (line.starts is None or line.starts < day) and (line.ends is None or day <= line.ends)

    return sum((line.quantity for line in lines if runs(line)), Decimal())


def _bounds(rule: BillingRule, facts: BillingFacts) -> Bounds:
    """The first day on which a rule can be met, and the day on which it is met whatever else happens; None where that
    takes a fact which is still to come.
    """
    match rule:
        case EarliestOf():
            parts = [_bounds(part, facts) for part in rule.rules]
            return min(low for low, _ in parts), min((high for _, high in parts if high), default=None)
        case LatestOf():
            parts = [_bounds(part, facts) for part in rule.rules]
            highs = [high for _, high in parts if high]
            return max(low for low, _ in parts), max(highs) if len(highs) == len(parts) else None
        case OnDate():
            return rule.on, rule.on
        case OnSignature():
            known = facts.signed_on
        case OnActivation():
            known = facts.activated_on
        case OnMilestone():
            known = facts.milestones.get(rule.name)
    return (known, known) if known else (facts.signed_on or date.min, None)


def _held_back(line: LineTerms, terms: ContractTerms) -> str:
    parts = [billing.describe(line.billing_start)]
    if line.starts is not None:
        parts.append(f"not before the line's first day {line.starts}")
    if terms.free_months and line.charge is ChargeType.RECURRING:
        parts.append(f"not in the first {months(terms.free_months)}, which are free")
    if terms.kind is ContractKind.TRIAL and line.charge is not ChargeType.ONE_TIME:
        parts.append("not before the trial is converted")
    return ", but ".join([parts[0], " and ".join(parts[1:])] if len(parts) > 1 else parts)


def _sold(line: LineTerms) -> str:
    return f"{line.quantity:f} × {line.product}"


def _charged(line: LineTerms, terms: ContractTerms) -> str:
    words = [_sold(line), line.charge.value.replace("_", "-")]
    if line.charge is not ChargeType.ONE_TIME:
        words += [every(line.frequency), f"in {terms.billing_timing.value}"]
    words += [f"rate card {line.rate_card}"] if line.rate_card else []
    words += [f"minimum {line.minimum}"] if line.minimum else []
    words += [f"until {line.ends}"] if line.ends else []
    words += [f"billed by {terms.billed_by}"] if terms.billed_by else []
    return ", ".join(words)
