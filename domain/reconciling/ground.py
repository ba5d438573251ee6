"""What a repair is decided on, and why it can't be."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from domain.reconciling.difference import Difference
from domain.reconciling.expected import Expected


class Unrepairable(ValueError):
    """Why a difference can't be repaired in this way, in words."""


@dataclass(frozen=True)
class Ground:
    """`e`: the contract, or one of the account's; `sharing`: all of the account's that have the same record.
    `revision`: of the order document. `key`: begins the keys of what is done. `choice`: the record that a person
    names."""

    difference: Difference
    e: Expected | None
    sharing: Sequence[Expected]
    revision: int
    today: date
    by: str
    reason: str
    key: str
    choice: str | None = None

    @property
    def contract(self) -> Expected:
        if self.e is None:
            raise Unrepairable("no open contract is concerned by it")
        return self.e
