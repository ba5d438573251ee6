"""The ERP's books: periods that are closed take no more entries. Set by the test's hand, kept with the box."""

from datetime import date

from sandbox.api import Problem
from sandbox.box import Box

OPENS_ON, CLOSES_ON = "books_open_on", "books_close_on"


def books_open(box: Box, *days: date) -> None:
    """Refuse a day for which the books are not open, and say from when on they are."""
    opens_on, closes_on = (box.store.setting(name, "") for name in (OPENS_ON, CLOSES_ON))
    for day in map(str, days):
        if opens_on and day < opens_on:
            raise Problem(422, "period_closed", f"the books before {opens_on} are closed", opens_on=opens_on)
        if closes_on and day >= closes_on:
            raise Problem(422, "period_closed", f"the books from {closes_on} on are not open yet", opens_on=None)
