"""What a lifecycle remembers of finance's decisions: references and days, no personal data."""

from datetime import date

from domain.base import Tolerant
from domain.order import Reason


class Approval(Tolerant):
    """Why a revision of the order needs finance's approval, and what finance has said of it.

    It waits while neither `approved_by` nor `rejected_by` is set. `on`: the day of the decision.
    """

    revision: int
    reasons: tuple[Reason, ...]
    approved_by: str | None = None
    rejected_by: str | None = None
    on: date | None = None

    @property
    def given(self) -> bool:
        return self.approved_by is not None


class Redated(Tolerant):
    """The former day of something that the ERP's closed period refused, the day it has now, and who dated it anew."""

    was: date
    on: date
    by: str
