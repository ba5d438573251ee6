"""What a renewal is expected to become: commit, best case, at risk or churn, always with the reasons."""

from collections.abc import Iterator
from datetime import date
from typing import Literal, get_args

from domain.base import Frozen

Category = Literal["commit", "best_case", "at_risk", "churn"]
CATEGORIES: tuple[Category, ...] = get_args(Category)
"""From the best to the worst."""

NEAR_DAYS = 30


class Outlook(Frozen):
    """What is known of a renewal on a day. `decided`: the decision, and `by` whom. `days`: until the term ends, None
    without an end. `notice_until`: the last day on which an auto-renewing contract can still be ended with its term.
    `readiness`: None while it was not read. `opportunity`: the CRM's stage, and how the company reads it."""

    decided: Literal["renew", "end"] | None = None
    by: str = ""
    days: int | None = None
    auto_renew: bool = False
    notice_until: date | None = None
    readiness: Literal["ready", "attention", "at_risk"] | None = None
    score: int | None = None
    risk: Literal["low", "medium", "high"] = "low"
    overdue: bool = False
    long_overdue: bool = False
    opportunity: Literal["open", "committed", "lost"] | None = None
    opportunity_stage: str = ""
    escalated: bool = False


class Forecast(Frozen):
    """The category, and everything that speaks for none better."""

    category: Category
    reasons: tuple[str, ...]


def forecast(outlook: Outlook) -> Forecast:
    """A decision settles it. Else the worst that is known counts, and nothing but good news makes a commit: whoever
    renews by clause, or whose opportunity is as good as won, with no concern at all."""
    if outlook.decided == "end":
        return Forecast(category="churn", reasons=(f"it ends: {outlook.by}",))
    if outlook.decided == "renew":
        return Forecast(category="commit", reasons=(f"renewed: {outlook.by}",))
    if outlook.opportunity == "lost":
        return Forecast(category="churn", reasons=(f"the CRM's opportunity is in {outlook.opportunity_stage}",))
    if dangers := tuple(_dangers(outlook)):
        return Forecast(category="at_risk", reasons=(*dangers, *_doubts(outlook)))
    if doubts := tuple(_doubts(outlook)):
        return Forecast(category="best_case", reasons=doubts)
    return Forecast(category="commit", reasons=tuple(_assurances(outlook)))


def _dangers(outlook: Outlook) -> Iterator[str]:
    if outlook.days is not None and outlook.days <= 0:
        yield "the term is over and nobody has decided"
    elif outlook.escalated:
        yield f"nobody has decided, {outlook.days} days before the term ends"
    if outlook.readiness == "at_risk":
        yield f"its readiness is at risk: {outlook.score} of 100"
    if outlook.risk == "high":
        yield "its risk is high"
    if outlook.long_overdue:
        yield "an invoice has been overdue for long"


def _doubts(outlook: Outlook) -> Iterator[str]:
    if not outlook.auto_renew and outlook.opportunity != "committed":
        stage = f", the CRM's opportunity is in {outlook.opportunity_stage}" if outlook.opportunity_stage else ""
        yield f"it is renewed only when somebody decides so{stage}"
    if outlook.readiness == "attention":
        yield f"its readiness needs attention: {outlook.score} of 100"
    if outlook.risk == "medium":
        yield "its risk is medium"
    if outlook.overdue and not outlook.long_overdue:
        yield "an invoice is overdue"


def _assurances(outlook: Outlook) -> Iterator[str]:
    if outlook.opportunity == "committed":
        yield f"the CRM's opportunity is in {outlook.opportunity_stage}"
    if outlook.auto_renew:
        until = f" unless notice is given until {outlook.notice_until}" if outlook.notice_until else ""
        yield f"it renews by its clause{until}"
    yield "no concern is known" if outlook.readiness is None else f"its readiness: {outlook.score} of 100"
