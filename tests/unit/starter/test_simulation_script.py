"""A simulation's script: what can be written, and that every mistake is told at once, with its entry."""

from datetime import date
from pathlib import Path

import pytest

from domain.changes.kinds import Amend, ChangeContract
from domain.messages import EndContract, MilestoneReached
from starter.simulation.script import Outage, UnusableScript, foreign_systems, read_script

FIRST = date(2026, 11, 20)
EXAMPLES = Path(__file__).parents[3] / "examples" / "simulations"


def mistakes(text: str) -> list[str]:
    with pytest.raises(UnusableScript) as caught:
        read_script(text, FIRST)
    return str(caught.value).splitlines()


def test_every_kind_of_entry() -> None:
    script = read_script(
        """
        decide = "renew"
        [[at]]
        on = 2027-01-04
        event = { kind = "milestone_reached", milestone = "go-live" }
        [[at]]
        after = "3 months"
        change = { kind = "amend", quantities = { "2" = 75 } }
        [[at]]
        on = "2027-03-01"
        outage = { system = "erp", days = 2 }
        [[at]]
        after = "1 year"
        command = { kind = "end", reason = "moved away" }
        """,
        FIRST,
    )
    assert script.decide == "renew"
    assert [entry.on for entry in script.entries] == [
        date(2027, 1, 4), date(2027, 2, 20), date(2027, 3, 1), date(2027, 11, 20),
    ]  # fmt: skip
    reached, amended, outage, ended = (entry.what for entry in script.entries)
    assert reached == MilestoneReached(milestone="go-live", on=date(2027, 1, 4))
    assert isinstance(amended, ChangeContract)
    assert isinstance(amended.change, Amend)
    assert amended.id == "script-2"
    assert outage == Outage(system="erp", days=2)
    assert isinstance(ended, EndContract)


def test_a_month_s_end_stays_one() -> None:
    script = read_script('[[at]]\nafter = "1 month"\noutage = { system = "cs", days = 1 }', date(2028, 1, 31))
    assert script.entries[0].on == date(2028, 2, 29)


def test_every_mistake_is_told_at_once_with_its_entry() -> None:
    told = mistakes(
        """
        decide = "perhaps"
        speed = 3
        [[at]]
        on = 2027-13-01x
        """
    )
    assert told[0].startswith("it is not TOML")
    told = mistakes(
        """
        decide = "perhaps"
        speed = 3
        [[at]]
        on = "yesterday"
        event = { kind = "milestone_reached" }
        [[at]]
        after = "a while"
        outage = { system = "erp", days = 0 }
        [[at]]
        event = { kind = "no_such" }
        command = { kind = "renew" }
        [[at]]
        on = 2027-03-01
        command = { kind = "pause" }
        [[at]]
        on = 2027-03-01
        command = { kind = "end", until = 3 }
        [[at]]
        on = 2027-03-01
        change = 3
        """
    )
    for line in (
        "unknown: speed; a script has at, decide and milestones",
        "decide: 'perhaps' is not one of nobody, renew, end",
        "entry 1: on: 'yesterday' is not a date; write it as 2027-03-01",
        "entry 1: event.milestone_reached.milestone: Field required",
        "entry 2: after: 'a while' is not a length of time; write it as 3 months, 10 days, 2 weeks or 1 year",
        "entry 2: outage.days: Input should be greater than or equal to 1",
        "entry 3: give either on = 2027-03-01 or after = '3 months'",
        "entry 3: give one of event, command, change, outage, not event and command",
        "entry 5: command: end has no until",
        "entry 6: change: write it as { … }",
    ):
        assert line in told
    assert any(line.startswith("entry 4: command.kind: 'pause' is not one of renew, end, cancel") for line in told)


def test_only_systems_that_there_are_can_be_down() -> None:
    script = read_script('[[at]]\non = 2027-01-01\noutage = { system = "erpp", days = 1 }', FIRST)
    assert list(foreign_systems(script, frozenset({"erp", "crm"}))) == [
        "entry 1: unknown system 'erpp'; known: crm, erp"
    ]


@pytest.mark.parametrize("script", sorted(EXAMPLES.glob("*.toml")), ids=lambda script: script.stem)
def test_the_examples_can_be_read(script: Path) -> None:
    assert read_script(script.read_text(), FIRST).entries


def test_a_change_has_a_name_to_be_undone_by_and_lines_as_an_order_has_them() -> None:
    [entry] = read_script(
        """
        [[at]]
        after = "1 year"
        change = { id = "analytics", kind = "amend", added = [{ product = "ANALYTICS", quantity = 5, unit_price = 9 }] }
        """,
        FIRST,
    ).entries
    assert entry.what.id == "analytics"
    assert entry.what.change.added == ()
    assert entry.sold == ({"product": "ANALYTICS", "quantity": 5, "unit_price": 9},)
    assert mistakes('[[at]]\nafter = "1 year"\nchange = { kind = "amend", added = [{ quantity = 5 }] }') == [
        "entry 1: change.added: write each line as { product = …, quantity = …, unit_price = … }"
    ]
