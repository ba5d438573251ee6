"""`tenure sla` and `tenure notices`, over a store of its own; and the guide's examples, which must be usable."""

import json
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from domain.company import Company
from starter.cli import app
from starter.mistakes import Mistake
from starter.notifying.notices import tell
from starter.settings import Settings, load_settings
from store.database import Database
from store.notices import NoticeRow
from tests.clocks import CONTRACT, Watched, a_company
from tests.house import EXAMPLES
from tests.stores import lay

GUIDE = (EXAMPLES.parent / "docs" / "sla.md").read_text()
CONFIG = f"""
state_dir = "state"
company = "{EXAMPLES / "company.toml"}"
[channels.ops]
kind = "email"
to = ["ops@example.com"]
"""


@pytest.fixture
async def database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Database:
    """A contract that is late with its activation."""
    (tmp_path / "tenure.toml").write_text(CONFIG)
    (tmp_path / "state").mkdir()
    monkeypatch.setenv("TENURE_CONFIG", str(tmp_path / "tenure.toml"))
    url = f"sqlite:///{tmp_path / 'state' / 'store.db'}"
    lay(url)
    database = Database(url)
    watched = Watched(database, a_company())
    await watched.won()
    await watched.later(days=2)
    return database


def run(*arguments: str) -> Any:
    done = CliRunner().invoke(app, [*arguments, "--json"], catch_exceptions=False)
    assert done.exit_code == 0
    return json.loads(done.stdout)


def test_what_is_late_comes_first(database: Database) -> None:
    found = run("sla")
    (clock,) = found["clocks"]["items"]
    assert (clock["state"], clock["contract"]) == ("breached", CONTRACT)
    late = {each["kind"]: each["late"] for each in found["promises"]["kinds"]}
    assert late["order_activated"] == 1
    assert run("sla", "--state", "warned")["clocks"]["items"] == []
    text = CliRunner().invoke(app, ["sla"], env={"COLUMNS": "200"}).stdout
    assert "a won order is activated within 1 d" in text


def test_what_a_channel_holds_is_told_again(database: Database) -> None:
    company = a_company(teams=[{"id": "ops", "tell": ["ops"]}])

    def give(session: Any) -> None:
        tell(session, company, "ops", "a", "something is late")
        session.get_one(NoticeRow, 1).state = "held"

    database.write_sync(give)
    assert [each["held"] for each in run("notices")] == [1]
    assert run("notices", "retry", "ops")["notices"] == 1
    assert [(each["pending"], each["held"]) for each in run("notices")] == [(1, 0)]
    assert [each["text"] for each in run("notices", "show", "ops")] == ["something is late"]


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["sla", "--kind", "tea"], "unknown kind 'tea'"),
        (["sla", "--state", "late"], "unknown state 'late'"),
        (["sla", "--team", "tea"], "unknown team 'tea'; known: "),
        (["notices", "retry", "pager"], "there is no channel 'pager'; known: ops"),
    ],
)
def test_a_mistake_is_one_line(database: Database, arguments: list[str], why: str) -> None:
    with pytest.raises(Mistake, match=why):
        CliRunner().invoke(app, arguments, catch_exceptions=False)


def test_the_guide_s_examples_are_usable(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TENURE_SECRET_REVOPS_HOOK", "https://hooks.example.com/x")
    company, settings = (tomllib.loads(block) for block in re.findall(r"```toml\n(.*?)```", GUIDE, re.S))
    assert isinstance(load_settings(**settings), Settings)
    known = Company.model_validate(tomllib.loads((EXAMPLES / "company.toml").read_text()) | company)
    assert known.ownership.of_clock("billing_started") == "finance"
    commented = re.search(r"^# \[hours.office\]\n(# .*\n|#\n)+", (EXAMPLES / "company.toml").read_text(), re.M)
    assert commented is not None
    example = tomllib.loads(re.sub(r"^# ?", "", commented[0], flags=re.M))
    Company.model_validate(tomllib.loads((EXAMPLES / "company.toml").read_text()) | example)
