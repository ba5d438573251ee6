"""How ready a customer is to renew: a score from 100 down, in which every lost point has its reason and a next step."""

from datetime import date
from typing import Generic, Literal, NamedTuple, TypeVar

from domain.base import Frozen, Tolerant
from domain.company import RiskPolicy
from domain.ports import Adoption, BillingHistory, OpportunityRef, SupportCases

T = TypeVar("T")

STALE_AFTER_DAYS = 7
READY_FROM = 75
AT_RISK_BELOW = 50
MANY_LATE = 4  # paid late: more than one invoice in four


class SourceReading(Frozen, Generic[T]):
    """What a source said, and on which day."""

    as_of: date
    value: T


class Readings(Frozen):
    """A reading of each source; None where it did not answer. `opportunity` holds None where the CRM has none."""

    erp: SourceReading[BillingHistory] | None = None
    support: SourceReading[SupportCases] | None = None
    usage: SourceReading[Adoption] | None = None
    cs: SourceReading[int] | None = None
    crm: SourceReading[OpportunityRef | None] | None = None


class Freshness(Tolerant, frozen=True):
    """When a source was read last. A stale one, missing or older than a week, was not judged."""

    as_of: date | None
    stale: bool


class RenewalReadiness(Tolerant, frozen=True):
    """The assessment. The points in `reasons` ("−20: …") are exactly what the score lacks to 100."""

    verdict: Literal["ready", "attention", "at_risk"]
    score: int
    reasons: tuple[str, ...]
    sources: dict[str, Freshness]
    next_steps: tuple[str, ...]

    def summary(self) -> str:
        """A note for the CSM."""
        lines = [f"Renewal readiness: {self.verdict.replace('_', ' ')}, {self.score} of 100."]
        lines += [f"{reason}." for reason in self.reasons]
        return "\n".join([*lines, f"Next: {'; '.join(self.next_steps)}."])


class _Finding(NamedTuple):
    points: int
    reason: str
    step: str


def assess_readiness(readings: Readings, today: date, policy: RiskPolicy | None = None) -> RenewalReadiness:
    """Judge the fresh sources and name the stale ones. Ready needs 75 points and fresh sources; below 50 is at risk.

    An unreadable source costs 5 points: what isn't known is never taken for good.
    """
    policy = policy or RiskPolicy()
    findings: list[_Finding] = []
    sources: dict[str, Freshness] = {}
    for name, what in _NAMES.items():
        reading: SourceReading[object] | None = getattr(readings, name)
        stale = reading is None or (today - reading.as_of).days > STALE_AFTER_DAYS
        sources[name] = Freshness(as_of=reading.as_of if reading else None, stale=stale)
        if stale:
            since = f"not read since {reading.as_of}" if reading else "not readable"
            findings.append(_Finding(5, f"{what}: {since}", f"Look at {what} by hand"))
    fresh = readings.model_copy(update={name: None for name, source in sources.items() if source.stale})
    findings += [*_erp(fresh), *_support(fresh), *_usage(fresh, policy), *_cs(fresh), *_crm(fresh)]
    score = 100 - sum(finding.points for finding in findings)
    verdict: Literal["ready", "attention", "at_risk"] = "attention"
    if score < AT_RISK_BELOW:
        verdict = "at_risk"
    elif score >= READY_FROM and not any(source.stale for source in sources.values()):
        verdict = "ready"
    findings.sort(key=lambda finding: -finding.points)
    return RenewalReadiness(
        verdict=verdict,
        score=score,
        reasons=tuple(f"−{finding.points}: {finding.reason}" for finding in findings),
        sources=sources,
        next_steps=tuple(dict.fromkeys(finding.step for finding in findings)) or ("Send the renewal proposal",),
    )


_NAMES = {
    "erp": "billing history",
    "support": "support cases",
    "usage": "adoption",
    "cs": "onboarding tasks",
    "crm": "renewal opportunity",
}

# The points add up to 100 at the very worst, so that the score needs no floor.


def _erp(readings: Readings) -> list[_Finding]:
    if readings.erp is None:
        return []
    history, findings = readings.erp.value, []
    if history.overdue > 0:
        amount = f"{history.overdue_amount:,.2f} {history.currency}"
        reason = f"{history.overdue} of {history.invoices} invoices overdue, {amount}"
        findings.append(_Finding(25, reason, "Settle the overdue invoices before talking about the renewal"))
    if history.paid_late * MANY_LATE > history.invoices:
        reason = f"{history.paid_late} of {history.invoices} invoices paid late"
        findings.append(_Finding(10, reason, "Ask why invoices are paid late"))
    return findings


def _support(readings: Readings) -> list[_Finding]:
    if readings.support is None:
        return []
    cases, findings = readings.support.value.by_severity, []
    if (worst := cases.get(1, 0)) > 0:
        reason = f"open support cases of severity 1: {worst}"
        findings.append(_Finding(20, reason, "Get the severity 1 cases solved"))
    if (second := cases.get(2, 0)) > 0:
        reason = f"open support cases of severity 2: {second}"
        findings.append(_Finding(10, reason, "Follow up the severity 2 cases"))
    return findings


def _usage(readings: Readings, policy: RiskPolicy) -> list[_Finding]:
    if readings.usage is None or readings.usage.value.entitled <= 0:
        return []
    adoption = readings.usage.value
    ratio = adoption.active / adoption.entitled
    reason = f"{adoption.active:f} of {adoption.entitled:f} seats in use ({ratio:.0%})"
    if ratio < policy.low_adoption:
        return [_Finding(20, reason, "Plan an adoption campaign, or offer fewer seats")]
    if ratio < policy.low_adoption * 3 / 2:
        return [_Finding(10, reason, "Find out who does not use it yet")]
    return []


def _cs(readings: Readings) -> list[_Finding]:
    if readings.cs is None or readings.cs.value <= 0:
        return []
    return [_Finding(10, f"open onboarding tasks: {readings.cs.value}", "Finish the onboarding tasks")]


def _crm(readings: Readings) -> list[_Finding]:
    if readings.crm is None or readings.crm.value is not None:
        return []
    return [_Finding(5, "no renewal opportunity in the CRM", "Open a renewal opportunity")]
