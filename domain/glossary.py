"""What the words mean: each term is a pure function, and its docstring is the definition that people are shown."""

import inspect
from collections.abc import Callable, Iterable, Mapping
from datetime import date
from typing import Literal, TypeVar

from domain import calendar
from domain.base import Frozen
from domain.company import CollectionsPolicy, RiskPolicy
from domain.measures import delays, forecasts, leakage, money, retention, value
from domain.policies.collections import is_delinquent
from domain.policies.risk import Risk, Signals, assess_risk
from domain.terms import ContractTerms
from domain.view import SERVED, Stage

_Rule = TypeVar("_Rule", bound=Callable[..., object])
_TERMS: dict[str, Callable[..., object]] = {
    "annual recurring value": value.annual_value,
    "billed before the rule allowed": leakage.billed_too_early,
    "billing not started": leakage.billing_not_started,
    "expired but served": leakage.expired_but_served,
    "forecast against what came": forecasts.what_came,
    "gross revenue retention": retention.gross_retention,
    "leakage": leakage.leakage,
    "leakage recovered": leakage.recovered,
    "logo churn": retention.logo_churn,
    "net revenue retention": retention.net_retention,
    "reporting currency": money.money,
    "time to activation": delays.time_to_activation,
    "time to first invoice": delays.time_to_first_invoice,
    "time to go-live": delays.time_to_go_live,
    "time to onboarding": delays.time_to_onboarding,
    "under-billed quantity": leakage.under_billed,
}


class Entry(Frozen):
    """A term, its definition, and the dotted name of the function that decides it."""

    term: str
    definition: str
    rule_name: str


def _defines(term: str) -> Callable[[_Rule], _Rule]:
    def register(rule: _Rule) -> _Rule:
        _TERMS[term] = rule
        return rule

    return register


@_defines("active customer")
def active_customer(stages: Iterable[Stage]) -> bool:
    """An account with at least one contract whose order the ERP has activated and which has neither ended nor been
    cancelled. A contract that is out of term still counts: nobody has ended it.
    """
    return any(stage in SERVED for stage in stages)


@_defines("renewal date")
def renewal_date(terms: ContractTerms, anchor: date, day: date) -> date | None:
    """The first day of the next term: the day after the last day of the term that a day falls in, counted from the
    contract's anchor, a civil date in the contract's time zone. An evergreen contract has none.
    """
    return calendar.term_on(terms, anchor, day).ends


@_defines("implementation complete")
def implementation_complete(milestones: Mapping[str, date], go_live: str, today: date) -> bool:
    """The contract's go-live milestone has been reached, on a day that is not in the future. Open onboarding tasks
    do not matter.
    """
    reached = milestones.get(go_live)
    return reached is not None and reached <= today


@_defines("invoice delinquent")
def invoice_delinquent(due_on: date, paid: bool, today: date, policy: CollectionsPolicy) -> bool:
    """An invoice that is not paid in full after its due date plus the company's grace days. On the last day of grace it
    is overdue, but not delinquent.
    """
    return is_delinquent(due_on, paid, today, policy)


@_defines("account hierarchy")
def account_hierarchy(account: str, parents: Mapping[str, str | None]) -> tuple[str, ...]:
    """The account, its parent, and so on up to the ultimate parent, as the CRM names parents. Where they go round in a
    circle, each account counts once and the walk stops.
    """
    line = [account]
    while (parent := parents.get(line[-1])) and parent not in line:
        line.append(parent)
    return tuple(line)


@_defines("customer health")
def customer_health(signals: Signals, policy: RiskPolicy) -> Risk:
    """The risk of losing the customer (low, medium, high) and the priority of its renewal (normal, raised, urgent): the
    worst of overdue invoices, open support cases, adoption and late onboarding, with a reason for each.
    """
    return assess_risk(signals, policy)


@_defines("revenue status")
def revenue_status(
    lines: Iterable[str], billing: Mapping[str, date], ends_on: date | None, today: date
) -> Literal["not_started", "partly_started", "started", "ended"]:
    """Whether the ERP has confirmed the start of billing for none, some or all of a contract's lines, on a day that is
    not in the future; ended from the day on which the contract is no longer served.
    """
    if ends_on is not None and ends_on <= today:
        return "ended"
    started = [line in billing and billing[line] <= today for line in lines]
    if started and all(started):
        return "started"
    return "partly_started" if any(started) else "not_started"


@_defines("renewal eligibility")
def renewal_eligible(terms: ContractTerms, term: calendar.Term, stage: Stage, today: date) -> bool:
    """A contract can be renewed when it is served and not ending, is not evergreen, and the renewal window of its term
    is open: from the longer of window and notice period plus lead before the term's end. A contract that is out of term
    can still be renewed.
    """
    return can_be_renewed(stage, calendar.window_opens(terms, term), today)


def can_be_renewed(stage: Stage, window_opens: date | None, today: date) -> bool:
    """Renewal eligibility, for who knows on which day the window opens."""
    return stage in SERVED - {Stage.ENDING} and window_opens is not None and window_opens <= today


def glossary() -> tuple[Entry, ...]:
    """Every term with its definition, alphabetically."""
    return tuple(
        Entry(
            term=term,
            definition=" ".join(inspect.cleandoc(rule.__doc__ or "").split()),
            rule_name=f"{rule.__module__}.{rule.__name__}",
        )
        for term, rule in sorted(_TERMS.items())
    )
