"""Who serves a region reads the portfolio and the renewals of that region, number by number: in the API, the console,
exports and at the command line."""

import asyncio
import io
import json
import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from sqlmodel import Session
from typer.testing import CliRunner

from domain.view import ForecastView, LifecycleView, Stage
from starter.cli import app as cli
from starter.settings import load_settings
from store.board import BoardRow
from tests.experience import Experience, open_experience
from tests.house import EXAMPLES
from tests.stores import lay
from tests.unit.experience.access.test_table import bearer

GERMAN, AMERICAN = "crm/REG-DE/1", "crm/REG-US/1"
TODAY = datetime.now(UTC).date()
SOON = TODAY + timedelta(days=20)
REGIONS = {"emea": ["ACME-DE"]}
PEOPLE = {"gerda": {"roles": ["operations"], "regions": ["emea"]}, "otto": {"roles": ["operations"]}}


def life(contract: str, entity: str, stage: Stage = Stage.RENEWAL, **more: Any) -> LifecycleView:
    return LifecycleView(
        contract=contract, stage=stage, account=f"A-{entity}", selling_entity=entity, risk="high", term=1,
        term_ends=SOON, renewal_date=SOON, window_opens=TODAY, forecast=ForecastView(
            term=1, category="commit", computed="commit"
        ), **more,
    )  # fmt: skip


def worth(contract: str, units: int, session: Session) -> None:
    board = session.get_one(BoardRow, contract)
    board.annual, board.currency = units * 10_000, "EUR"


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("regions")


@pytest.fixture(scope="module")
async def company(state: Path) -> AsyncIterator[Experience]:
    """One German contract worth 100 a year; two American ones, one of them late, worth 1,000 each."""
    settings = load_settings(
        EXAMPLES.parent / "tenure.toml", state_dir=state, access={"mode": "policy", "regions": REGIONS}
    )
    lay(settings.database_url)
    async with open_experience(settings.database_url, settings) as opened:
        late = life("crm/REG-US/2", "ACME-US", Stage.OUT_OF_TERM).model_copy(
            update={"renewal_date": TODAY - timedelta(days=3)}
        )
        for view in (life(GERMAN, "ACME-DE"), life(AMERICAN, "ACME-US"), late):
            await opened.publish(view)
            await opened.database.write(partial(worth, view.contract, 100 if view.contract == GERMAN else 1000))
        opened.look_later()
        yield opened


async def asked(company: Experience, region: str, path: str, **query: Any) -> Any:
    headers = await bearer(company, "admin", region)
    answer = await company.http.get(path, params=query, headers={**headers, "Accept": "*/*"})
    assert answer.status_code == 200, answer.text
    return answer


async def test_the_portfolio_counts_and_finds_what_is_of_the_region(company: Experience) -> None:
    def numbers(page: str) -> list[str]:
        return re.findall(r'class="(?:value|count)">([\d,]+)<', page)

    mine = (await asked(company, "emea", "/console")).text
    all_of_them = (await asked(company, "*", "/console")).text
    assert set(numbers(mine)) == {"1"}, "each stage, and each matter"
    assert {"2", "3"} & set(numbers(all_of_them))
    assert ("1 found" in mine, "3 found" in all_of_them) == (True, True)
    assert ("ACME-US" in mine, "ACME-US" in all_of_them) == (False, True)
    for query in ({"entity": "ACME-US"}, {"q": "REG-US"}, {"stage": "out_of_term"}):
        found = (await asked(company, "emea", "/console", **query)).text
        assert "crm/REG-US" not in found, query


async def test_renewals_are_counted_and_added_up_within_the_region(company: Experience) -> None:
    mine = (await asked(company, "emea", "/console/renewals")).text
    everybody = (await asked(company, "*", "/console/renewals")).text
    assert ("100 EUR a year" in mine, "1 found" in mine, "1 term is over" in mine) == (True, True, False)
    assert ("2,100 EUR a year" in everybody, "1 term is over" in everybody) == (True, True)
    for path in ("/api/v1/renewals", "/api/v1/lifecycles", "/api/v1/entitlements"):
        for query in ({}, {"account": "A-ACME-US"}):
            found = {each["contract"] for each in (await asked(company, "emea", path, **query)).json()["items"]}
            assert found == (set() if query else {GERMAN}), (path, query)
    accounts = (await asked(company, "emea", "/api/v1/accounts")).json()["items"]
    assert [each["account"] for each in accounts] == ["A-ACME-DE"]


@pytest.mark.parametrize("path", ["/console/lifecycles", "/console/renewals", "/api/v1/lifecycles"])
async def test_another_regions_contract_is_not_there(company: Experience, path: str) -> None:
    for region, status in (("emea", 404), ("*", 200)):
        headers = await bearer(company, "admin", region)
        assert (await company.http.get(f"{path}/{AMERICAN}", headers=headers)).status_code == status
    headers = await bearer(company, "admin", "emea")
    for way in ("eligibility", "readiness"):
        answer = await company.http.get(f"/api/v1/renewals/{AMERICAN}/{way}", headers=headers)
        assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")


@pytest.mark.parametrize("format", ["ndjson", "parquet"])
async def test_an_export_holds_the_region_alone(company: Experience, format: str) -> None:
    def contracts(answer: Any) -> set[str]:
        if format == "parquet":
            return {row["contract"] for row in pq.read_table(io.BytesIO(answer.content)).to_pylist()}
        return {json.loads(line)["contract"] for line in answer.text.splitlines()}

    path = "/api/v1/export/lifecycles"
    assert contracts(await asked(company, "emea", path, format=format)) == {GERMAN}
    assert len(contracts(await asked(company, "*", path, format=format))) == 3


async def test_so_does_the_command_line(company: Experience, state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TENURE_STATE_DIR", str(state))
    monkeypatch.setenv("TENURE_CONFIG", str(EXAMPLES.parent / "tenure.toml"))
    monkeypatch.setenv("TENURE_ACCESS__MODE", "policy")
    monkeypatch.setenv("TENURE_ACCESS__PEOPLE", json.dumps(PEOPLE))
    monkeypatch.setenv("TENURE_ACCESS__REGIONS", json.dumps(REGIONS))

    def listed(who: str, *words: str) -> set[str]:
        monkeypatch.setenv("LOGNAME", who)
        done = CliRunner().invoke(cli, ["list", *words, "--json"], catch_exceptions=False)
        assert done.exit_code == 0
        return {each["contract"] for each in json.loads(done.stdout)}

    assert await asyncio.to_thread(listed, "gerda") == {GERMAN}
    assert await asyncio.to_thread(listed, "gerda", "--stage", "out_of_term") == set()
    assert len(await asyncio.to_thread(listed, "otto")) == 3
