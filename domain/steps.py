"""The steps that a lifecycle asks of outside systems: what is to be done, as data, named by the key of its fact.

A step is decided once and performed until it is done. Its fields are the decision: later changes make new steps.
"""

import hashlib
from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Literal

from pydantic import Field

from domain.base import Tolerant
from domain.books import Shows, ViewRow
from domain.order import OrderVerdict
from domain.policies.risk import Risk


class StepBase(Tolerant):
    """`do` names the activity, `key` the fact."""

    do: str
    key: str

    @property
    def system(self) -> str:
        """The kind of outside system that performs it; each has a lane and a task queue of its own."""
        return self.do.split(".")[0]


class ValidateOrder(StepBase):
    """Check one revision of the order. Reads only."""

    do: Literal["crm.validate_order"] = "crm.validate_order"
    revision: int


class TakenOver(StepBase):
    """`done_as`: a person said that it is done outside, under this id; the ledger must know it like any other."""

    done_as: str | None = Field(default=None, exclude_if=lambda done_as: done_as is None)


class CreateCustomer(TakenOver):
    """`anew`: a person said that it is none of those that look alike. `account`: where it is another than the order's,
    since the contract has moved.
    """

    do: Literal["erp.create_customer"] = "erp.create_customer"
    revision: int
    account: str | None = Field(default=None, exclude_if=lambda account: account is None)
    anew: bool = Field(default=False, exclude_if=lambda anew: not anew)


class CreateSubscription(TakenOver):
    """`leg` and `quantities` where the contract moves here from another legal entity or currency: what the ERP shall
    know it by, and the lines that it has by now."""

    do: Literal["erp.create_subscription"] = "erp.create_subscription"
    revision: int
    customer: str
    starts: date | None
    ends: date | None
    leg: str | None = Field(default=None, exclude_if=lambda leg: leg is None)
    quantities: dict[str, Decimal] = Field(default={}, exclude_if=lambda quantities: not quantities)


class ActivateOrder(StepBase):
    do: Literal["erp.activate_order"] = "erp.activate_order"
    subscription: str
    on: date
    starts: date
    ends: date | None


class StartBilling(StepBase):
    do: Literal["erp.start_billing"] = "erp.start_billing"
    subscription: str
    line: str
    starts: date
    accepted_on: date
    purchase_order: str | None = Field(default=None, exclude_if=lambda number: number is None)


class AmendSubscription(StepBase):
    """Target quantities by line. `added` and `removed` are ids of lines; those added, with their prices, stand in the
    order document of `revision`."""

    do: Literal["erp.amend_subscription"] = "erp.amend_subscription"
    subscription: str
    effective: date
    quantities: dict[str, Decimal]
    former: dict[str, Decimal] = {}
    revision: int | None = Field(default=None, exclude_if=lambda revision: revision is None)
    added: tuple[str, ...] = Field(default=(), exclude_if=lambda added: not added)
    removed: tuple[str, ...] = Field(default=(), exclude_if=lambda removed: not removed)


class ChangeTerm(StepBase):
    """The running term's end is moved from `former` to `ends`, the first day not served (None: it has no end)."""

    do: Literal["erp.change_term"] = "erp.change_term"
    subscription: str
    ends: date | None
    former: date
    reason: str


class RenewSubscription(StepBase):
    """`ends` is None where the contract goes on without end."""

    do: Literal["erp.renew_subscription"] = "erp.renew_subscription"
    subscription: str
    term: int
    starts: date
    ends: date | None
    purchase_order: str | None = Field(default=None, exclude_if=lambda number: number is None)


class EndSubscription(StepBase):
    do: Literal["erp.end_subscription"] = "erp.end_subscription"
    subscription: str
    ends: date
    reason: str


class CancelSubscription(StepBase):
    do: Literal["erp.cancel_subscription"] = "erp.cancel_subscription"
    subscription: str
    reason: str


class EnsureCompany(StepBase):
    """`account`: where it is another than the order's, since the contract has moved."""

    do: Literal["cs.ensure_company"] = "cs.ensure_company"
    revision: int
    account: str | None = Field(default=None, exclude_if=lambda account: account is None)


class LaunchOnboarding(StepBase):
    do: Literal["cs.launch_onboarding"] = "cs.launch_onboarding"
    company: str
    starts: date


class StartPlaybook(StepBase):
    do: Literal["cs.start_playbook"] = "cs.start_playbook"
    company: str
    due: date


class PostNote(StepBase):
    """A message for the CSM. At most once: the CS system offers neither key nor look-up."""

    do: Literal["cs.post_note"] = "cs.post_note"
    company: str
    text: str


class CreateRenewalOpportunity(StepBase):
    do: Literal["crm.create_renewal_opportunity"] = "crm.create_renewal_opportunity"
    account: str
    renews_deal: str
    close_by: date


class SetHealth(StepBase):
    """LEVEL: what CS shows of risk and renewal priority. The activity applies the company's risk policy.

    `undecided`: the renewal has waited too long for a decision.
    """

    do: Literal["cs.set_health"] = "cs.set_health"
    company: str
    stage: str
    overdue_since: date | None = None
    long_overdue: bool = False
    severities: dict[int, int] = {}
    adoption: Decimal | None = None
    zone: str = "UTC"
    term_ends: date | None = None
    window_open: bool = False
    last_month: bool = False
    undecided: bool = Field(default=False, exclude_if=lambda undecided: not undecided)


class SetCreditHold(StepBase):
    """LEVEL: whether the ERP gives the customer nothing more on credit, and why."""

    do: Literal["erp.set_credit_hold"] = "erp.set_credit_hold"
    customer: str
    held: bool
    reason: str


class WriteStatus(StepBase):
    """LEVEL: what the CRM's deal shows of its contract."""

    do: Literal["crm.write_status"] = "crm.write_status"
    deal: str
    status: str
    erp_customer: str | None
    erp_subscription: str | None
    renewal_date: date | None


Step = Annotated[
    ValidateOrder
    | CreateCustomer
    | CreateSubscription
    | ActivateOrder
    | StartBilling
    | AmendSubscription
    | ChangeTerm
    | RenewSubscription
    | EndSubscription
    | CancelSubscription
    | EnsureCompany
    | LaunchOnboarding
    | StartPlaybook
    | PostNote
    | CreateRenewalOpportunity
    | SetHealth
    | SetCreditHold
    | WriteStatus,
    Field(discriminator="do"),
]

Level = SetHealth | WriteStatus | SetCreditHold


class Perform(Tolerant):
    """The input of every step's activity. `as_of` is business time; `view` rides along into the ledger's transaction.
    `shows`, instead of it, has the activity publish what the lifecycle looks like once the step is done.

    `generation` rises when a step that was refused for good, or that is in doubt, is tried again.
    """

    contract: str
    as_of: datetime
    step: Step
    generation: int = 1
    view: ViewRow | None = None
    shows: Shows | None = Field(default=None, exclude_if=lambda shows: shows is None)


class Performed(Tolerant):
    """The result of every step's activity: the outside id, and what else the lifecycle learns from it. `shown`: how the
    view looks that was published with it (`domain.showing.face`). `subscription`: the one that goes on in the place of
    the one that was renewed."""

    id: str
    on: date | None = None
    verdict: OrderVerdict | None = None
    risk: Risk | None = None
    subscription: str | None = Field(default=None, exclude_if=lambda same: same is None)
    shown: str | None = Field(default=None, exclude_if=lambda shown: shown is None)


def fingerprint(level: Level) -> str:
    """What a LEVEL says, in short: it is written again only when this differs from what was last told."""
    # defaults are left out, so that a field added later is no news to a lifecycle that is older
    return hashlib.sha256(level.model_dump_json(exclude_defaults=True).encode()).hexdigest()[:16]
