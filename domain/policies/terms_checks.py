"""The contradictions in a contract's terms: every one at once, each with what to change."""

from collections.abc import Iterator
from datetime import date

from domain.calendar import Term, term, zone_exists
from domain.counting import many
from domain.order import Order, OrderedTerms, Reason
from domain.policies.day_checks import day_reasons, in_reach
from domain.terms import ChargeType, ContractKind, StartRule

MAX_MONTHS = 120
MAX_DAYS = 366 * 2
MAX_PAYMENT_DAYS = 365
MAX_YEARS_TO_START = 5

_Found = Iterator[tuple[str, str]]


def terms_reasons(order: Order) -> Iterator[Reason]:
    """Whether the contract's terms, and its purchase order, fit together and to the signature."""
    terms = order.terms
    found = (
        *_start(order),
        *_lengths(terms),
        *_evergreen(terms),
        *_trial(terms),
        *_once(terms),
        *_reseller(terms),
        *_minimum(terms),
        *_coterm(order),
        *_notice(order),
        *_free(order),
    )
    yield from day_reasons(order)
    yield from (Reason(path=f"terms.{field}", message=message) for field, message in found)
    yield from _purchase_order(order)


def first_day(order: Order) -> date | None:
    """The first day of the contract as far as it is known before activation: never after the real one. None where a
    day of the order is out of reach, and nothing can be counted from it."""
    if not in_reach(order):
        return None
    return order.terms.starts_on if order.terms.start is StartRule.ON_DATE else order.signed_on


def first_term(order: Order) -> Term | None:
    """The first term counted from `first_day`; None where the terms give none."""
    first, terms = first_day(order), order.terms
    lengths = (terms.initial_months, terms.renewal_months)
    if first is None or not all(0 < months <= MAX_MONTHS for months in lengths):
        return None
    return term(terms, first, 1)


def _stated(terms: OrderedTerms, *fields: str) -> list[str]:
    """Those of the fields that the deal itself says."""
    return [field for field in fields if field in terms.model_fields_set and getattr(terms, field) is not None]


def _start(order: Order) -> _Found:
    terms = order.terms
    if not zone_exists(terms.zone):
        yield "zone", f"The time zone {terms.zone!r} is not known; write it like Europe/Berlin."
    if terms.start is StartRule.ON_DATE and terms.starts_on is None:
        yield "starts_on", "The contract starts on a date, but the date is missing: write starts_on."
    if terms.start is not StartRule.ON_DATE and terms.starts_on is not None:
        message = f"A start date ({terms.starts_on}) is given, but the contract starts {terms.start.value}: "
        yield "starts_on", f"{message}leave it out, or write start = on_date."
    starts, signed = (terms.starts_on, order.signed_on) if in_reach(order) else (None, None)
    if starts and signed and abs(starts.year - signed.year) > MAX_YEARS_TO_START:
        message = f"The contract would start on {starts}, years away from its signature: correct one of them."
        yield "starts_on", message


def _lengths(terms: OrderedTerms) -> _Found:
    for field in ("initial_months", "renewal_months"):
        months = getattr(terms, field)
        if not 0 < months <= MAX_MONTHS:
            yield field, f"The length is {months} months; allowed are 1 to {MAX_MONTHS}."
    if terms.converts_to and not 0 < terms.converts_to.months <= MAX_MONTHS:
        yield "converts_to.months", f"The length is {terms.converts_to.months} months; allowed are 1 to {MAX_MONTHS}."
    if terms.trial_days is not None and not 0 < terms.trial_days <= MAX_DAYS:
        yield "trial_days", f"The trial lasts {terms.trial_days} days; allowed are 1 to {MAX_DAYS}."
    for field in ("renewal_window_days", "renewal_lead_days"):
        days = getattr(terms, field)
        if not 0 <= days <= MAX_DAYS:
            yield field, f"It is {days} days; allowed are 0 to {MAX_DAYS}."
    if not 0 <= terms.payment_terms_days <= MAX_PAYMENT_DAYS:
        message = f"Payment is due in {terms.payment_terms_days} days; allowed are 0 to {MAX_PAYMENT_DAYS}."
        yield "payment_terms_days", message


def _evergreen(terms: OrderedTerms) -> _Found:
    if terms.evergreen:
        if _stated(terms, "initial_months"):
            message = "An evergreen contract has no first term: leave initial_months out, write minimum_months for a "
            yield "initial_months", f"{message}minimum, or renew_to_evergreen instead of evergreen."
        if _stated(terms, "renewal_months"):
            message = (
                "An evergreen contract has no term to renew: leave renewal_months out, or write auto_renew instead "
            )
            yield "renewal_months", f"{message}of evergreen where it renews by itself from term to term."
        if terms.auto_renew:
            yield "auto_renew", "An evergreen contract has no end, so it can't renew automatically: choose one."
        if terms.renew_to_evergreen:
            message = "The contract is evergreen from its first day, so it can't become evergreen: choose one."
            yield "renew_to_evergreen", message
    elif terms.renew_to_evergreen and _stated(terms, "renewal_months"):
        message = (
            "After its first term the contract runs on without end: leave renewal_months or renew_to_evergreen out."
        )
        yield "renewal_months", message


def _trial(terms: OrderedTerms) -> _Found:
    if terms.kind is not ContractKind.TRIAL:
        for field in _stated(terms, "trial_days", "converts_to"):
            yield field, f"Only a trial has {field}: write kind = trial, or leave it out."
        return
    if terms.converts_to is None and not terms.renew_to_evergreen:
        message = "The trial does not say what it becomes: write converts_to with months and auto."
        yield "converts_to", message
    if terms.converts_to and terms.renew_to_evergreen and "months" in terms.converts_to.model_fields_set:
        message = "The trial becomes a contract without end, so it has no length: leave months out."
        yield "converts_to.months", message
    if terms.evergreen:
        yield "evergreen", "A trial has an end: write renew_to_evergreen where it becomes a contract without one."
    match len(_stated(terms, "trial_days", "initial_months")):
        case 0:
            yield "trial_days", "The trial does not say how long it lasts: write trial_days or initial_months."
        case 2:
            yield "trial_days", "The trial's length is given in days and in months: leave one of them out."
    if _stated(terms, "minimum_months"):
        yield "minimum_months", "A trial can be ended until its last day, so it has no minimum: leave it out."
    if terms.free_months:
        yield "free_months", "A trial is not billed before it is converted: leave free_months out."
    for field in _stated(terms, "coterm_with", "coterm_ends"):
        yield field, "A trial ends with its own length: leave the co-term to what it becomes."


def _once(terms: OrderedTerms) -> _Found:
    if terms.kind is not ContractKind.ONE_OFF:
        return
    flags = [field for field in ("evergreen", "renew_to_evergreen", "auto_renew") if getattr(terms, field)]
    for field in (*flags, *_stated(terms, "renewal_months", "minimum_months", "price_notice_days")):
        message = f"What is delivered once ends with its term, and nothing follows: leave {field} out, "
        yield field, f"{message}or choose another kind."


def _reseller(terms: OrderedTerms) -> _Found:
    if terms.kind is ContractKind.RESELLER and not terms.billed_by:
        yield "billed_by", "It does not say who bills the customer: write the reseller or marketplace."
    if terms.kind is not ContractKind.RESELLER and terms.billed_by:
        message = f"Somebody else ({terms.billed_by}) bills the customer, but the contract is {terms.kind.value}: "
        yield "billed_by", f"{message}write kind = reseller, or leave billed_by out."


def _minimum(terms: OrderedTerms) -> _Found:
    months = terms.minimum_months
    if months is None:
        return
    if not 0 <= months <= MAX_MONTHS:
        wrong = "it can't be negative" if months < 0 else f"allowed are 0 to {MAX_MONTHS}"
        yield "minimum_months", f"The minimum is {months} months; {wrong}."
    elif months > terms.initial_months and not (terms.evergreen or terms.renew_to_evergreen or terms.auto_renew):
        message = (
            f"The minimum of {months} months is longer than the initial term of {terms.initial_months}, after which "
        )
        yield "minimum_months", f"{message}nothing follows by itself: shorten it, or write auto_renew."


def _coterm(order: Order) -> _Found:
    terms, first = order.terms, first_day(order)
    if terms.coterm_with and terms.coterm_ends is None:
        message = f"The contract ends together with {terms.coterm_with}, but the day is missing: write coterm_ends."
        yield "coterm_ends", message
    if terms.coterm_ends and not terms.coterm_with:
        message = "A day to end together is given, but not with which contract: write coterm_with, or leave it out."
        yield "coterm_with", message
    if order.deal_id and order.deal_id in (terms.coterm_with or "").split("/"):
        yield "coterm_with", "The contract can't end together with itself: name another one."
    if terms.coterm_ends and first and terms.coterm_ends <= first:
        message = (
            f"The first term would end on {terms.coterm_ends}, but begins on {first} at the earliest: correct the day."
        )
        yield "coterm_ends", message
    if terms.coterm_ends and (terms.evergreen or terms.kind is ContractKind.ONE_OFF):
        yield "coterm_ends", "An evergreen contract, or one that is delivered once, has no co-term: leave it out."


def _notice(order: Order) -> _Found:
    terms = order.terms
    for field, name in (("notice_days", "notice"), ("price_notice_days", "notice of a price increase")):
        days = getattr(terms, field)
        if days is not None and days < 0:
            yield field, f"The {name} is {days} days; it can't be negative."
        elif longest := _longer_than(order, days or 0):
            yield field, f"The {name} of {days} days is longer than the {longest}: shorten it."
    price = terms.price_notice_days
    if price is not None and price < terms.notice_days and (terms.auto_renew or terms.evergreen):
        message = (
            f"A price increase is announced {price} days ahead, when notice, {terms.notice_days} days ahead, can't be "
        )
        yield "price_notice_days", f"{message}given any more: make it at least as long as notice_days."


def _longer_than(order: Order, days: int) -> str | None:
    """The first of the terms, in words, that is too short for a notice of so many days."""
    terms, first = order.terms, first_term(order)
    if first is None or terms.evergreen or terms.kind is ContractKind.ONE_OFF:
        return None
    named = [("initial term", first)] if terms.kind is not ContractKind.TRIAL else []
    if not terms.renew_to_evergreen and (terms.converts_to is None or 0 < terms.converts_to.months <= MAX_MONTHS):
        named.append(("renewal term", term(terms, first.starts, 2)))
    for name, one in named:
        if one.ends is not None and days > (length := (one.ends - one.starts).days):
            return f"{name} of {many(length, 'day')}"
    return None


def _free(order: Order) -> _Found:
    terms = order.terms
    if terms.free_months < 0:
        yield "free_months", f"There are {terms.free_months} free months; it can't be negative."
    elif terms.free_months > MAX_MONTHS:
        yield "free_months", f"There are {terms.free_months} free months; allowed are 0 to {MAX_MONTHS}."
    elif terms.free_months and not terms.evergreen and terms.free_months >= terms.initial_months:
        message = f"All of the first term's {terms.initial_months} months would be free ({terms.free_months}): "
        yield "free_months", f"{message}give fewer free months, or a longer first term."
    elif terms.free_months and order.lines and all(line.charge is not ChargeType.RECURRING for line in order.lines):
        yield "free_months", "Free months are of recurring lines, and there is none: leave them out."


def _purchase_order(order: Order) -> Iterator[Reason]:
    given = order.purchase_order
    if given is None:  # one that is required may come later: billing waits for it
        return
    if not given.number and (given.limit is not None or given.expires_on is not None):
        message = "The purchase order has a limit or a last day, but no number: write its number."
        yield Reason(path="purchase_order.number", message=message)
    if given.limit is not None and not (given.limit.is_finite() and given.limit > 0):
        message = f"The purchase order's limit is {given.limit}; it must be more than zero."
        yield Reason(path="purchase_order.limit", message=message)
    if given.expires_on and order.signed_on and given.expires_on < order.signed_on:
        message = f"The purchase order expired on {given.expires_on}, before the signature on {order.signed_on}: "
        yield Reason(path="purchase_order.expires_on", message=f"{message}ask for a new one.")
