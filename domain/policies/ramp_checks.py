"""The contradictions in the lines' own days, and in what usage is rated by: every one at once, with what to change."""

from collections.abc import Iterator
from datetime import date
from itertools import pairwise

from domain.order import Order, OrderLine, Reason
from domain.policies.terms_checks import first_day, first_term
from domain.terms import BillingRule, ChargeType, EarliestOf, LatestOf, OnDate, StartRule


def ramp_reasons(order: Order) -> Iterator[Reason]:
    """Whether each line's days lie in the contract's first term, the steps of a ramp follow each other, and every line
    can be billed at all.
    """
    for index, line in enumerate(order.lines):
        found = (*_days(line, order), *_never_billed(line, order), *_rated(line))
        yield from (Reason(path=f"lines[{index}].{field}", message=message) for field, message in found)
    yield from _steps(order)


def _days(line: OrderLine, order: Order) -> Iterator[tuple[str, str]]:
    first, whole = first_day(order), first_term(order)
    if line.starts and line.ends and line.ends <= line.starts:
        yield "ends", f"The line would end on {line.ends}, but starts on {line.starts}: exchange or correct the days."
    for field, day in (("starts", line.starts), ("ends", line.ends)):
        if day and first and day < first:
            verb = "start" if field == "starts" else "end"
            message = f"The line would {verb} on {day}, before the contract begins ({first} at the earliest): "
            yield field, f"{message}correct the day, or leave it out."
    if line.charge is ChargeType.ONE_TIME and line.ends:
        yield "ends", "A one_time charge is billed once and has no end: leave it out."
    # an activation that is still to come moves the term's end, so only a known one can be overstepped
    over = whole.ends if whole and order.terms.start is not StartRule.ON_ACTIVATION else None
    if over and line.starts and line.starts >= over:
        message = f"The line would start on {line.starts}, when the first term is over ({over}): "
        yield "starts", f"{message}let it begin before, or add it with the renewal."
    if over and line.ends and line.ends > over:
        message = f"The line would end on {line.ends}, after the first term ({over}): "
        yield "ends", f"{message}leave it out, and it runs as long as the contract."


def _never_billed(line: OrderLine, order: Order) -> Iterator[tuple[str, str]]:
    if line.billing_start is None or line.ends is None or order.signed_on is None:
        return
    earliest = _earliest(line.billing_start, order.signed_on)
    if earliest >= line.ends:
        message = f"Its billing would start on {earliest} at the earliest, when the line has ended ({line.ends}): "
        yield "billing_start", f"{message}let it start before, or the line end later."


def _earliest(rule: BillingRule, signed_on: date) -> date:
    """The first day on which a rule can be met: activation and milestones come no sooner than the signature."""
    match rule:
        case OnDate():
            return rule.on
        case EarliestOf():
            return min(_earliest(part, signed_on) for part in rule.rules)
        case LatestOf():
            return max(_earliest(part, signed_on) for part in rule.rules)
        case _:
            return signed_on


def _rated(line: OrderLine) -> Iterator[tuple[str, str]]:
    used = line.charge in (ChargeType.USAGE, ChargeType.PREPAID)
    if line.charge is ChargeType.PREPAID and not line.minimum:
        yield "minimum", "A prepaid line commits to a minimum, but names none: write the reference to it."
    for field in ("rate_card", "minimum"):
        if not used and getattr(line, field):
            message = (
                f"Only usage and prepaid lines have a {field.replace('_', ' ')}; this one is {line.charge.value}: "
            )
            yield field, f"{message}leave it out, or change the charge."


def _steps(order: Order) -> Iterator[Reason]:
    """Lines of one product that each end on a day are the steps of its ramp. A line that runs on is a base to which
    others are added.
    """
    ramps: dict[tuple[str, ChargeType], list[tuple[int, OrderLine]]] = {}
    for index, line in enumerate(order.lines):
        if line.product and (line.starts or line.ends):
            ramps.setdefault((line.product, line.charge), []).append((index, line))
    for (product, _), steps in ramps.items():
        in_order = sorted(steps, key=lambda step: step[1].starts or date.min)
        for (_, before), (index, after) in pairwise(in_order):
            starts = after.starts or first_day(order)
            if before.ends is None or starts is None or before.ends == starts:
                continue
            apart = "a gap" if before.ends < starts else "an overlap"
            message = (
                f"The ramp of {product} has {apart}: a step ends on {before.ends} and the next one starts on {starts}; "
                f"let each start on the day the one before ends."
            )
            yield Reason(path=f"lines[{index}].starts", message=message)
