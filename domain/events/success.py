"""What customer success and usage say: onboarding, service delivery, adoption. They own engagement."""

from datetime import date
from decimal import Decimal

from pydantic import Field

from domain.events.base import OfAccount, OfContract, event


@event("tenure.milestone.completed.v1", owner="customer success", truth="cs", subject="contract", wakes="always")
class MilestoneCompleted(OfContract):
    """A milestone of a contract's onboarding was completed; a line may be billed from it. The first report stands."""

    milestone: str = Field(min_length=1, description="the milestone's name, as the order's lines use it")
    completed_on: date = Field(description="civil date")


@event("tenure.task.overdue.v1", owner="customer success", truth="cs", subject="contract", wakes=None, since="0.2")
class TaskOverdue(OfContract):
    """A task of the onboarding plan is late."""

    task: str = Field(min_length=1, description="the task's id or name in the CS system")
    due_on: date = Field(description="the day it should have been done: civil date")


@event(
    "tenure.service_delivery.failed.v1", owner="customer success", truth="cs", subject="line", wakes=None, since="0.2"
)
class ServiceDeliveryFailed(OfContract):
    """Something that was sold can't be delivered as agreed: a case, before the customer is billed for it."""

    line: str | None = Field(None, description="the contract line's id; null when the whole contract is concerned")
    reason: str = Field(min_length=1, description="what can't be delivered, in the source's words")

    def _line(self) -> str | None:
        return self.line


@event(
    "tenure.adoption_milestone.reached.v1",
    owner="customer success",
    truth="cs",
    subject="account",
    wakes=None,
    since="0.2",
)
class AdoptionMilestoneReached(OfAccount):
    """The customer uses what it bought as planned, or a step further."""

    milestone: str = Field(min_length=1, description="the milestone's name in the CS system")


class _Usage(OfAccount):
    """A snapshot: `active` of `entitled` seats used in the 30 days until `as_of`, which decides what is newer."""

    active: Decimal = Field(ge=0, lt=10**12, description="seats in use within the 30 days until as_of")
    entitled: Decimal = Field(ge=0, lt=10**12, description="seats that the account may use on as_of")
    as_of: date = Field(description="civil date of the measurement; the later snapshot counts")


@event(
    "tenure.usage.reported.v1",
    owner="product",
    truth="usage",
    subject="account",
    wakes="when adoption below the policy's line changes",
)
class UsageReported(_Usage):
    """Seats in use."""


@event(
    "tenure.adoption.dropped.v1",
    owner="product",
    truth="usage",
    subject="account",
    wakes="when adoption below the policy's line changes",
    since="0.2",
)
class AdoptionDropped(_Usage):
    """The usage system's own alarm. What counts is the snapshot that it carries, by the company's policy."""
