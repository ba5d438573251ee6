"""What finance must approve before an order may reach the ERP: the company's limits and standard terms, as data.

Nothing is priced here. A value is what the deal itself states (quantity × unit price), added up for each billing
frequency on its own: a check of the deal's own figures. Nothing is made a year of, discounted or rated.
"""

from collections.abc import Iterator
from decimal import Decimal

from domain.company import ApprovalPolicy, StandardTerm
from domain.order import Order, OrderLine, Reason
from domain.terms import ChargeType, EarliestOf, Frequency, LatestOf

RANGES: dict[StandardTerm, str] = {
    "payment_terms_days": "Payment in {value} days",
    "notice_days": "A notice of {value} days",
    "initial_months": "A first term of {value} months",
    "renewal_months": "A renewal term of {value} months",
    "free_months": "{value} free months",
}
CHOICES = {"kind": "kinds", "billing_timing": "billing_timings"}


def approval_reasons(order: Order, policy: ApprovalPolicy) -> tuple[Reason, ...]:
    """Every reason why finance must approve this order, with the path of what it is about; none for a standard one."""
    return (*_values(order, policy), *_ranges(order, policy), *_choices(order, policy), *_rules(order, policy))


def stated_values(order: Order) -> dict[Frequency, Decimal]:
    """The charges by billing frequency, as the deal states them. Usage has no value before it is used."""
    values: dict[Frequency, Decimal] = {}
    for line in order.lines:
        if _priced(line) and line.quantity is not None and line.unit_price is not None:
            values[line.frequency] = values.get(line.frequency, Decimal()) + line.quantity * line.unit_price
    return values


def _priced(line: OrderLine) -> bool:
    return line.charge is not ChargeType.USAGE


def _values(order: Order, policy: ApprovalPolicy) -> Iterator[Reason]:
    limit = policy.limits.get(order.currency or "")
    if limit is None:
        return
    for index, line in enumerate(order.lines):
        if _priced(line) and line.unit_price is None:
            message = "The deal states no unit price, so nobody can tell whether the order is within the limit."
            yield Reason(path=f"lines[{index}].unit_price", message=message)
    for frequency, value in stated_values(order).items():
        if value > limit:
            message = f"The {frequency.value} charges are {value:f} {order.currency}, above the limit of {limit:f}."
            yield Reason(path="lines", message=message)


def _ranges(order: Order, policy: ApprovalPolicy) -> Iterator[Reason]:
    for field, words in RANGES.items():
        allowed, value = policy.terms.get(field), getattr(order.terms, field, None)
        if allowed is not None and value is not None and not allowed[0] <= value <= allowed[1]:
            message = f"{words.format(value=value)} is not standard: {allowed[0]} to {allowed[1]} is."
            yield Reason(path=f"terms.{field}", message=message)


def _choices(order: Order, policy: ApprovalPolicy) -> Iterator[Reason]:
    for field, name in CHOICES.items():
        allowed, value = getattr(policy, name), getattr(order.terms, field, None)
        if allowed and value is not None and value not in allowed:
            yield Reason(path=f"terms.{field}", message=f"{value} is not standard: {', '.join(allowed)} is.")


def _rules(order: Order, policy: ApprovalPolicy) -> Iterator[Reason]:
    if not policy.billing_rules:
        return
    for index, line in enumerate(order.lines):
        used = set(_names(line.billing_start)) - set(policy.billing_rules)
        if used:
            message = f"Billing {', '.join(sorted(used))} is not standard: {', '.join(policy.billing_rules)} is."
            yield Reason(path=f"lines[{index}].billing_start", message=message)


def _names(rule: object) -> Iterator[str]:
    if isinstance(rule, EarliestOf | LatestOf):
        for part in rule.rules:
            yield from _names(part)
    yield getattr(rule, "rule", "")
