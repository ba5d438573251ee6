"""`tenure leaders`, `leakage` and `forecasts` on a store that was measured; they need no Temporal."""

import asyncio
import json
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
import typer

from domain.view import ForecastView, Stage
from starter.cli import app
from starter.mistakes import Mistake
from starter.settings import Settings
from store.database import Database
from tests.figures import BEGIN, Books, open_books, platform
from tests.stores import lay

Tenure = Callable[..., Any]
ROOT = Path(__file__).parents[3]


async def fill(url: str) -> None:
    """One contract that is forecast and renewed, and one whose billing is forgotten; in dollars and in euros."""
    async with open_books(Database(url)) as books:
        good = await books.win("GOOD", [platform()], billed={"1": BEGIN})
        await books.change(good, forecast=ForecastView(term=1, category="commit", computed="commit"))
        await books.win("LOST", [platform()], billed={}, selling_entity="ACME-US", currency="USD")
        await books.sweep()
        await books.on(BEGIN + timedelta(days=20))
        await books.sweep()
        await _renew(books, good)
        books.database.close()


async def _renew(books: Books, contract: str) -> None:
    ends = books.views[contract].term_ends
    assert ends is not None
    await books.on(ends)
    await books.change(contract, stage=Stage.SERVING, term=2, term_starts=ends, term_ends=ends.replace(ends.year + 1))
    await books.sweep()


@pytest.fixture
def tenure(settings: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Tenure:
    company, rates = settings.state_path.parent / "company.toml", settings.state_path.parent / "rates.csv"
    text = (ROOT / "examples" / "company.toml").read_text()
    reporting = '[reporting]\nrates = "rates.csv"\nsource = "the bank"'
    company.write_text(text.replace("[reporting]", reporting))
    rates.write_text(f"Date,USD\n{BEGIN},1.25\n{BEGIN + timedelta(days=365)},1.25\n")
    monkeypatch.setenv("TENURE_STATE_DIR", str(settings.state_path))
    monkeypatch.setenv("TENURE_CONFIG", str(ROOT / "tenure.toml"))
    monkeypatch.setenv("TENURE_COMPANY", str(company))
    settings.state_path.mkdir(parents=True)
    lay(settings.database_url)
    asyncio.run(fill(settings.database_url))

    def run(*words: str, text: bool = False) -> Any:
        command = typer.main.get_command(app)
        code = command.main([*words, *([] if text else ["--json"])], standalone_mode=False, prog_name="tenure")
        assert code in (0, None)
        out = capsys.readouterr().out
        return out if text else json.loads(out)

    return run


def test_the_figures_at_the_command_line(tenure: Tenure) -> None:
    ends = date(BEGIN.year + 1, BEGIN.month, BEGIN.day)
    found = tenure("leakage")
    [leak] = found["findings"]["items"]
    assert (leak["contract"], leak["amount"], leak["currency"]) == ("crm/LOST/1", "3650.00", "USD")
    assert leak["reported"]["reported"]["rates"][0]["source"] == "the bank"
    assert tenure("leakage", "--contract", "GOOD")["findings"]["items"] == []
    assert "open: billing not started, 1 in 1 contract, 2,920.00 EUR" in tenure("leakage", text=True)

    kept = tenure("leaders", "--since", str(BEGIN), "--until", str(ends))["retention"]
    assert (kept["gross"], kept["customers"], kept["lost"]) == ("1.0000", 2, 0)
    shown = tenure("leaders", text=True)
    assert "Retention: gross 100.0 %, net 100.0 %" in shown
    assert f"1 USD = 0.8 EUR, of {BEGIN} (the bank)" in shown

    past = tenure("forecasts", "--on", str(BEGIN))
    assert [(each["contract"], each["category"], each["came"]) for each in past["renewals"]] == [
        ("crm/GOOD/1", "commit", "renewed")
    ]
    assert "100.0 %" in tenure("forecasts", "--on", str(BEGIN), text=True)

    for words, why in (
        (("forecasts", "--on", "2020-01-01"), "there is no forecast of 2020-01-01"),
        (("leakage", "--kind", "odd"), "unknown kind 'odd'; known: not-started"),
        (("leaders", "--since", "someday"), "'someday' is not a date"),
    ):
        with pytest.raises(Mistake, match=why):
            tenure(*words)


def test_a_table_of_rates_that_is_none_is_one_line(tenure: Tenure, settings: Settings) -> None:
    (settings.state_path.parent / "rates.csv").write_text("Date,USD\nyesterday,1\n")
    with pytest.raises(Mistake, match=r"reporting.rates: .*rates.csv: line 2: not a day with its rates"):
        tenure("leaders")
