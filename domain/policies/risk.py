"""How much a customer is at risk, and how urgent its renewal is: explained, and monotone in what goes wrong."""

from collections.abc import Iterable, Iterator
from datetime import date
from decimal import Decimal
from typing import Literal

from domain.base import Frozen, Tolerant
from domain.company import RiskPolicy

Level = Literal["low", "medium", "high"]
Priority = Literal["normal", "raised", "urgent"]
Concern = tuple[Level, str]

URGENT_WITHIN_DAYS = 30
CONCERNS_FOR_HIGH = 3
OVERDUE = "days overdue"


class Signals(Frozen):
    """What is known of a customer on the day `as_of`. An unknown signal neither raises nor lowers the risk.

    `overdue_since`: the oldest due date of its delinquent invoices. `severities`: open support cases by severity, 1 is
    the worst. `adoption`: active of entitled seats, a ratio. `days_to_renewal`: until the term's end. `undecided`: the
    renewal has waited too long for a decision, which is urgent whatever the risk.
    """

    overdue_since: date | None = None
    severities: dict[int, int] = {}
    adoption: Decimal | None = None
    onboarding_late: bool = False
    as_of: date
    days_to_renewal: int | None = None
    undecided: bool = False


class Risk(Tolerant, frozen=True):
    """The assessment with a reason for every concern, and for the urgency where that is not the risk's."""

    level: Level
    renewal_priority: Priority
    reasons: tuple[str, ...] = ()


def assess_risk(signals: Signals, policy: RiskPolicy) -> Risk:
    """The worst concern gives the level, three at once make it high. One more concern never lowers the result.

    The renewal's priority follows the level, and any concern is urgent in the last 30 days before the renewal. So is
    a renewal that has waited too long for its decision.
    """
    risk = _assess(signals, policy)
    if not signals.undecided:
        return risk
    reasons = (*risk.reasons, "nobody has decided on the renewal")
    return risk.model_copy(update={"renewal_priority": "urgent", "reasons": reasons})


def _assess(signals: Signals, policy: RiskPolicy) -> Risk:
    concerns = [*_billing(signals, policy), *_support(signals), *_usage(signals, policy), *_onboarding(signals)]
    reasons = [reason for _, reason in concerns]
    if not concerns:
        return Risk(level="low", renewal_priority="normal")
    if any(level == "high" for level, _ in concerns) or len(concerns) >= CONCERNS_FOR_HIGH:
        return Risk(level="high", renewal_priority="urgent", reasons=tuple(reasons))
    days = signals.days_to_renewal
    if days is not None and days <= URGENT_WITHIN_DAYS:
        reasons.append(f"the renewal is {days} days away" if days >= 0 else "the renewal is overdue")
        return Risk(level="medium", renewal_priority="urgent", reasons=tuple(reasons))
    return Risk(level="medium", renewal_priority="raised", reasons=tuple(reasons))


def _billing(signals: Signals, policy: RiskPolicy) -> Iterator[Concern]:
    if signals.overdue_since is not None:
        days = (signals.as_of - signals.overdue_since).days
        yield "high" if days >= policy.high_after_days_overdue else "medium", f"an invoice is {days} {OVERDUE}"


def names_overdue(reasons: Iterable[str]) -> bool:
    """Whether an assessment was made with an overdue invoice known."""
    return any(reason.endswith(OVERDUE) for reason in reasons)


def _support(signals: Signals) -> Iterator[Concern]:
    if (worst := signals.severities.get(1, 0)) > 0:
        yield "high", f"open support cases of severity 1: {worst}"
    if (second := signals.severities.get(2, 0)) > 0:
        yield "medium", f"open support cases of severity 2: {second}"


def _usage(signals: Signals, policy: RiskPolicy) -> Iterator[Concern]:
    if signals.adoption is not None and signals.adoption < policy.low_adoption:
        level: Level = "high" if signals.adoption < policy.low_adoption / 2 else "medium"
        yield level, f"adoption is {signals.adoption:.0%}, less than {policy.low_adoption:.0%}"


def _onboarding(signals: Signals) -> Iterator[Concern]:
    if signals.onboarding_late:
        yield "medium", "onboarding is late"
