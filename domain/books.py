"""What Tenure keeps of its own, as Protocols: the store's side, which activities see without knowing the store."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Literal, Protocol

from domain.base import Frozen
from domain.feeds import FeedPosition, Received
from domain.ports import Health


class OrderBook(Protocol):
    """Order documents by contract and revision. They hold personal data, so they never enter a history."""

    async def read(self, contract: str, revision: int) -> dict[str, Any]: ...


class Claim(Frozen):
    """The ledger's answer to `claim`, and what the effect must do next.

    `done`: it happened, `result` is what it answered. `send`: nobody has sent it, go on. `in_doubt`: an earlier attempt
    sent it and nobody knows the outcome: the last such send is `sent_age` seconds ago, the first `doubt_age`, it was of
    generation `doubt_generation`, and `same_arguments` says whether it sent what is asked now. `fence` and `generation`
    name this attempt.
    """

    state: Literal["done", "send", "in_doubt"]
    fence: int = 0
    generation: int = 1
    result: dict[str, Any] | None = None
    same_arguments: bool = True
    sent_age: float = 0.0
    doubt_age: float = 0.0
    doubt_generation: int = 1


class EffectLedger(Protocol):
    """One row per key: CLAIMED → SENT → DONE | REFUSED | RELEASED. Its clock is the database's.

    Every method is durable when it returns. Where it takes a fence, an attempt that has been overtaken changes nothing,
    except that `done` is always believed. Raises SourceUnavailable when the store does not answer.
    """

    async def permit(self, operation: str) -> None:
        """Raises SourceUnavailable while the operation's connection (its prefix before the dot) is frozen."""
        ...

    async def claim(
        self, key: str, *, contract: str, operation: str, arguments: str, lease: float, generation: int
    ) -> Claim:
        """Take the key for `lease` seconds. `arguments` is a hash.

        Raises Busy (with what is left) while somebody else's lease lives, Rejected when the key is DONE with other
        arguments, REFUSED at this generation or a later one, or given to another connection; ConnectionFrozen.
        """
        ...

    async def mark_sent(self, key: str, *, fence: int, deadline: float, absent: bool = False) -> bool:
        """SENT, where the fence is still ours and the lease outlives the deadline (seconds). False: no call may follow.

        `absent`: it is certain that no earlier send was performed; the doubt about those ends.
        """
        ...

    async def done(self, key: str, *, fence: int, result: dict[str, Any], view: "ViewRow | None" = None) -> bool:
        """DONE without looking at the fence. False when another external id is already stored: a duplicate outside."""
        ...

    async def refused(self, key: str, *, fence: int, reason: str) -> None:
        """Definitely refused: it did not and will not happen in this generation."""
        ...

    async def released(self, key: str, *, fence: int) -> None:
        """This attempt provably sent nothing. The key is free at once; a doubt about an earlier send stays."""
        ...

    async def unknown(self, key: str, *, fence: int) -> None:
        """The outcome is unknown and this attempt sends no more: stays SENT, but the lease ends now."""
        ...


class FeedBook(Protocol):
    """How far each feed was read. A cursor moves in the very transaction that stores what was read before it."""

    async def position(self, feed: str) -> FeedPosition:
        """Where the feed stands; an empty cursor before its first page."""
        ...

    async def commit(
        self,
        feed: str,
        events: Sequence[Received],
        *,
        source: str,
        expected: str,
        cursor: str,
        age: float | None = None,
        gap: bool = False,
    ) -> int | None:
        """Store a page's events as received from `source`, each once, and move the cursor from `expected` to `cursor`.

        `age`: so many seconds ago nothing came after `cursor`; None: there is more. `gap`: this closes one. Returns how
        many events were new. None: the cursor is not `expected` any more, somebody else went on: nothing was stored.
        """
        ...

    async def failed(self, feed: str, kind: str, reason: str) -> None:
        """The feed can't be read: a case, which its next reading to the end resolves."""
        ...


VIEWS_PER_TASK = 1000
"""A sequence is the history's length times this, plus the number of the view within one workflow task."""


class ViewRow(Frozen):
    """A lifecycle's view as the store keeps it, guarded by (run_started, sequence): an older one never wins."""

    contract: str
    run_started: datetime
    sequence: int
    view: dict[str, Any]


class Shows(Frozen):
    """What a step leaves behind, to be shown as soon as it is done: the state in which it was asked for (packed by
    `domain.showing`), guarded as a `ViewRow` is."""

    run_started: datetime
    sequence: int
    state: str


class Views(Protocol):
    async def publish(self, row: ViewRow) -> None: ...


class RolledUp(Frozen):
    """What the risks of a company's contracts amount to. `news`: CS was last shown something else."""

    health: Health
    version: int
    news: bool


class AccountHealth(Protocol):
    """The risks of contracts, and what they amount to for the company that CS knows."""

    async def assess(self, contract: str, health: Health) -> RolledUp:
        """Keep the risk of one contract; answers what the company's risks amount to now."""
        ...

    async def shown(self, contract: str, rolled: RolledUp) -> RolledUp:
        """CS shows this now; answers what it should show, which may have changed meanwhile.

        A write that is never reported as shown is news again at this contract's next assessment: it may have landed.
        """
        ...
