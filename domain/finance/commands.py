"""The commands by which finance decides. `by` is who gives it, for the record."""

from datetime import date

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


class HoldCredit(Tolerant):
    """Put the customer on credit hold by hand."""

    by: str
    reason: str


class ReleaseCredit(Tolerant):
    """Release the hold that was set by hand."""

    by: str


class PriceNoticeGiven(Tolerant):
    """The customer was told of the price increase for the next term, on a day (today when None)."""

    by: str
    on: date | None = None
