"""Which later event makes a dead letter moot, and which never does."""

from typing import Any

import pytest

from domain.moot import Heard, heard, moot_by


def event(type: str, order: int, subject: str = "", time: str | None = None, /, **data: Any) -> Heard:
    def deal_of(record: dict[str, Any]) -> tuple[str, str] | None:
        return (record["Id"], f"{record['Id']}@{record['at']}") if "Id" in record else None

    return heard("crm", f"tenure.{type}.v1", subject, order, {"time": time, "data": data}, deal_of)


def deal(type: str, order: int, id: str, at: str) -> Heard:
    return event(f"deal.{type}", order, record={"Id": id, "at": at})


INVOICE = {"invoice": "i1", "subscription": "s1"}
OLD, NEW = "2026-11-01T10:00:00Z", "2026-11-01T10:00:01+00:00"


@pytest.mark.parametrize(
    ("dead", "later"),
    [
        (deal("closed_won", 1, "d1", "2026-11-01"), deal("corrected", 2, "d1", "2026-11-02")),
        (deal("closed_won", 1, "d1", "2026-11-01"), deal("lost", 2, "d1", "2026-11-02")),
        (deal("closed_won", 1, "d1", "2026-11-01"), deal("closed_won", 2, "d1", "2026-11-01")),
        (
            event("deal.closed_won", 1, "d1", OLD),
            event("deal.closed_won", 2, "d1", NEW, record={"Id": "d1", "at": "x"}),
        ),
        (event("invoice.posted", 1, version=1, **INVOICE), event("invoice.overdue", 2, version=2, **INVOICE)),
        (event("invoice.paid", 1, version=1, **INVOICE), event("invoice.paid", 2, version=1, **INVOICE)),
        (
            event("invoice.disputed", 1, version=1, **INVOICE),
            event("invoice.dispute_resolved", 2, version=2, **INVOICE),
        ),
        (
            event("invoice.posted", 1, "i1", OLD, version="x", **INVOICE),
            event("invoice.posted", 2, "i1", NEW, version=7, **INVOICE),
        ),
        (
            event("usage.reported", 1, account="a", as_of="2026-11-01"),
            event("adoption.dropped", 2, account="a", as_of="2026-11-02"),
        ),
        (
            event("milestone.completed", 1, contract="c", milestone="go-live"),
            event("milestone.completed", 2, contract="c", milestone="go-live", completed_on="2026-12-24"),
        ),
    ],
)
def test_the_same_told_anew(dead: Heard, later: Heard) -> None:
    assert moot_by(dead, later)


@pytest.mark.parametrize(
    ("dead", "later"),
    [
        (deal("closed_won", 2, "d1", "2026-11-01"), deal("closed_won", 1, "d1", "2026-11-02")),
        (deal("closed_won", 1, "d1", "2026-11-03"), deal("corrected", 2, "d1", "2026-11-02")),
        (deal("closed_won", 1, "d1", "2026-11-01"), deal("closed_won", 2, "d2", "2026-11-02")),
        (event("deal.closed_won", 1, "d1"), deal("closed_won", 2, "d1", "2026-11-02")),
        # a movement adds to what is known: no snapshot tells it
        (event("invoice.paid", 1, "i1", version=1, **INVOICE), event("invoice.posted", 2, "i1", version=2, **INVOICE)),
        (
            event("invoice.partly_paid", 1, "i1", version=1, payment="p1", **INVOICE),
            event("invoice.partly_paid", 2, "i1", version=2, payment="p2", **INVOICE),
        ),
        (
            event("invoice.partly_paid", 1, "i1", version=1, **INVOICE),
            event("invoice.partly_paid", 2, "i1", version=2, payment="p2", **INVOICE),
        ),
        (event("invoice.posted", 1, version=2, **INVOICE), event("invoice.posted", 2, version=1, **INVOICE)),
        (event("invoice.posted", 1, version="x", **INVOICE), event("invoice.posted", 2, version=1, **INVOICE)),
        (event("invoice.disputed", 1, version=1, **INVOICE), event("invoice.posted", 2, version=2, **INVOICE)),
        (
            event("milestone.completed", 1, "c", contract="c", milestone="kick-off"),
            event("milestone.completed", 2, "c", contract="c", milestone="go-live"),
        ),
        (
            event("milestone.completed", 1, "c", contract="c"),
            event("milestone.completed", 2, "c", contract="c", milestone="m"),
        ),
        (event("misspelt.type", 1, "c"), event("misspelt.type", 2, "c")),
        (event("invoice.posted", 1, "s1", version=1), event("invoice.posted", 2, "s1", version=2, **INVOICE)),
    ],
)
def test_what_still_has_something_to_say(dead: Heard, later: Heard) -> None:
    assert not moot_by(dead, later)


def test_another_source_says_nothing_about_it() -> None:
    dead = event("invoice.posted", 1, version=1, **INVOICE)
    later = event("invoice.posted", 2, version=2, **INVOICE)
    assert moot_by(dead, later)
    assert not moot_by(dead, later.model_copy(update={"source": "erp"}))


@pytest.mark.parametrize(
    "body", [None, [], "text", {"data": None}, {"data": []}, {"data": {"record": []}}, {"data": {"invoice": {}}}]
)
def test_a_dead_letter_may_hold_anything(body: Any) -> None:
    for type in ("tenure.deal.closed_won.v1", "tenure.invoice.posted.v1", "tenure.milestone.completed.v1", ""):
        assert heard("s", type, "subject", 1, body).record == ()
