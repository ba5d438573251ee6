"""When a line's billing starts: rules of the contract against the facts of its lifecycle."""

from collections.abc import Iterator
from datetime import date

from domain import calendar
from domain.base import Frozen
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
    StartRule,
)

CONVERSION = "conversion"


class BillingFacts(Frozen):
    """What has happened so far, as civil dates in the contract's zone. `milestones`: name to the day it was reached; a
    trial reaches the one named `conversion` on the first day of what it became.
    """

    signed_on: date | None = None
    activated_on: date | None = None
    milestones: dict[str, date] = {}


def rule_of(line: LineTerms, terms: ContractTerms, facts: BillingFacts) -> BillingRule:
    """All that must be met before a line is billed: its own rule, the first day of the line, the contract's free months
    (recurring lines only) and a trial's conversion (all lines but one-time ones), whichever comes last.
    """
    rules: list[BillingRule] = [line.billing_start]
    if line.starts is not None:
        rules.append(OnDate(on=line.starts))
    if terms.free_months > 0 and line.charge is ChargeType.RECURRING:
        first = calendar.anchor(terms, facts.signed_on, facts.activated_on)
        # the months can't be over before they have begun
        rules.append(OnDate(on=calendar.add_months(first, terms.free_months)) if first else _unanchored(terms))
    if terms.kind is ContractKind.TRIAL and line.charge is not ChargeType.ONE_TIME:
        rules.append(OnMilestone(name=CONVERSION))
    return rules[0] if len(rules) == 1 else LatestOf(rules=tuple(rules))


def _unanchored(terms: ContractTerms) -> BillingRule:
    return OnSignature() if terms.start is StartRule.ON_SIGNATURE else OnActivation()


def line_starts(line: LineTerms, terms: ContractTerms, facts: BillingFacts, today: date) -> date | None:
    """The day on which a line's billing starts, if it has come by `today`. A line that is over before it could be
    billed never is.
    """
    starts = billing_starts(rule_of(line, terms, facts), facts, today)
    return None if starts is None or (line.ends is not None and line.ends <= starts) else starts


def is_over(line: LineTerms, today: date) -> bool:
    """Whether the line's own last day has passed: there is nothing to bill of it any more."""
    return line.ends is not None and line.ends <= today


def billing_starts(rule: BillingRule, facts: BillingFacts, today: date) -> date | None:
    """The day on which the rule is met, if it is met by `today`; None otherwise. A later fact counts as absent."""
    match rule:
        case EarliestOf():
            met = [day for part in rule.rules if (day := billing_starts(part, facts, today))]
            return min(met, default=None)
        case LatestOf():
            met = [day for part in rule.rules if (day := billing_starts(part, facts, today))]
            return max(met) if len(met) == len(rule.rules) else None
    day = _fact(rule, facts)
    return day if day is not None and day <= today else None


def _fact(rule: OnSignature | OnActivation | OnMilestone | OnDate, facts: BillingFacts) -> date | None:
    match rule:
        case OnSignature():
            return facts.signed_on
        case OnActivation():
            return facts.activated_on
        case OnMilestone():
            return facts.milestones.get(rule.name)
        case OnDate():
            return rule.on


def _leaves(rule: BillingRule) -> Iterator[OnSignature | OnActivation | OnMilestone | OnDate]:
    if isinstance(rule, EarliestOf | LatestOf):
        for part in rule.rules:
            yield from _leaves(part)
    else:
        yield rule


def awaited_dates(rule: BillingRule) -> tuple[date, ...]:
    """The fixed dates that a rule names, in order: days on which time alone may start the billing."""
    return tuple(sorted({leaf.on for leaf in _leaves(rule) if isinstance(leaf, OnDate)}))


def awaited_milestones(rule: BillingRule) -> tuple[str, ...]:
    """The milestones that a rule names, sorted."""
    return tuple(sorted({leaf.name for leaf in _leaves(rule) if isinstance(leaf, OnMilestone)}))


def awaited_facts(rule: BillingRule, facts: BillingFacts) -> tuple[str, ...]:
    """The facts that a rule names and that aren't known yet, in words: something must be told before they count."""
    found = set()
    for leaf in _leaves(rule):
        if isinstance(leaf, OnSignature) and facts.signed_on is None:
            found.add("the signature")
        elif isinstance(leaf, OnActivation) and facts.activated_on is None:
            found.add("the activation")
        elif isinstance(leaf, OnMilestone) and leaf.name not in facts.milestones:
            found.add("the trial's conversion" if leaf.name == CONVERSION else f"the milestone {leaf.name}")
    return tuple(sorted(found))


def describe(rule: BillingRule) -> str:
    """The rule in words: "on signature", "when go-live is reached", "the earliest of … and …"."""
    match rule:
        case OnSignature():
            return "on signature"
        case OnActivation():
            return "on activation"
        case OnMilestone():
            return f"when {rule.name} is reached"
        case OnDate():
            return f"on {rule.on.isoformat()}"
        case EarliestOf():
            return f"the earliest of {_listed(rule.rules)}"
        case LatestOf():
            return f"the latest of {_listed(rule.rules)}"


def _listed(rules: tuple[BillingRule, ...]) -> str:
    words = [f"({describe(rule)})" if isinstance(rule, EarliestOf | LatestOf) else describe(rule) for rule in rules]
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
