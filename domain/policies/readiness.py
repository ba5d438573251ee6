"""How ready a customer is to renew: a score from 100 down, in which every lost point has its reason and a next step."""

from collections import Counter
from collections.abc import Mapping
from datetime import date
from types import MappingProxyType
from typing import Generic, Literal, NamedTuple, TypeVar

from pydantic import Field

from domain.base import Frozen, Tolerant
from domain.company import ForecastPolicy, RiskPolicy
from domain.ports import Adoption, BillingHistory, OpportunityRef, SubscriptionState, SupportCases

T = TypeVar("T")

STALE_AFTER_DAYS = 7
READY_FROM = 75
AT_RISK_BELOW = 50
MANY_LATE = 4  # paid late: more than one invoice in four
PROPOSE, GO_ON = "Send the renewal proposal", "Nothing: the contract goes on"
ENOUGH = 10  # points by which a score must move to be news to the CSM


class SourceReading(Frozen, Generic[T]):
    """What a source said, and on which day."""

    as_of: date
    value: T


class ErpReading(BillingHistory):
    """What the ERP said: the customer's invoices, counted, and the contract's subscription."""

    subscription: SubscriptionState | None = Field(default=None, exclude_if=lambda asked: asked is None)


class Readings(Frozen):
    """A reading of each source; None where it did not answer. `opportunity` holds None where the CRM has none."""

    erp: SourceReading[ErpReading] | None = None
    support: SourceReading[SupportCases] | None = None
    usage: SourceReading[Adoption] | None = None
    cs: SourceReading[int] | None = None
    crm: SourceReading[OpportunityRef | None] | None = None


class Freshness(Tolerant, frozen=True):
    """When a source was read last. A stale one, missing or older than a week, was not judged."""

    as_of: date | None
    stale: bool


class Entitlement(Tolerant, frozen=True):
    """What the ERP said of the contract, and when: whether it may be used, to which day (exclusive), and by line how
    far the revenue schedule has come. One that is stale was not judged."""

    as_of: date
    stale: bool
    status: str
    entitled: bool
    ends: date | None
    revenue: dict[str, str]


class OpportunityOutlook(Tolerant, frozen=True):
    """What the CRM's renewal opportunity said on a day, and how the company reads its stage."""

    as_of: date
    stage: str
    says: Literal["open", "committed", "lost"] = "open"


class RenewalReadiness(Tolerant, frozen=True):
    """The assessment. The points in `reasons` ("−20: …") are exactly what the score lacks to 100. Nobody is ready whom
    the ERP does not entitle."""

    verdict: Literal["ready", "attention", "at_risk"]
    score: int
    reasons: tuple[str, ...]
    sources: dict[str, Freshness]
    next_steps: tuple[str, ...]
    entitlement: Entitlement | None = Field(default=None, exclude_if=lambda read: read is None)
    opportunity: OpportunityOutlook | None = Field(default=None, exclude_if=lambda read: read is None)

    @property
    def stale(self) -> tuple[str, ...]:
        """The sources that were not judged."""
        return tuple(name for name, source in self.sources.items() if source.stale)

    def differs(self, told: "RenewalReadiness") -> bool:
        """Whether it is news to a CSM who was told of another: its verdict, its score by 10 points, what the ERP
        entitles to, or a stage of the opportunity that is read otherwise."""
        if self.verdict != told.verdict or abs(self.score - told.score) >= ENOUGH:
            return True
        entitled = [each.entitlement.entitled for each in (self, told) if each.entitlement]
        outlook = [each.opportunity.says for each in (self, told) if each.opportunity]
        return len({*entitled}) > 1 or len({*outlook}) > 1

    def summary(self) -> str:
        """A note for the CSM."""
        lines = [f"Renewal readiness: {self.verdict.replace('_', ' ')}, {self.score} of 100."]
        lines += [f"{reason}." for reason in self.reasons]
        if self.entitlement is not None:
            lines.append(_told(self.entitlement))
        return "\n".join([*lines, f"Next: {'; '.join(self.next_steps)}."])


_NEVER: Mapping[str, date] = MappingProxyType({})


class _Finding(NamedTuple):
    points: int
    reason: str
    step: str


def assess_readiness(
    readings: Readings,
    today: date,
    policy: RiskPolicy | None = None,
    forecast: ForecastPolicy | None = None,
    *,
    former: Mapping[str, date] = _NEVER,
    review: bool = False,
) -> RenewalReadiness:
    """Judge the fresh sources and name the stale ones. Ready needs 75 points and fresh sources; below 50 is at risk.

    An unreadable source costs 5 points: what isn't known is never taken for good; `former` is when it was read last. A
    yearly `review` decides nothing: no opportunity of the CRM belongs to it.
    """
    policy = policy or RiskPolicy()
    findings: list[_Finding] = []
    sources: dict[str, Freshness] = {}
    for name, what in _NAMES.items():
        if review and name == "crm":
            continue
        reading: SourceReading[object] | None = getattr(readings, name)
        as_of = reading.as_of if reading else former.get(name)
        stale = reading is None or (today - reading.as_of).days > STALE_AFTER_DAYS
        sources[name] = Freshness(as_of=as_of, stale=stale)
        if stale:
            since = f"not read since {as_of}" if as_of else "not readable"
            findings.append(_Finding(5, f"{what}: {since}", f"Look at {what} by hand"))
    fresh = readings.model_copy(update={name: None for name, source in sources.items() if source.stale})
    findings += [*_erp(fresh), *_support(fresh), *_usage(fresh, policy), *_cs(fresh), *_crm(fresh)]
    entitlement, unsettled = _entitlement(readings, stale=sources["erp"].stale), _contract(fresh)
    score = 100 - sum(finding.points for finding in findings)
    verdict: Literal["ready", "attention", "at_risk"] = "attention"
    if score < AT_RISK_BELOW:
        verdict = "at_risk"
    elif score >= READY_FROM and not any(source.stale for source in sources.values()) and not unsettled:
        verdict = "ready"
    findings.sort(key=lambda finding: -finding.points)
    return RenewalReadiness(
        verdict=verdict,
        score=score,
        reasons=tuple(f"−{finding.points}: {finding.reason}" for finding in findings),
        sources=sources,
        next_steps=(*dict.fromkeys(finding.step for finding in findings), *unsettled)
        or (GO_ON if review else PROPOSE,),
        entitlement=entitlement,
        opportunity=_opportunity(readings, forecast or ForecastPolicy()),
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


def _contract(readings: Readings) -> list[str]:
    """What must be settled in the ERP before a renewal, whatever the score is."""
    subscription = readings.erp.value.subscription if readings.erp else None
    if subscription is None:
        return []
    untriggered = [line.line for line in subscription.lines if line.billed_from is not None and line.revenue == "none"]
    steps = [f"Have finance look at the revenue of {line}: billed, and triggered by nothing" for line in untriggered]
    if not subscription.entitled:
        steps.insert(0, f"Find out why the ERP entitles the customer to nothing: it is {subscription.status}")
    return steps


def _entitlement(readings: Readings, *, stale: bool) -> Entitlement | None:
    subscription = readings.erp.value.subscription if readings.erp else None
    if readings.erp is None or subscription is None:
        return None
    return Entitlement(
        as_of=readings.erp.as_of,
        stale=stale,
        status=subscription.status,
        entitled=subscription.entitled,
        ends=subscription.ends,
        revenue={line.line: line.revenue for line in subscription.lines},
    )


def _opportunity(readings: Readings, policy: ForecastPolicy) -> OpportunityOutlook | None:
    if readings.crm is None or readings.crm.value is None:
        return None
    stage = readings.crm.value.stage
    return OpportunityOutlook(as_of=readings.crm.as_of, stage=stage, says=policy.reads(stage))


def _told(entitlement: Entitlement) -> str:
    """For the CSM: "Entitled until 2027-11-26 (active); revenue: 2 running, 1 complete. As of 2027-08-28."."""
    until = f" until {entitlement.ends}" if entitlement.ends else ""
    counted = Counter(entitlement.revenue.values())
    revenue = ", ".join(f"{counted[state]} {state}" for state in sorted(counted))
    entitled = f"Entitled{until}" if entitlement.entitled else "Not entitled"
    return f"{entitled} ({entitlement.status}); revenue: {revenue}. As of {entitlement.as_of}."


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
