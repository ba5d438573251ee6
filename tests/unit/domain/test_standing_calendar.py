"""The calendar of a contract that lives: facts are facts, and the terms are counted from where it stands."""

import json
from datetime import date
from typing import Any

import pytest

from domain.company import load_company
from domain.explaining.entries import Entry, Topic
from domain.explaining.standing import standing_calendar
from domain.mapping import canonical, load_mapping
from domain.policies.validation import lines_of, parse_order
from domain.view import LifecycleView, LineView, Stage
from tests.house import EXAMPLES

COMPANY = load_company((EXAMPLES / "company.toml").read_text())
GO_LIVE = date(2026, 12, 24)
MAPPING = load_mapping((EXAMPLES / "mappings" / "salesforce.toml").read_text())


def calendar(**changes: Any) -> list[Entry]:
    record = json.loads((EXAMPLES / "payloads" / "salesforce_new_hooli.json").read_text())
    order, wrong = parse_order(canonical(record, MAPPING))
    assert not wrong
    values: dict[str, Any] = {
        "contract": "crm/SC-1/1",
        "stage": Stage.SERVING,
        "term": 1,
        "term_starts": date(2026, 11, 27),
        "term_ends": date(2027, 11, 27),
        "milestones": {"go-live": GO_LIVE},
        "lines": [
            LineView(id="a", product="PLATFORM", quantity="50", billing_rule="go-live", billing_starts=GO_LIVE),
            LineView(id="b", product="ONBOARDING", quantity="1", billing_rule="signature", waits_for="the order"),
        ],
    }
    return list(standing_calendar(LifecycleView(**(values | changes)), order, lines_of(order, COMPANY)))


def on(entries: list[Entry], topic: Topic) -> list[str]:
    return [str(entry.on) for entry in entries if entry.topic is topic and entry.on]


def test_facts_stand_on_their_days_and_what_waits_says_for_what() -> None:
    entries = calendar()
    said = {entry.what: (str(entry.on), entry.reckoned) for entry in entries}
    assert said["go-live is reached"] == ("2026-12-24", "a fact")
    assert said["PLATFORM is billed from this day on"] == ("2026-12-24", "a fact")
    assert said["ONBOARDING is billed from then on"] == ("None", "waits for: the order")
    assert entries == sorted(entries, key=lambda entry: (entry.on is None, entry.on or date.min))


def test_terms_are_counted_from_the_running_one_also_after_it_was_moved() -> None:
    assert "2027-11-27" in on(calendar(), Topic.TERM)
    moved = calendar(term=2, term_starts=date(2027, 12, 28), term_ends=date(2028, 12, 28))
    assert on(moved, Topic.WINDOW)[0] == "2028-09-29"
    assert all(entry.term is None or entry.term >= 2 for entry in moved)


@pytest.mark.parametrize("stage", [Stage.ENDING, Stage.ENDED, Stage.CANCELLED])
def test_a_contract_that_winds_up_waits_for_no_decision(stage: Stage) -> None:
    entries = calendar(stage=stage)
    assert not {entry.topic for entry in entries} & {Topic.WINDOW, Topic.CHECKPOINT, Topic.NOTICE}


def test_before_the_activation_no_day_is_guessed() -> None:
    entries = calendar(stage=Stage.ORDER_ACTIVATION, term=0, term_starts=None, term_ends=None, milestones={}, lines=[])
    assert not [entry for entry in entries if entry.topic is Topic.TERM and entry.on]
