"""`tenure reconcile runs` and `list` over a store of its own: what a person reads there."""

import asyncio
import json
from pathlib import Path

import pytest
from sqlmodel import Session
from typer.testing import CliRunner

from domain.reconciling.difference import Found
from starter.cli import app
from starter.mistakes import Mistake
from store.database import Database
from store.difference_tables import ReconciliationRow
from store.differences import Compared, record
from store.reconciliations import QUIET, Reconciliations
from store.tables import utc_now
from tests.house import EXAMPLES
from tests.stores import lay


@pytest.fixture
def database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Database:
    (tmp_path / "tenure.toml").write_text(f'state_dir = "state"\ncompany = "{EXAMPLES / "company.toml"}"\n')
    (tmp_path / "state").mkdir()
    monkeypatch.setenv("TENURE_CONFIG", str(tmp_path / "tenure.toml"))
    monkeypatch.setenv("COLUMNS", "200")
    url = f"sqlite:///{tmp_path / 'state' / 'store.db'}"
    lay(url)
    return Database(url)


def tenure(*words: str) -> str:
    done = CliRunner().invoke(app, list(words), catch_exceptions=False)
    assert done.exit_code == 0
    return done.stdout


async def three_runs(database: Database) -> None:
    """One that ended, one whose process has died, and one that goes on."""
    runs = Reconciliations(database)
    await runs.end(await runs.begin(), contracts=7, sources=[])
    died, _ = await runs.begin(), await runs.begin()

    def long_ago(session: Session) -> None:
        session.get_one(ReconciliationRow, died).started_at = utc_now() - 2 * QUIET

    await database.write(long_ago)


def test_how_the_runs_stand(database: Database) -> None:
    assert "no run yet" in tenure("reconcile", "runs")
    asyncio.run(three_runs(database))
    assert "broken off: its process has died: the last word of it came at" in tenure("reconcile", "runs")
    told = json.loads(tenure("reconcile", "runs", "--json"))
    assert [each["state"] for each in told] == ["under_way", "broken_off", "ended"]


def test_differences_are_counted_as_people_count(database: Database) -> None:
    assert "0 differences" in tenure("reconcile", "list")
    one = Found(kind="erp_quantity", subject="1", sentence="3, not 4", contract="c/1/1", account="a1")
    database.write_sync(lambda session: record(session, [one], Compared(systems=("erp",), contracts=("c/1/1",))))
    assert tenure("reconcile", "list").splitlines()[-1] == "1 difference"


@pytest.mark.parametrize(
    ("words", "mistake"),
    [
        (("list", "--status", "shut"), "unknown status 'shut'; known: open, ignored"),
        (("list", "--class", "prices"), "unknown class 'prices'; known: missing"),
        (("list", "--kind", "erp"), "unknown kind 'erp'"),
        (("list", "--owner", "bob"), "unknown owner 'bob'; known: csm"),
        (("repair", "diff-1", "--by", "magic", "--reason", "r"), "unknown way 'magic'; known: redrive, accept, link"),
    ],
)
def test_a_word_that_finds_nothing_is_a_mistake(database: Database, words: tuple[str, ...], mistake: str) -> None:
    with pytest.raises(Mistake, match=mistake):
        tenure("reconcile", *words)
