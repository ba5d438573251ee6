"""The selling company as data: entities, products, plans and policies. Read from TOML, never from code."""

import tomllib
from decimal import Decimal
from typing import Literal, Self

from pydantic import Field, model_validator

from domain.base import Frozen
from domain.hours import BusinessHours
from domain.ownership import Ownership, Team
from domain.policies.stages import Policy, StageName
from domain.ports import OnboardingTask
from domain.targets import TEAM_HOURS, SlaTarget

StandardTerm = Literal["payment_terms_days", "notice_days", "initial_months", "renewal_months", "free_months"]


class LegalEntity(Frozen):
    """A selling entity. `sells_to`: ISO countries it may ship to; empty means anywhere."""

    id: str
    name: str
    country: str
    currencies: tuple[str, ...]
    sells_to: tuple[str, ...] = ()


class Product(Frozen):
    """Something sold. An add-on is sold only beside one of the base plans in `needs` (any base plan when empty).

    `line`: the product line, by which orders may be routed to one system or another.
    """

    sku: str
    name: str
    kind: Literal["base", "add_on", "service"] = "base"
    needs: tuple[str, ...] = ()
    max_quantity: Decimal | None = None
    line: str | None = None


class PlanTemplate(Frozen):
    """An onboarding plan."""

    name: str
    tasks: tuple[OnboardingTask, ...]


class CollectionsPolicy(Frozen):
    """When an unpaid invoice makes its account delinquent: `grace_days` after the due date."""

    grace_days: int = 0


class CreditPolicy(Frozen):
    """When a customer gets nothing more on credit: an invoice is unpaid, and not disputed, so many days after its due
    date. None: only by hand."""

    hold_after_days_overdue: int | None = None


class RiskPolicy(Frozen):
    """Thresholds of the risk assessment. `low_adoption` is active / entitled."""

    high_after_days_overdue: int = 30
    low_adoption: Decimal = Decimal("0.4")


class ApprovalPolicy(Frozen):
    """Which orders wait for finance's approval; none where nothing is named.

    `limits`: by currency, the highest value that the deal may state for the charges of one billing frequency. `terms`:
    by the name of a term (payment_terms_days, notice_days, initial_months, renewal_months, free_months) the lowest and
    the highest standard one. `kinds`, `billing_timings`, `billing_rules`: the standard ones, any when empty.
    """

    limits: dict[str, Decimal] = {}
    terms: dict[StandardTerm, tuple[int, int]] = {}
    kinds: tuple[str, ...] = ()
    billing_timings: tuple[str, ...] = ()
    billing_rules: tuple[str, ...] = ()


class ForecastPolicy(Frozen):
    """How the stages of the CRM's renewal opportunities are read, by name: which are as good as won, which as good as
    lost. Any other is open."""

    committed_stages: tuple[str, ...] = ()
    lost_stages: tuple[str, ...] = ()

    def reads(self, stage: str) -> Literal["open", "committed", "lost"]:
        name = stage.casefold()
        if name in (lost.casefold() for lost in self.lost_stages):
            return "lost"
        return "committed" if name in (won.casefold() for won in self.committed_stages) else "open"


class EntitlementPolicy(Frozen):
    """`grace_days`: how long after the oldest due date a delinquent customer may still use what it does not pay for;
    None: until the ERP says otherwise."""

    grace_days: int | None = None


class PurchaseOrderPolicy(Frozen):
    """How many days billing may wait for a purchase order before that is finance's case."""

    case_after_days: int = 7


class PeriodsPolicy(Frozen):
    """What is done when the ERP's accounting period is closed: `redate` a billing start or a change to the first open
    day, or leave it to a person."""

    closed: Literal["redate", "case"] = "case"


class ReportingPolicy(Frozen):
    """The currency in which amounts of all contracts are added up; None: they stay apart. `rates`: a table of rates as
    the European Central Bank publishes it (CSV), beside the company file; `source`: who has published it.
    """

    currency: str | None = Field(default=None, pattern=r"^[A-Z]{3}$")
    rates: str | None = None
    source: str = "European Central Bank, euro foreign exchange reference rates"


class Company(Frozen):
    """`early_event_days`: how long an event may wait for its contract before that is a case. `stages`: which stages of
    a lifecycle run off, or observe; what is not named acts. `hours`: business hours by name. `ownership`: which team's
    turn it is. `sla`: what is promised, where that is other than domain/sla.py's own targets."""

    tenant: str
    entities: tuple[LegalEntity, ...]
    products: tuple[Product, ...]
    onboarding: PlanTemplate
    go_live_milestone: str = "go-live"
    renewal_playbook: tuple[str, ...] = ("Review readiness", "Confirm stakeholders", "Agree scope", "Collect decision")
    collections: CollectionsPolicy = CollectionsPolicy()
    credit: CreditPolicy = CreditPolicy()
    risk: RiskPolicy = RiskPolicy()
    approval: ApprovalPolicy = ApprovalPolicy()
    forecast: ForecastPolicy = ForecastPolicy()
    entitlement: EntitlementPolicy = EntitlementPolicy()
    purchase_orders: PurchaseOrderPolicy = PurchaseOrderPolicy()
    periods: PeriodsPolicy = PeriodsPolicy()
    reporting: ReportingPolicy = ReportingPolicy()
    early_event_days: int = 3
    stages: dict[StageName, Policy] = {}
    hours: dict[str, BusinessHours] = {}
    teams: tuple[Team, ...] = ()
    ownership: Ownership = Ownership()
    sla: tuple[SlaTarget, ...] = ()

    @model_validator(mode="after")
    def _limits_cover_every_currency(self) -> Self:
        sold_in = {currency for entity in self.entities for currency in entity.currencies}
        if self.approval.limits and (missing := sold_in - self.approval.limits.keys()):
            raise ValueError(f"approval.limits names no limit for {', '.join(sorted(missing))}")
        return self

    @model_validator(mode="after")
    def _teams_and_hours_are_there(self) -> Self:
        teams = {team.id for team in self.teams}
        named = self.ownership.named() | {step.to for team in self.teams for step in team.escalate}
        if missing := named - teams:
            known = ", ".join(sorted(teams)) or "none"
            raise ValueError(f"there is no team {', '.join(sorted(missing))}; known: {known}")
        if len(teams) < len(self.teams):
            raise ValueError("two teams have one id")
        used = {team.hours for team in self.teams} | {target.hours for target in self.sla} - {TEAM_HOURS}
        if unknown := sorted({name for name in used if name} - self.hours.keys()):
            raise ValueError(f"hours: there are no hours {', '.join(unknown)}")
        return self

    def team(self, id: str) -> Team | None:
        return next((team for team in self.teams if team.id == id), None)

    def hours_of(self, team: str) -> BusinessHours | None:
        """None is around the clock."""
        found = self.team(team)
        return self.hours.get(found.hours or "") if found else None

    @property
    def milestones(self) -> frozenset[str]:
        """Every milestone that an onboarding of this company can reach."""
        named = {task.milestone for task in self.onboarding.tasks if task.milestone}
        return frozenset(named | {self.go_live_milestone})


def load_company(text: str) -> Company:
    """Read a company file (TOML). ValueError, with every mistake, when it is not one."""
    return Company.model_validate(tomllib.loads(text))
