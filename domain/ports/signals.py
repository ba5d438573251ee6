"""Support and usage: signals that are only read."""

from decimal import Decimal
from typing import Protocol

from domain.base import Frozen


class SupportCases(Frozen):
    """Open cases of an account, by severity 1 (worst) to 4."""

    by_severity: dict[int, int] = {}


class Adoption(Frozen):
    """`active` of `entitled` seats used in the last 30 days."""

    active: Decimal
    entitled: Decimal


class Support(Protocol):
    async def open_cases(self, account: str) -> SupportCases: ...


class Usage(Protocol):
    async def adoption(self, account: str) -> Adoption: ...
