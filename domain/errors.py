"""The closed set of ways in which an outside system, or our own store, can fail us.

Litmus tests. Was it *our data* (INVALID_INPUT) or *their rules* (REJECTED)? Did it provably not arrive
(SOURCE_UNAVAILABLE) or can't we know (OUTCOME_UNKNOWN)? Did they answer what they promised (otherwise CONTRACT_BROKEN)?
Is a record not there (NOT_FOUND), or has a feed forgotten what came after our cursor (CURSOR_EXPIRED: query the gap)?
"""

from datetime import date, timedelta
from typing import ClassVar, Literal

Actor = Literal["ops", "finance", "engineer", "nobody"]


class TenureError(Exception):
    """Base of the closed set. Messages carry no secrets and no bodies, and are cut at 300 characters.

    `retried`: whether Temporal may try the same call again. `actor`: who must act when it stays.
    `sent`: whether the outside system may have performed the request; only then must an effect look before it sends
    again.
    """

    kind: ClassVar[str]
    retried: ClassVar[bool]
    actor: ClassVar[Actor]
    sent: ClassVar[bool] = False

    def __init__(self, message: str, *, retry_after: timedelta | None = None) -> None:
        super().__init__(message[:300])
        self.retry_after = retry_after

    @property
    def details(self) -> dict[str, str]:
        """What a policy reads beside the kind; no personal data."""
        return {}


class InvalidInput(TenureError):
    """Our request was malformed for them (HTTP 400, 422). Fix the data."""

    kind, retried, actor = "INVALID_INPUT", False, "ops"


class Rejected(TenureError):
    """Their business rules refuse a well-formed request (blocked customer, unknown product)."""

    kind, retried, actor = "REJECTED", False, "ops"


class PeriodClosed(TenureError):
    """The date of a write lies in an accounting period that is closed there: the same date is refused again.

    `opens_on`: the first day after it that the books are open for; None where there is none yet, or it is not told.
    `redate`: the company's policy is to date it on that day.
    """

    kind, retried, actor = "PERIOD_CLOSED", False, "finance"

    def __init__(self, message: str, *, opens_on: date | None = None) -> None:
        super().__init__(message)
        self.opens_on = opens_on
        self.redate = False

    @property
    def details(self) -> dict[str, str]:
        told = {"opens_on": self.opens_on.isoformat()} if self.opens_on else {}
        return {**told, "redate": "yes"} if told and self.redate else told


class NotFound(TenureError):
    """The record that we name does not exist there."""

    kind, retried, actor = "NOT_FOUND", False, "ops"


class AlreadyExists(TenureError):
    """A natural unique key is taken. Adapters fetch the record and return it; this is raised only where they can't."""

    kind, retried, actor = "ALREADY_EXISTS", False, "ops"


class CursorExpired(TenureError):
    """A feed can't go on from our cursor: too old, or not its own. Asking again can't help: a query fills the gap."""

    kind, retried, actor = "CURSOR_EXPIRED", False, "nobody"


class AuthFailed(TenureError):
    """Credentials or permissions (401, 403). Nothing was done there."""

    kind, retried, actor = "AUTH", False, "engineer"


class RateLimited(TenureError):
    """429. Nothing was done there; `retry_after` is what the server asked for."""

    kind, retried, actor = "RATE_LIMITED", True, "nobody"


class SourceUnavailable(TenureError):
    """Provably not accepted: no connection, or a 503 that says so. Safe to send again."""

    kind, retried, actor = "SOURCE_UNAVAILABLE", True, "nobody"


class ConnectionFrozen(TenureError):
    """Our own kill switch is on: nothing is sent until it is off again. Waiting is the lifecycle's, not Temporal's."""

    kind, retried, actor = "FROZEN", False, "ops"


class AccountFenced(TenureError):
    """Our own fence: the account is being merged or split. What waits for it goes on by itself afterwards."""

    kind, retried, actor = "FENCED", False, "nobody"


class OutcomeUnknown(TenureError):
    """A time-out or 5xx after a write was sent: it may have been done. Only a key or a look-up may follow."""

    kind, retried, actor, sent = "OUTCOME_UNKNOWN", True, "nobody", True


class ContractBroken(TenureError):
    """They answered something that their contract does not allow. After a write this is as unknown as a time-out."""

    kind, retried, actor, sent = "CONTRACT_BROKEN", False, "engineer", True


class Busy(TenureError):
    """Another attempt holds this effect's lease in the ledger; `retry_after` is what is left of it."""

    kind, retried, actor = "BUSY", True, "nobody"


class InDoubt(TenureError):
    """Nobody can know whether an effect without key or look-up happened: a person decides."""

    kind, retried, actor = "IN_DOUBT", False, "ops"


class Internal(TenureError):
    """Our own bug."""

    kind, retried, actor = "INTERNAL", False, "engineer"


ERRORS: dict[str, type[TenureError]] = {
    error.kind: error
    for error in (
        InvalidInput, Rejected, PeriodClosed, NotFound, AlreadyExists, CursorExpired, AuthFailed, RateLimited,
        SourceUnavailable, ConnectionFrozen, AccountFenced, OutcomeUnknown, ContractBroken, Busy, InDoubt, Internal,
    )
}  # fmt: skip
