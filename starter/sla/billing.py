"""When the billing of a line may begin by the contract's terms: what a billing clock starts with."""

from datetime import date, datetime
from typing import NamedTuple

from sqlmodel import Session

from domain import billing
from domain.calendar import civil_date, start_of_day
from domain.company import Company
from domain.measures.leakage import billing_facts
from domain.order import ContractSheet
from domain.policies.validation import parse_order, sheet
from domain.terms import LineTerms
from domain.view import LifecycleView
from starter.measuring import activated_on
from store.clocks import SlaClockRow
from store.orders import newest_order
from store.tables import LifecycleViewRow


class Eligible(NamedTuple):
    """`since`: from when the line may be billed, None while it may not. `again`: when time alone may change that."""

    since: datetime | None
    again: datetime | None = None


def eligible(session: Session, row: SlaClockRow, company: Company, now: datetime) -> Eligible:
    """Whether the line of a billing clock may be billed at a business instant, by its order and its view. A line that
    the order does not tell of, such as one of an order that can't be read any more, counts from when it was seen.
    """
    contract = row.contract or ""
    shown, order = session.get(LifecycleViewRow, contract), newest_order(session, contract)
    if shown is None or order is None:
        return Eligible(None)
    view = LifecycleView.model_validate(shown.view)
    seen = next((line for line in view.lines if line.id == row.subject), None)
    if view.paused is not None or seen is None or seen.waits_for is not None:
        return Eligible(None)
    try:
        ordered = sheet(parse_order(order.document)[0], company)
    except ValueError:
        return Eligible(row.since)
    line = next((each for each in ordered.lines if each.id == row.subject), None)
    if line is None:
        return Eligible(row.since)
    return _by_terms(line, ordered, view, row.since, now, activated_on(session, contract))


def _by_terms(
    line: LineTerms, ordered: ContractSheet, view: LifecycleView, since: datetime, now: datetime, activated: date | None
) -> Eligible:
    today = civil_date(now, view.zone)
    facts = billing_facts(ordered, view, activated or view.term_starts)
    day = billing.line_starts(line, ordered.terms, facts, today)
    if day is not None:
        return Eligible(max(start_of_day(day, view.zone), since))
    rule = billing.rule_of(line, ordered.terms, facts)
    ahead = [each for each in (*billing.awaited_dates(rule), *facts.milestones.values(), facts.activated_on) if each]
    coming = min((each for each in ahead if each > today), default=None)
    return Eligible(None, start_of_day(coming, view.zone) if coming and not billing.is_over(line, today) else None)
