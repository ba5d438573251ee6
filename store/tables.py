"""Every table of the store. Leases and the ledger hold the database's clock (epoch seconds), the rest UTC instants."""

from datetime import UTC, date, datetime
from typing import Any

from sqlalchemy import BigInteger, Index, Text, UniqueConstraint, text
from sqlmodel import Field, SQLModel

from domain.urgency import USUAL
from store.columns import Json, Moment, Serial

DEAD = text("state = 'dead'")


def utc_now() -> datetime:
    return datetime.now(UTC)


# ── what came in ─────────────────────────────────────────────────────────────────────────────────────────────────


class InboxRow(SQLModel, table=True):
    """One event as it came in.

    `state`: received, hint (the record that it names is to be read back first), routed, parked (for a foreign id), dead
    or ignored. `reason` says why in words, `problem` in one of a few, by which dead letters are alike. `original`: the
    payload before its first correction. `next_try_at` is on the database's clock. `trace`: its W3C traceparent.
    """

    __tablename__ = "inbox"
    __table_args__ = (
        UniqueConstraint("source", "event_id", name="uq_inbox_event"),
        Index("ix_inbox_state", "state", "id"),
        Index("ix_inbox_source", "source", "id"),
        Index("ix_inbox_received", "received_at", "source"),
        Index("ix_inbox_dead", "source", "type", sqlite_where=DEAD, postgresql_where=DEAD),
    )

    id: int | None = Field(default=None, primary_key=True, sa_type=Serial)
    source: str
    event_id: str
    type: str
    subject: str
    payload: str = Field(sa_type=Text)
    received_at: datetime = Field(default_factory=utc_now, sa_type=Moment)
    state: str = "received"
    reason: str = Field(default="", sa_type=Text)
    parked_for: str | None = None
    problem: str = ""
    original: str | None = Field(default=None, sa_type=Text)
    attempts: int = 0
    next_try_at: float = 0.0
    trace: str = ""


class DeliveryRow(SQLModel, table=True):
    """One event on its way to one lifecycle. `state`: pending, delivered, recorded or refused; `answer` says why.

    `settled_at`, on the database's clock: when it left the state pending.
    """

    __tablename__ = "deliveries"
    __table_args__ = (
        UniqueConstraint("inbox_id", "stream", "kind", name="uq_deliveries_event"),
        UniqueConstraint("stream", "seq", name="uq_deliveries_seq"),
        Index("ix_deliveries_state", "state", "stream"),
        Index("ix_deliveries_settled", "settled_at", "inbox_id"),
    )

    id: int | None = Field(default=None, primary_key=True, sa_type=Serial)
    inbox_id: int = Field(foreign_key="inbox.id", sa_type=BigInteger)
    stream: str
    kind: str
    payload: dict[str, Any] = Field(sa_type=Json)
    seq: int | None = None
    state: str = "pending"
    answer: str = Field(default="", sa_type=Text)
    settled_at: float = 0.0


class StreamRow(SQLModel, table=True):
    """Who may deliver to a contract now, and the last number given."""

    __tablename__ = "streams"

    stream: str = Field(primary_key=True)
    owner: str = ""
    fence: int = 0
    lease_until: float = 0.0
    last_seq: int = 0


class FactRow(SQLModel, table=True):
    """The latest version of an outside record, as far as mediation needs it."""

    __tablename__ = "facts"

    contract: str = Field(primary_key=True)
    kind: str = Field(primary_key=True)
    entity_id: str = Field(primary_key=True)
    version: str
    data: dict[str, Any] = Field(sa_type=Json)


class ToldRow(SQLModel, table=True):
    """The level that the workflow was last told."""

    __tablename__ = "told"

    contract: str = Field(primary_key=True)
    level: str = Field(primary_key=True)
    value: Any = Field(default=None, sa_type=Json, nullable=True)


class FeedRow(SQLModel, table=True):
    """How far a change feed was read. `cursor` is the source's own, opaque, and empty before the first page.

    `read_at` (database's clock) is the last time that the feed was read to its end, `gaps` how often it had forgotten
    what came after the cursor, so that a query filled in.
    """

    __tablename__ = "feeds"

    name: str = Field(primary_key=True)
    cursor: str = Field(default="", sa_type=Text)
    read_at: float = 0.0
    gaps: int = 0


# ── lifecycles ───────────────────────────────────────────────────────────────────────────────────────────────────


_UNTOLD = text("urgency <> urgency_told")


class LifecycleRow(SQLModel, table=True):
    """A contract's lifecycle. The row forbids a second start for ever. `clock_shift` in seconds, for simulations.

    `urgency`: who goes first (domain/urgency.py), as last measured; `urgency_told`: what Temporal knows of it."""

    __tablename__ = "lifecycles"
    __table_args__ = (Index("ix_lifecycles_untold", "contract", sqlite_where=_UNTOLD, postgresql_where=_UNTOLD),)

    contract: str = Field(primary_key=True)
    tenant: str
    account: str = Field(index=True)
    deal: str
    selling_entity: str
    workflow_id: str = Field(unique=True)
    created_at: datetime = Field(default_factory=utc_now, sa_type=Moment)
    started: bool = False
    closed: bool = False
    clock_shift: float = 0.0
    urgency: int = USUAL
    urgency_told: int = USUAL


class AliasRow(SQLModel, table=True):
    """A cross-reference: another system's id that finds the contract."""

    __tablename__ = "aliases"

    system: str = Field(primary_key=True)
    kind: str = Field(primary_key=True)
    foreign_id: str = Field(primary_key=True)
    contract: str = Field(index=True)


class AccountAliasRow(SQLModel, table=True):
    """An account's id that is gone, since the account was merged into another."""

    __tablename__ = "account_aliases"

    account: str = Field(primary_key=True)
    into: str = Field(index=True)


class FormerRow(SQLModel, table=True):
    """What a contract has come from: a contract that it replaces, or wins back, and so on (domain/succession.py)."""

    __tablename__ = "former_contracts"

    contract: str = Field(primary_key=True)
    former: str = Field(primary_key=True)
    how: str


class ContractRiskRow(SQLModel, table=True):
    """The risk of one contract, as last assessed; `subject` is what several contracts share: the company in CS."""

    __tablename__ = "contract_risks"

    contract: str = Field(primary_key=True)
    subject: str = Field(index=True)
    health: dict[str, Any] = Field(sa_type=Json)


class RolledUpRow(SQLModel, table=True):
    """What the risks of a company's contracts amount to: `version` rises with each change, `shown` is what CS shows."""

    __tablename__ = "rolled_up_risks"

    subject: str = Field(primary_key=True)
    version: int = 0
    health: dict[str, Any] = Field(sa_type=Json)
    shown: dict[str, Any] | None = Field(default=None, sa_type=Json)


class OrderRow(SQLModel, table=True):
    """One revision of a contract's order document. It holds personal data and never enters a history."""

    __tablename__ = "orders"

    contract: str = Field(primary_key=True)
    revision: int = Field(primary_key=True)
    document: dict[str, Any] = Field(sa_type=Json)
    author: str
    created_at: datetime = Field(default_factory=utc_now, sa_type=Moment)


# ── effects ──────────────────────────────────────────────────────────────────────────────────────────────────────


class EffectRow(SQLModel, table=True):
    """The ledger's row. `state`: CLAIMED, SENT, DONE, REFUSED or RELEASED.

    `arguments` (a hash) and `generation` belong to what was last *sent*, `asked_*` to the claim that holds the lease.
    `doubt_since` is when the earliest send left whose outcome is unknown and that the present attempt inherited.
    """

    __tablename__ = "effects"
    __table_args__ = (Index("ix_effects_updated", "updated_at"),)

    key: str = Field(primary_key=True)
    contract: str = Field(index=True)
    operation: str
    state: str
    fence: int
    arguments: str
    generation: int
    asked_arguments: str
    asked_generation: int
    lease_until: float
    sent_at: float | None = None
    doubt_since: float | None = None
    result: dict[str, Any] | None = Field(default=None, sa_type=Json)
    reason: str = Field(default="", sa_type=Text)
    epoch: int = 0
    duplicate: dict[str, Any] | None = Field(default=None, sa_type=Json)
    created_at: float
    updated_at: float


class SettingRow(SQLModel, table=True):
    """Switches of the whole installation: the ledger's epoch, and what is frozen."""

    __tablename__ = "settings"

    name: str = Field(primary_key=True)
    value: str = Field(sa_type=Text)


# ── what goes out ────────────────────────────────────────────────────────────────────────────────────────────────


class OutgoingRow(SQLModel, table=True):
    """One event that Tenure publishes, written in the transaction of what it tells. `relayed`: its deliveries exist."""

    __tablename__ = "outgoing"
    __table_args__ = (Index("ix_outgoing_relayed", "relayed", "id"),)

    id: int | None = Field(default=None, primary_key=True, sa_type=Serial)
    event_id: str = Field(unique=True)
    contract: str = Field(index=True)
    type: str
    body: dict[str, Any] = Field(sa_type=Json)
    created_at: float
    relayed: bool = False
    trace: str = ""


class OutgoingDeliveryRow(SQLModel, table=True):
    """One published event on its way to one subscriber. `state`: pending, delivered, held (for a person) or skipped.

    Times are the database's clock: `created_at` is the event's own, `first_try_at` counts the day of retries and is 0
    before the first one failed. `problem`: why the last try failed.
    """

    __tablename__ = "outgoing_deliveries"
    __table_args__ = (
        UniqueConstraint("outgoing_id", "subscriber", name="uq_outgoing_deliveries"),
        Index("ix_outgoing_deliveries_state", "subscriber", "state", "contract", "id"),
    )

    id: int | None = Field(default=None, primary_key=True, sa_type=Serial)
    outgoing_id: int = Field(foreign_key="outgoing.id", sa_type=BigInteger)
    subscriber: str
    contract: str
    state: str = "pending"
    attempts: int = 0
    created_at: float
    first_try_at: float = 0.0
    next_try_at: float = 0.0
    delivered_at: float = 0.0
    problem: str = Field(default="", sa_type=Text)


# ── what people see ──────────────────────────────────────────────────────────────────────────────────────────────


class LifecycleViewRow(SQLModel, table=True):
    """The last view that a lifecycle published, guarded by (run_started, sequence)."""

    __tablename__ = "views"

    contract: str = Field(primary_key=True)
    run_started: datetime = Field(sa_type=Moment)
    sequence: int
    stage: str = Field(index=True)
    account: str = Field(index=True)
    renewal_date: date | None = None
    needs_attention: bool
    view: dict[str, Any] = Field(sa_type=Json)
    updated_at: datetime = Field(default_factory=utc_now, sa_type=Moment)


class TimelineRow(SQLModel, table=True):
    """One line of a contract's story; `ref` names the fact, so that telling it again adds nothing."""

    __tablename__ = "timeline"
    __table_args__ = (UniqueConstraint("contract", "ref", name="uq_timeline_ref"),)

    id: int | None = Field(default=None, primary_key=True, sa_type=Serial)
    contract: str
    business_at: datetime = Field(sa_type=Moment)
    recorded_at: datetime = Field(default_factory=utc_now, sa_type=Moment)
    kind: str
    summary: str = Field(sa_type=Text)
    ref: str


class CaseRow(SQLModel, table=True):
    """An exception case, open or resolved. `projected`: it came with a lifecycle's view and leaves with it.
    `changed_at`: when the row was last written, whatever its own times say.

    `problem` is the same for cases that are alike. `inbox_id`: the received event that it is about. `resolution` says
    how it was settled, and by whom.
    """

    __tablename__ = "cases"
    __table_args__ = (
        Index("ix_cases_contract", "contract", "state"),
        Index("ix_cases_state", "state", "opened_at"),
        Index("ix_cases_changed", "changed_at", "id"),
    )

    id: str = Field(primary_key=True)
    contract: str | None = None
    account: str | None = None
    kind: str
    title: str = Field(sa_type=Text)
    reasons: list[str] = Field(default_factory=list, sa_type=Json)
    state: str = "open"
    opened_at: datetime = Field(default_factory=utc_now, sa_type=Moment)
    resolved_at: datetime | None = Field(default=None, sa_type=Moment)
    actor: str = "ops"
    mend: str = Field(default="", sa_type=Text)
    projected: bool = False
    problem: str = ""
    inbox_id: int | None = Field(default=None, sa_type=BigInteger, nullable=True)
    assignee: str | None = None
    tags: list[str] = Field(default_factory=list, sa_type=Json)
    snoozed_until: datetime | None = Field(default=None, sa_type=Moment)
    resolution: str = Field(default="", sa_type=Text)
    changed_at: datetime = Field(default_factory=utc_now, sa_type=Moment, sa_column_kwargs={"onupdate": utc_now})


class CaseNoteRow(SQLModel, table=True):
    """One line of a case's history: an attempt that failed, or what somebody did about it."""

    __tablename__ = "case_notes"

    id: int | None = Field(default=None, primary_key=True, sa_type=Serial)
    case_id: str = Field(index=True)
    at: datetime = Field(default_factory=utc_now, sa_type=Moment)
    by: str
    what: str = Field(sa_type=Text)
