"""A difference between two systems about one contract: its kind, what it means, whose it is, and how it is settled."""

import hashlib
from datetime import date, datetime
from typing import Literal, get_args

from domain.base import Frozen

Class = Literal[
    "missing",
    "orphaned",
    "duplicated",
    "quantity",
    "dates",
    "status",
    "amount",
    "currency",
    "hierarchy",
    "stage_drift",
    "cross_reference",
    "not_outside",
    "not_in_ledger",
]
CLASSES: tuple[Class, ...] = get_args(Class)
System = Literal["crm", "erp", "cs", "workflow"]
Remedy = Literal["redrive", "accept", "link", "ignore"]
"""Have the outside hold what the terms say; take over what it holds; say which record is meant; let it be."""
Status = Literal["open", "ignored", "repaired", "healed"]
"""`repaired`: gone after somebody repaired it. `healed`: gone by itself."""
RunState = Literal["under_way", "ended", "broken_off"]
OPEN: tuple[Status, ...] = ("open", "ignored")


class Kind(Frozen):
    """One kind of difference. `owner`: the team that settles it; `remedies`: the way that is proposed comes first."""

    name: str
    klass: Class
    system: System
    owner: str
    remedies: tuple[Remedy, ...]
    meaning: str


class Found(Frozen):
    """A difference as one comparison sees it. `subject`: the record (or line) outside that it is about; `ours` and
    `theirs`: the two values, in words; `connection`: where the record is. `contract` is None of what belongs to none.
    """

    kind: str
    subject: str
    sentence: str
    ours: str = ""
    theirs: str = ""
    connection: str = ""
    contract: str | None = None
    account: str = ""

    @property
    def id(self) -> str:
        """The same difference has the same id, however often it is found."""
        said = "\0".join((self.kind, self.contract or "", self.connection, self.subject))
        return f"diff-{hashlib.sha256(said.encode()).hexdigest()[:12]}"


class Difference(Frozen):
    """A difference as the store keeps it. `settled`: how it ended, in words; `ignored_until`: the last day of that."""

    id: str
    kind: str
    klass: Class
    contract: str | None
    account: str
    systems: tuple[str, ...]
    connection: str
    subject: str
    sentence: str
    ours: str
    theirs: str
    owner: str
    status: Status
    remedies: tuple[Remedy, ...]
    found_at: datetime
    seen_at: datetime
    closed_at: datetime | None = None
    settled: str = ""
    ignored_until: date | None = None
    reason: str = ""

    def age_days(self, now: datetime) -> int:
        """Whole days for which it has been known; of one that is settled, until then."""
        return ((self.closed_at or now) - self.found_at).days


class Freshness(Frozen):
    """When a source was last read to its end, and how many records and reads that took; or why it could not be."""

    source: str
    as_of: datetime | None
    records: int = 0
    reads: int = 0
    problem: str = ""


class Reconciled(Frozen):
    """One run over all contracts. `waiting`: contracts that something was under way for. `problem`: what has broken it
    off."""

    id: int
    started_at: datetime
    ended_at: datetime | None
    contracts: int
    waiting: int
    found: int
    new: int
    healed: int
    sources: tuple[Freshness, ...]
    state: RunState = "ended"
    problem: str = ""
