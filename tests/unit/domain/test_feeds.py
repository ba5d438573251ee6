"""An event of a feed on its way into the inbox."""

import json
from typing import Any

import pytest

from domain.feeds import FeedRead, received

USAGE = {"account": "001", "active": "1", "entitled": "2", "as_of": "2026-11-20"}


def event(**changes: Any) -> dict[str, Any]:
    whole = {
        "specversion": "1.0",
        "id": "u1",
        "source": "/meter",
        "type": "tenure.usage.reported.v1",
        "subject": "001",
        "data": USAGE,
    }
    return {**whole, **changes}


def test_a_good_event_keeps_its_id_and_its_words() -> None:
    got = received(event())
    assert (got.event_id, got.type, got.subject, got.dead) == ("u1", "tenure.usage.reported.v1", "001", None)
    assert json.loads(got.payload) == event()


@pytest.mark.parametrize(
    "changes", [{"id": 7}, {"id": None}, {"type": "tenure.no.such.v1"}, {"data": {}}, {"data": "\0\ud800"}]
)
def test_one_that_can_not_be_used_is_a_dead_letter_with_its_reason(changes: dict[str, Any]) -> None:
    got = received(event(**changes))
    assert got.dead
    assert json.loads(got.payload) == event(**changes)
    got.payload.encode()


def test_a_number_that_json_does_not_have_is_one_too() -> None:
    got = received(event(data={**USAGE, "extra": float("nan")}))
    assert got.dead == "Out of range float values are not JSON compliant"


def test_without_an_id_that_can_be_kept_it_is_known_by_what_it_says() -> None:
    first, again = received({"a": 1, "b": 2}), received({"b": 2, "a": 1})
    assert first.event_id == again.event_id
    assert first.event_id != received({"a": 1, "b": 3}).event_id
    for bad in ("x\0", "", "x" * 256, 7):
        assert received(event(id=bad)).event_id.startswith("sha256:")


def test_two_attempts_of_a_run_add_up() -> None:
    both = FeedRead(pages=2, new=5, more=True, gap=True).then(FeedRead(pages=1, new=1))
    assert both == FeedRead(pages=3, new=6, gap=True)
    assert str(both) == "6 new events in 3 pages; a gap was filled by a query"
