"""What the readiness view reads from each system: one request shape, small answers."""

from datetime import date, datetime

from pydantic import Field

from domain.base import Frozen
from domain.policies.readiness import Readings


class Read(Frozen):
    """`subject` is the record to read about in that system: a customer, an account, a company, an opportunity.
    `subscription`: the one of the customer's that is asked about, too."""

    contract: str
    as_of: datetime
    subject: str
    subscription: str | None = Field(default=None, exclude_if=lambda asked: asked is None)


class OpenTasks(Frozen):
    count: int


class OpportunityStage(Frozen):
    stage: str


class AssessReadiness(Frozen):
    """What the sources said, to be judged on a day."""

    readings: Readings
    today: date
