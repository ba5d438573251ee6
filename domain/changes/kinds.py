"""What can be changed about a running contract: one class for each change, and the record that is kept of it."""

from datetime import date
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import Field

from domain.base import Frozen, Tolerant
from domain.steps import Step
from domain.terms import LineTerms


class ChangeKind(Frozen):
    """Dates are civil dates in the contract's zone. Lines are named by their id, or by a product that one line has."""


class Amend(ChangeKind):
    """Lines change on `effective` (today when None), which may lie in the past or ahead.

    `quantities` are targets. `added` begin on that day and `removed` end with the day before it; to swap a product is
    both in one. The prices of added lines stand in the order document of `revision`.
    """

    kind: Literal["amend"] = "amend"
    quantities: dict[str, Decimal] = {}
    added: tuple[LineTerms, ...] = ()
    removed: tuple[str, ...] = ()
    effective: date | None = None
    revision: int | None = None


class AmendAtRenewal(ChangeKind):
    """The same from the first day of the next term on, if there is one: a downgrade at renewal. It replaces what was to
    change for the same line; `keep` names lines that stay as they are after all."""

    kind: Literal["amend_at_renewal"] = "amend_at_renewal"
    quantities: dict[str, Decimal] = {}
    added: tuple[LineTerms, ...] = ()
    removed: tuple[str, ...] = ()
    keep: tuple[str, ...] = ()
    revision: int | None = None


class Extend(ChangeKind):
    """The running term lasts longer: `ends` is its first day not served. The terms after it are counted from there."""

    kind: Literal["extend"] = "extend"
    ends: date


class CoTerm(ChangeKind):
    """The running term ends with the one of another contract, earlier or later; the terms after it are counted from
    there. `ends` is the day on which that one's term ends (exclusive)."""

    kind: Literal["co_term"] = "co_term"
    contract: str
    ends: date


class Renew(ChangeKind):
    """The running term is followed by another. Before its renewal window opens only if that is meant: `early`, or
    `starts`, on which the next term begins already, and the running one ends. `months`: how long the next one is.
    """

    kind: Literal["renew"] = "renew"
    early: bool = False
    starts: date | None = None
    months: int | None = Field(default=None, ge=1, le=600)


class GiveNotice(ChangeKind):
    """The customer gave notice, received on a day (today when None): the contract ends with its term, and one without
    end as soon as its notice and its minimum term allow."""

    kind: Literal["give_notice"] = "give_notice"
    received_on: date | None = None
    reason: str = "notice by the customer"


class WithdrawNotice(ChangeKind):
    """A decided end is taken back, while the ERP has not ended the subscription."""

    kind: Literal["withdraw_notice"] = "withdraw_notice"


class Terminate(ChangeKind):
    """The contract ends within its term. For convenience: not before notice and minimum term allow; `on` None is the
    first such day. For cause: on any day of the running term, a past one too; `on` None is today."""

    kind: Literal["terminate"] = "terminate"
    ground: Literal["convenience", "cause"]
    reason: str
    on: date | None = None


class End(ChangeKind):
    """We end the contract: with its term (`on` None), or on a day that is not past, whatever its terms say."""

    kind: Literal["end"] = "end"
    reason: str
    on: date | None = None


class Cancel(ChangeKind):
    """The order is cancelled before its activation; what was done for it is undone, the last first."""

    kind: Literal["cancel"] = "cancel"
    reason: str


class Move(ChangeKind):
    """From a day on (today when None) another legal entity sells, or another currency is paid in: the subscription ends
    here and another begins there, and it is the same contract. Its prices there stand in the order document of
    `revision`."""

    kind: Literal["move"] = "move"
    selling_entity: str
    currency: str
    revision: int
    on: date | None = None


class Pause(ChangeKind):
    """Nothing is decided and no effect begun until it is resumed, or until the day `until`; events are still taken."""

    kind: Literal["pause"] = "pause"
    reason: str
    until: date | None = None


class Resume(ChangeKind):
    kind: Literal["resume"] = "resume"


class Undo(ChangeKind):
    """An earlier change is taken back. Refused where something builds on it, or where the outside can't go back."""

    kind: Literal["undo"] = "undo"
    change: str


Change = Annotated[
    Amend
    | AmendAtRenewal
    | Extend
    | CoTerm
    | Renew
    | GiveNotice
    | WithdrawNotice
    | Terminate
    | End
    | Cancel
    | Move
    | Pause
    | Resume
    | Undo,
    Field(discriminator="kind"),
]


class ChangeContract(Tolerant):
    """The command. `id` names the intention: the same again changes nothing."""

    id: str
    by: str
    change: Change


class ChangeRecord(Tolerant):
    """A change that was made: `before` and `after` are the facts that it touched, by their paths (facts.py); `steps`
    are what it asked of the outside at once."""

    id: str
    by: str
    on: date
    change: Change
    before: dict[str, Any] = {}
    after: dict[str, Any] = {}
    steps: tuple[Step, ...] = ()
    undone_by: str | None = None


class Moving(Tolerant):
    """A move that is decided: `begun` from its day until the new subscription is in place."""

    selling_entity: str
    currency: str
    revision: int
    on: date
    begun: bool = False


class AtRenewal(Tolerant):
    """What changes with the first day of the next term, by line id."""

    quantities: dict[str, Decimal] = {}
    added: tuple[LineTerms, ...] = ()
    removed: tuple[str, ...] = ()
    revision: int | None = None

    def __bool__(self) -> bool:
        return bool(self.quantities or self.added or self.removed)
