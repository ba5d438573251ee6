"""The commands by which finance decides. `by` is who gives it, for the record."""

from domain.base import Tolerant


class ApproveOrder(Tolerant):
    """Approve the order as `revision` states it."""

    revision: int
    by: str


class RejectOrder(Tolerant):
    """Don't approve the order as `revision` states it: it is corrected, or cancelled."""

    revision: int
    by: str
    reason: str
