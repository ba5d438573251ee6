"""What the readiness view reads from each system: one request shape, small answers."""

from datetime import date, datetime

from domain.base import Frozen
from domain.policies.readiness import Readings


class Read(Frozen):
    """`subject` is the record to read about in that system: a customer, an account, a company, an opportunity."""

    contract: str
    as_of: datetime
    subject: str


class OpenTasks(Frozen):
    count: int


class OpportunityStage(Frozen):
    stage: str


class AssessReadiness(Frozen):
    """What the sources said, to be judged on a day."""

    readings: Readings
    today: date
