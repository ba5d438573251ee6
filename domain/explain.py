"""A contract explained: its terms in sentences and its dated calendar in words. A pure function of terms and facts."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date

from domain import billing, calendar
from domain.billing import BillingFacts
from domain.calendar import Undecided
from domain.explaining.billing import billing_entries, other_entries, ramp_entries
from domain.explaining.entries import Entry, Explanation, Topic, days, months
from domain.explaining.terms import length, starts_with, term_entries
from domain.terms import ContractKind, ContractTerms, LineTerms, PurchaseOrder, StartRule

__all__ = ["Entry", "Explanation", "Topic", "explain"]


def explain(
    terms: ContractTerms,
    lines: Sequence[LineTerms],
    facts: BillingFacts,
    *,
    purchase_order: PurchaseOrder | None = None,
    moved: Mapping[int, date] | None = None,
    count: int = 3,
) -> Explanation:
    """The calendar of a contract over `count` terms (of an evergreen: yearly reviews), as if every renewal happened.

    Facts that are not known yet (activation, milestones, even the signature) are told in words. ValueError for terms
    that contradict themselves: see policies/terms_checks.py.
    """
    anchor = calendar.anchor(terms, facts.signed_on, facts.activated_on)
    first = (moved or {}).get(1, anchor)
    known = _converted(terms, facts, first, moved or {})
    entries = (
        *_facts(facts),
        *term_entries(terms, first, moved or {}, count),
        *billing_entries(terms, lines, known),
        *ramp_entries(lines, first),
        *other_entries(terms, purchase_order, first),
    )
    in_order = sorted(entries, key=lambda entry: (entry.on is None, entry.on or date.min))
    return Explanation(
        summary=tuple(_summary(terms, purchase_order)),
        entries=tuple(in_order),
        awaited=tuple(_awaited(terms, lines, known)),
    )


def _converted(
    terms: ContractTerms, facts: BillingFacts, first: date | None, moved: Mapping[int, date]
) -> BillingFacts:
    """With the day on which a trial converts, where it does so by itself."""
    if first is None or terms.kind is not ContractKind.TRIAL or billing.CONVERSION in facts.milestones:
        return facts
    if calendar.if_undecided(terms, 1) is not Undecided.RENEWS:
        return facts
    converts = calendar.term(terms, first, 2, moved).starts
    return facts.model_copy(update={"milestones": facts.milestones | {billing.CONVERSION: converts}})


def _facts(facts: BillingFacts) -> Iterator[Entry]:
    known = [("the contract is signed", facts.signed_on), ("the ERP activates the order", facts.activated_on)]
    for what, on in [*known, *((f"{name} is reached", day) for name, day in facts.milestones.items())]:
        if on is not None:
            yield Entry(on=on, topic=Topic.CONTRACT, what=what, reckoned="a fact")


def _summary(terms: ContractTerms, order: PurchaseOrder | None) -> Iterator[str]:
    kinds = {
        ContractKind.STANDARD: "A contract",
        ContractKind.TRIAL: "A trial",
        ContractKind.RESELLER: f"A contract that {terms.billed_by or 'somebody else'} bills",
        ContractKind.ONE_OFF: "A contract that is delivered once",
    }
    yield f"{kinds[terms.kind]}, from {starts_with(terms)}, {length(terms, 1)}; all days are days in {terms.zone}."
    if not terms.evergreen and terms.kind is not ContractKind.ONE_OFF:
        yield f"It {_goes_on(terms)}."
    if terms.minimum_months:
        yield f"It lasts {months(terms.minimum_months)} at the least."
    if terms.kind is not ContractKind.ONE_OFF:
        price = f", of a price increase {days(terms.price_notice_days)}" if terms.price_notice_days is not None else ""
        yield f"Notice is {days(terms.notice_days)}{price}."
    yield f"Periods are billed in {terms.billing_timing.value}, payable within {days(terms.payment_terms_days)}."
    if terms.uplift_reference:
        yield f"The price at a renewal follows {terms.uplift_reference}."
    if order is not None:
        limit = f" up to {order.limit:f}" if order.limit is not None else ""
        yield f"It is billed against the purchase order {order.number}{limit}."
    elif terms.purchase_order_required:
        yield "It can't be billed before the customer's purchase order has come."


def _goes_on(terms: ContractTerms) -> str:
    renews = calendar.if_undecided(terms, 1) is Undecided.RENEWS
    if terms.kind is ContractKind.TRIAL:
        how = "converts by itself" if renews else "is converted by a decision, and otherwise ends,"
        return f"{how} into a term {length(terms, 2)}"
    how = "renews by itself" if renews else "is renewed by a decision only (opt-in)"
    return f"{how}, {length(terms, 2)}" + ("" if terms.renew_to_evergreen else " each time")


def _awaited(terms: ContractTerms, lines: Sequence[LineTerms], facts: BillingFacts) -> Iterator[str]:
    """What decides a day and is not known, in the order in which it usually becomes known."""
    named = {fact for line in lines for fact in billing.awaited_facts(billing.rule_of(line, terms, facts), facts)}
    if calendar.anchor(terms, facts.signed_on, facts.activated_on) is None:
        named.add("the signature" if terms.start is StartRule.ON_SIGNATURE else "the activation")
    first = [fact for fact in ("the signature", "the activation") if fact in named]
    yield from [*first, *sorted(named - set(first))]
