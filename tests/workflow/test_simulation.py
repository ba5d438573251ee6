"""A whole life in seconds on the real server: the same ledger every time, on whatever day it is looked at."""

import tomllib
import uuid
from collections import Counter
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import Client

import wiring
from domain.company import Company, load_company
from domain.routes import Landscape
from starter.mistakes import Mistake
from starter.simulation.life import Future
from starter.simulation.script import Script, UnusableScript, read_script
from starter.simulation.whole import Signed, signed, simulate

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture(scope="module")
def company() -> Company:
    return load_company((EXAMPLES / "company.toml").read_text())


def document(name: str) -> dict[str, Any]:
    return tomllib.loads((EXAMPLES / "contracts" / f"{name}.toml").read_text())


async def live(temporal: Client, company: Company, begun: Signed, script: str = "", years: int = 3) -> Future:
    read = read_script(script, begun.on)
    return await simulate(
        temporal, wiring.open_simulation, company, Landscape(), begun, read, years, name=f"life-{uuid.uuid4().hex[:8]}"
    )


def of(future: Future, key: str) -> list[tuple[date, str]]:
    return [(line.on, line.what) for line in future.lines if line.key == key]


async def test_three_years_twice_are_the_same_to_the_byte(temporal: Client, company: Company) -> None:
    begun = signed(document("us_quarterly"), company, Landscape(), "crm")
    first, second = [await live(temporal, company, begun, "decide = 'renew'") for _ in range(2)]
    assert first.model_dump_json(exclude={"history"}) == second.model_dump_json(exclude={"history"})
    done = Counter(
        line.key for line in first.lines if line.kind == "effect" and not line.key.startswith(("crm.", "cs."))
    )
    assert set(done.values()) == {1}
    assert [key for key in sorted(done) if key.startswith("renewal:")] == [
        f"renewal:crm/EX-US-1/1:{n}" for n in (2, 3, 4)
    ]
    assert (first.stage, first.term, first.cases) == ("serving", 4, ())


@pytest.mark.parametrize("signed_on", [date(1999, 12, 31), date(2041, 6, 1)])
async def test_a_life_begins_on_its_signature_day_whatever_day_it_is(
    temporal: Client, company: Company, signed_on: date
) -> None:
    begun = signed({**document("annual_saas"), "signed_on": signed_on}, company, Landscape(), "crm")
    future = await live(temporal, company, begun, "decide = 'renew'", years=2)
    assert future.lines[0].on == signed_on
    assert of(future, f"activation:{future.contract}")[0][0] == signed_on
    window = of(future, f"window:{future.contract}:1")[0][0]
    assert window == signed_on.replace(year=signed_on.year + 1) - timedelta(days=90)
    assert max(line.on for line in future.lines) <= signed_on.replace(year=signed_on.year + 2)


async def test_nobody_decides_and_it_is_a_case(temporal: Client, company: Company) -> None:
    begun = signed(document("annual_saas"), company, Landscape(), "crm")
    future = await live(temporal, company, begun, years=2)
    assert [case.kind for case in future.cases] == ["out_of_term"]
    [(on, what)] = of(future, "case:out-of-term")
    assert on == date(2027, 11, 20)
    assert what.startswith("case for finance: term 1 is over")


async def test_a_script_is_lived_through(temporal: Client, company: Company) -> None:
    """An outage holds up what it is about and nothing else; a change, a late milestone and an end do what they do."""
    begun = signed(document("annual_saas"), company, Landscape(), "crm")
    future = await live(
        temporal,
        company,
        begun,
        """
        [[at]]
        on = 2026-11-20
        outage = { system = "cs", days = 2 }
        [[at]]
        on = 2027-02-01
        event = { kind = "milestone_reached", milestone = "go-live" }
        [[at]]
        on = 2027-03-01
        change = { kind = "amend", quantities = { "2" = 75 } }
        [[at]]
        on = 2027-03-02
        change = { kind = "amend", quantities = { "2" = 7500 } }
        [[at]]
        on = 2027-11-01
        command = { kind = "end", reason = "moved away" }
        [[at]]
        on = 2028-01-01
        command = { kind = "renew" }
        """,
        years=2,
    )
    assert of(future, f"activation:{future.contract}")[0][0] == date(2026, 11, 20)
    assert of(future, f"onboarding:{future.contract}")[0][0] == date(2026, 11, 22)
    opened, settled = of(future, "case:company:ACC-HOOLI")
    assert (opened[1], settled[1]) == ("case for ops: could not make the company known in CS", "settled")
    assert of(future, f"billing-start:{future.contract}:2:1")[0][0] == date(2027, 2, 1)
    [(on, what)] = of(future, f"amendment:{future.contract}:script-3")
    assert (on, what.endswith("line 2 has 75")) == (date(2027, 3, 1), True)
    assert "refused: " in of(future, "change:amend")[1][1]
    assert of(future, f"ending:{future.contract}")[0][0] == date(2027, 11, 20)
    assert of(future, "command:renew") == [(date(2028, 1, 1), "not told: the lifecycle has ended")]
    assert future.stage == "ended"


async def test_what_can_t_be_lived_is_refused_before_anything_begins(temporal: Client, company: Company) -> None:
    with pytest.raises(Mistake, match=r"sold_to\.address"):
        signed({**document("annual_saas"), "sold_to": {"name": "Hooli"}}, company, Landscape(), "crm")
    begun = signed(document("annual_saas"), company, Landscape(), "crm")
    for entry, reason in (
        ('on = 2026-01-01\noutage = { system = "erp", days = 1 }', "entry 1: 2026-01-01 is before 2026-11-20"),
        ('after = "4 years"\noutage = { system = "erp", days = 1 }', "entry 1: 2030-11-20 is after 2029-11-20"),
        ('after = "4 days"\noutage = { system = "sap", days = 1 }', "entry 1: unknown system 'sap'; known: crm, cs"),
    ):
        with pytest.raises(UnusableScript, match=reason):
            await live(temporal, company, begun, f"[[at]]\n{entry}")
    assert Script().decide == "nobody"


async def test_ten_years_with_thirty_changes_are_one_run_under_4000_events(temporal: Client, company: Company) -> None:
    """On a server with Temporal's own limits, which would have it continue as new at 4,096 events."""
    begun = signed(document("annual_saas"), company, Landscape(), "crm")
    script = read_script((EXAMPLES / "simulations" / "ten_years.toml").read_text(), begun.on)
    future = await simulate(temporal, wiring.open_simulation, company, Landscape(), begun, script, 10, name="ten-years")
    changes = [line.what for line in future.lines if line.kind == "change"]
    assert len(changes) == 30
    assert not [what for what in changes if "refused" in what]
    assert future.history < 4000
    described = await temporal.get_workflow_handle("simulation/ten-years").describe()
    info = described.raw_description.workflow_execution_info
    assert info.first_run_id == info.execution.run_id
    keyed = Counter(line.key for line in future.lines if line.kind == "effect" and ":" in line.key)
    assert set(keyed.values()) == {1}
    assert (future.term, future.cases, future.stuck) == (9, (), False)


async def test_what_nothing_mends_is_given_up_and_says_so(temporal: Client, company: Company, monkeypatch: Any) -> None:
    """A refusal for good is tried again every few hours for ever, as in production; a simulation stops there."""
    monkeypatch.setattr("starter.simulation.life.TOO_MUCH", 250)
    begun = signed(document("annual_saas"), company, Landscape(), "crm")
    held = """
    [[at]]
    on = 2027-01-10
    outage = { system = "erp", days = 3000 }
    [[at]]
    on = 2027-01-15
    change = { kind = "amend", quantities = { PLATFORM = 60 } }
    """
    future = await live(temporal, company, begun, held, years=10)
    assert future.stuck
    assert future.until < date(2029, 1, 1)
    assert [case.kind for case in future.cases] == ["source_unavailable"]
