"""What the readiness view reads from each system: one request shape, small answers."""

from datetime import date, datetime

from pydantic import Field

from domain.base import Frozen, Tolerant
from domain.policies.readiness import ErpReading, Readings
from domain.ports import Adoption, SupportCases


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


class SourceRead(Tolerant):
    """What is asked of one source, and over which connection."""

    connection: str
    read: Read


class ReadSources(Tolerant):
    """What is asked for one look, by kind of system. `as_of` is business time."""

    as_of: datetime
    reads: dict[str, SourceRead]


class SourcesRead(Tolerant):
    """What each source said. `unknown`: those that know nothing of what they were asked about. Neither: silent."""

    erp: ErpReading | None = None
    support: SupportCases | None = None
    usage: Adoption | None = None
    cs: OpenTasks | None = None
    crm: OpportunityStage | None = None
    unknown: tuple[str, ...] = ()


class AssessReadiness(Frozen):
    """What the sources said, to be judged on a day. `former`: when those that did not answer were read last. A yearly
    `review` has no opportunity in the CRM."""

    readings: Readings
    today: date
    former: dict[str, date] = Field(default={}, exclude_if=lambda former: not former)
    review: bool = Field(default=False, exclude_if=lambda review: not review)


class Look(Tolerant):
    """The last look at a renewal: for what occasion and on which day, who did not answer, and when they are asked
    again. `tries`: how often they were, in vain. For a renewal the occasion is its window or a checkpoint."""

    occasion: str
    on: date
    silent: tuple[str, ...] = ()
    tries: int = 0
    again_at: datetime | None = None
