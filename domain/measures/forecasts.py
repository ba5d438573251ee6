"""What was forecast on a day, and what came of it."""

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import Literal

from domain.base import Frozen
from domain.policies.forecast import Category
from domain.view import SERVED, Stage

Came = Literal["renewed", "lost", "undecided", "open"]


class Snapshot(Frozen):
    """Where a contract stood on a day. `category`: what stood as the forecast of the running term's renewal, None where
    none can follow; `by` whom, where somebody forecast by hand. `annual`: its annual recurring value by the ERP.
    """

    contract: str
    day: date
    account: str
    selling_entity: str = ""
    stage: Stage
    term: int = 0
    term_ends: date | None = None
    category: Category | None = None
    by: str = ""
    decision: Literal["renew", "end"] | None = None
    currency: str | None = None
    annual: Decimal | None = None

    @property
    def active(self) -> bool:
        """Whether its account is an active customer by it."""
        return self.stage in SERVED

    @property
    def held(self) -> Decimal | None:
        """What it is worth in a year: nothing where it is not served."""
        return self.annual if self.active else Decimal(0)


class Outcome(Frozen):
    """`on`: the day on which it was seen. `annual`: what it was worth in a year then."""

    came: Came
    on: date | None = None
    annual: Decimal | None = None


def what_came(was: Snapshot, later: Sequence[Snapshot], today: date) -> Outcome:
    """What came of a forecast: renewed, when the next term has begun or is decided; lost, when the contract has ended
    or its end is decided; undecided, when its term is over and nobody has decided; open before that. The amount is the
    annual recurring value afterwards. `later`: the contract's snapshots after the one that was forecast with, oldest
    first.
    """
    decided: Snapshot | None = None
    for each in later:
        if each.term > was.term:
            return Outcome(came="renewed", on=each.day, annual=each.held)
        if each.stage in (Stage.ENDED, Stage.CANCELLED, Stage.ENDING) or each.decision == "end":
            decided = decided or each
        elif each.decision == "renew":
            decided = each if decided is None or decided.decision != "renew" else decided
        else:
            decided = None
    if decided is not None:
        renews = decided.decision == "renew" and decided.active
        return Outcome(
            came="renewed" if renews else "lost", on=decided.day, annual=later[-1].held if renews else Decimal(0)
        )
    over = was.term_ends is not None and was.term_ends <= today
    return Outcome(came="undecided" if over else "open")
