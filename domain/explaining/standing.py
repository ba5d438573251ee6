"""The calendar of a contract that lives: what has happened, and what its terms bring, counted from where it stands."""

from collections import Counter
from collections.abc import Iterator
from datetime import date

from domain.billing import BillingFacts
from domain.calendar import add_months
from domain.explain import explain
from domain.explaining.entries import Entry, Topic
from domain.order import Order
from domain.terms import ContractTerms, LineTerms, StartRule
from domain.view import LifecycleView, Stage

AHEAD = 1
"""How many terms after the running one are shown."""
WINDING_UP = (Stage.ENDING, Stage.ENDED, Stage.CANCELLED)
DECIDING = (Topic.WINDOW, Topic.CHECKPOINT, Topic.NOTICE, Topic.PRICE, Topic.REVIEW)


def standing_calendar(view: LifecycleView, order: Order, lines: tuple[LineTerms, ...]) -> tuple[Entry, ...]:
    """In order of their days, those without a day last. ValueError for terms that contradict themselves."""
    facts = BillingFacts(
        signed_on=order.signed_on,
        activated_on=_activated_on(view, order.terms),
        milestones=view.milestones,
    )
    moved = {view.term: view.term_starts} if view.term and view.term_starts else {}
    told = explain(order.terms, lines, facts, moved=moved, count=max(view.term, 1) + AHEAD)
    entries = [*_facts(view, order), *(entry for entry in told.entries if _still_true(view, entry))]
    return tuple(sorted(entries, key=lambda entry: (entry.on is None, entry.on or date.min)))


def _activated_on(view: LifecycleView, terms: ContractTerms) -> date | None:
    """The day that anchors a contract which starts with its activation, counted back from the term that runs."""
    if terms.start is not StartRule.ON_ACTIVATION or view.term_starts is None:
        return None
    if view.term == 1:
        return view.term_starts
    return add_months(view.term_starts, -terms.initial_months - (view.term - 2) * terms.renewal_months)


def _facts(view: LifecycleView, order: Order) -> Iterator[Entry]:
    if order.signed_on is not None:
        yield Entry(on=order.signed_on, topic=Topic.CONTRACT, what="the contract is signed", reckoned="a fact")
    for name, on in view.milestones.items():
        yield Entry(on=on, topic=Topic.CONTRACT, what=f"{name} is reached", reckoned="a fact")
    sold = Counter(line.product for line in view.lines)
    for line in view.lines:
        name = line.product if sold[line.product] == 1 else f"{line.product} (line {line.id})"
        what = f"{name} is billed from this day on"
        if line.billing_starts is not None:
            yield Entry(on=line.billing_starts, topic=Topic.BILLING, what=what, reckoned="a fact", line=line.id)
        else:
            what = f"{name} is billed from then on"
            waits = line.waits_for or line.billing_rule
            yield Entry(on=None, topic=Topic.BILLING, what=what, reckoned=f"waits for: {waits}", line=line.id)


def _still_true(view: LifecycleView, entry: Entry) -> bool:
    """Facts come from the view, and terms that are over are no longer reckoned."""
    if entry.reckoned == "a fact" or (entry.topic is Topic.BILLING and entry.line is not None):
        return False
    if view.stage in WINDING_UP and (entry.topic in DECIDING or (entry.term or 0) > view.term):
        return False
    if (entry.term or 0) > view.term and entry.topic is Topic.CHECKPOINT:
        return False  # they say little before their time
    return entry.term is None or entry.term >= view.term
