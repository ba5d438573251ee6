# SPDX-License-Identifier: GPL-3.0-or-later
"""The books: a day in a closed accounting period takes nothing new, and it is said from when on one does."""

from trytond.modules.account.exceptions import PeriodNotFoundError
from trytond.pool import Pool
from trytond.transaction import without_check_access

from .errors import PERIOD_CLOSED, TenureError


@without_check_access
def refuse_closed(company, *days):
    """Refuse a day whose period is closed or locked. One for which no period was made yet, or ever, is not closed."""
    Period = Pool().get("account.period")
    for day in days:
        try:
            period = Period.find(company, date=day, test_state=False)
        except PeriodNotFoundError:
            continue
        if period.state != "open":
            opens = _opens_after(company, day)
            then = f"the books are open from {opens} on" if opens else "none after it is open"
            why = f"the accounting period of {day} is closed; {then}"
            raise TenureError(PERIOD_CLOSED, why, opens.isoformat() if opens else "")


def _opens_after(company, day):
    open_then = [("type", "=", "standard"), ("state", "=", "open"), ("end_date", ">=", day)]
    following = (
        Pool()
        .get("account.period")
        .search([("fiscalyear.company", "=", company.id), *open_then], order=[("start_date", "ASC")], limit=1)
    )
    return max(following[0].start_date, day) if following else None
