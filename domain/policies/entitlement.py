"""Whether a customer may use what it bought: none, active, grace, suspended or ended, as the ERP's facts say."""

from datetime import date
from typing import Literal, get_args

from domain.base import Frozen

Entitled = Literal["none", "active", "grace", "suspended", "ended"]
ENTITLED: tuple[Entitled, ...] = get_args(Entitled)


class EntitlementFacts(Frozen):
    """What is known on the day `today`. `activated_on`: when the ERP activated the order. `ends_on`: the first day not
    served, once that is decided. `term_over`: the day since which the term is over and undecided. `hold`: the reason of
    a credit hold. `overdue_since`: the oldest due date of the delinquent invoices; `grace_over`: it is longer ago than
    the company's grace. `erp_status`, `erp_entitled`, `erp_ends`: what the ERP itself reported last, None while it has
    not.
    """

    today: date
    cancelled: bool = False
    activated_on: date | None = None
    ends_on: date | None = None
    closed: bool = False
    term_over: date | None = None
    hold: str | None = None
    overdue_since: date | None = None
    grace_over: bool = False
    erp_status: str | None = None
    erp_entitled: bool | None = None
    erp_ends: date | None = None


class EntitlementStanding(Frozen):
    """The entitlement, why, and since which day where a fact tells it."""

    level: Entitled
    reason: str
    since: date | None = None


def entitlement(facts: EntitlementFacts) -> EntitlementStanding:
    """The strongest fact wins: an end, then a hold, then what the ERP says, then grace.

    Grace is for what people have still to settle: an overdue invoice, a term that ran out while nobody decided.
    """
    if facts.cancelled or facts.activated_on is None:
        return EntitlementStanding(
            level="none", reason="the order was cancelled" if facts.cancelled else "the order is not activated yet"
        )
    if facts.ends_on is not None and facts.ends_on <= facts.today:
        return EntitlementStanding(level="ended", reason="the contract is over", since=facts.ends_on)
    # an ERP says "ended" from the day on which the end is ordered; the customer is entitled until it has come
    over = facts.erp_ends is not None and facts.erp_ends <= facts.today
    ended_there = facts.erp_status == "ended" and (over or not facts.erp_entitled)
    if facts.closed or facts.erp_status == "cancelled" or ended_there:
        return EntitlementStanding(level="ended", reason=f"the ERP's subscription is {facts.erp_status or 'ended'}")
    if facts.hold is not None:
        return EntitlementStanding(level="suspended", reason=f"credit hold: {facts.hold}")
    if facts.overdue_since is not None and facts.grace_over:
        reason = f"an invoice is overdue since {facts.overdue_since}, and the grace is over"
        return EntitlementStanding(level="suspended", reason=reason)
    if facts.term_over is not None:
        reason = "the term is over and nobody has decided on the renewal"
        return EntitlementStanding(level="grace", reason=reason, since=facts.term_over)
    if facts.erp_entitled is False:
        status = f": its subscription is {facts.erp_status}" if facts.erp_status else ""
        return EntitlementStanding(level="suspended", reason=f"the ERP entitles to nothing{status}")
    if facts.overdue_since is not None:
        return EntitlementStanding(level="grace", reason=f"an invoice is overdue since {facts.overdue_since}")
    return EntitlementStanding(level="active", reason="the ERP has activated the order", since=facts.activated_on)
