"""`tenure replay-check`: the histories that a real server holds are lived again, and none of them is woken."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import typer

import starter.replaying
from domain import keys
from domain.calendar import civil_date
from domain.messages import EndContract
from starter.cli import app
from starter.mistakes import Mistake
from starter.replaying import Checked, Choice, Red, check_cluster
from store.migrate import migrate
from tests.house import House
from tests.workflow.lives import eventually, history_length, onboarding, settled_length
from workflows.lifecycle import CustomerLifecycle

ROOT = Path(__file__).parents[2]


async def checked(house: House, choice: Choice) -> list[Checked]:
    return [each async for each in check_cluster(house.client, choice)]


async def test_an_open_life_is_lived_again_and_not_woken(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    life = await onboarding(house)
    length = await settled_length(life)
    chosen = Choice(workflow_id=life.handle.id)
    [seen] = await checked(house, chosen)
    assert (seen.red, seen.gone, seen.events) == (None, False, length)

    # what the tail of an open history asked for is compared too, and no value of it is told
    with monkeypatch.context() as changed:
        changed.setattr(keys, "onboarding", lambda contract: f"plan:{contract}")
        [seen] = await checked(house, chosen)
    assert seen.red is not None
    assert seen.red.of == life.contract
    assert "cs.launch_onboarding" in seen.red.what
    assert "plan:" in seen.red.values
    assert "plan:" not in seen.red.what
    assert "workflow.patched" in seen.red.advice
    assert await history_length(life) == length

    view = await life.view()
    assert view.as_of is not None
    on = civil_date(view.as_of, view.zone)
    await life.handle.execute_update(CustomerLifecycle.end, EndContract(by="csm", reason="moved away", on=on))
    await life.handle.result()
    hour = datetime.now(UTC) - timedelta(hours=1)

    async def seen_as_closed() -> bool:  # visibility follows a moment after
        closed = await checked(house, Choice(since=hour, workflow_id=life.handle.id))
        return not await checked(house, chosen) and [each.red for each in closed] == [None]

    await eventually(seen_as_closed)


@pytest.fixture
def machine(house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A command line that knows this server, and a store of its own."""
    state = tmp_path / "state"
    state.mkdir()
    migrate(f"sqlite:///{state / 'tenure.db'}")
    monkeypatch.setenv("TENURE_STATE_DIR", str(state))
    monkeypatch.setenv("TENURE_CONFIG", str(ROOT / "tenure.toml"))
    monkeypatch.setenv("TEMPORAL_ADDRESS", str(house.client.service_client.config.target_host))
    monkeypatch.setenv("TEMPORAL_CONFIG_FILE", str(tmp_path / "no-such-profile.toml"))


async def tenure(*words: str) -> int:
    """The command's exit code, given beside this test's loop."""

    def give() -> Any:
        try:
            return typer.main.get_command(app).main(list(words), prog_name="tenure", standalone_mode=False) or 0
        except typer.Exit as leaving:
            return leaving.exit_code

    return int(await asyncio.to_thread(give))


@pytest.mark.usefixtures("machine")
async def test_the_command_tells_each_that_differs_in_one_line_and_shows_no_value(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: list[Choice] = []

    async def found(_: object, choice: Choice) -> AsyncIterator[Checked]:
        asked.append(choice)
        yield Checked("lifecycle/acme/crm/1/1", "run-1", 40)
        yield Checked("lifecycle/acme/crm/2/1", "run-2", 60, Red("crm/2/1", "timer (timer 3) is moved", " was s3cret"))
        yield Checked("lifecycle/acme/crm/3/1", "run-3", 0, gone=True)

    monkeypatch.setattr(starter.replaying, "check_cluster", found)
    assert await tenure("replay-check", "--days", "3", "--limit", "10") == 1
    told = capsys.readouterr()
    [red, counted] = told.out.splitlines()
    assert red.startswith("crm/2/1: timer (timer 3) is moved; keep the old way for it: ")
    assert counted == "2 histories of 100 events lived again, 1 of them differ, 1 were deleted meanwhile"
    assert "s3cret" not in told.out + told.err
    assert asked[0].limit == 10
    assert asked[0].since is not None
    assert "CloseTime" in asked[0].query

    assert await tenure("replay-check", "--json") == 1
    answer = json.loads(capsys.readouterr().out)
    assert (answer["checked"], answer["red"], answer["first"][0]["contract"]) == (2, 1, "crm/2/1")
    assert "CloseTime" not in asked[1].query


@pytest.mark.usefixtures("machine")
async def test_the_command_asks_the_real_server(capsys: pytest.CaptureFixture[str]) -> None:
    assert await tenure("replay-check", "--limit", "1", "--json") == 0
    assert json.loads(capsys.readouterr().out)["checked"] <= 1
    with pytest.raises(Mistake, match="give one of them"):
        await tenure("replay-check", "--days", "1", "--since", "2026-01-01")
    with pytest.raises(Mistake, match="still to come"):
        await tenure("replay-check", "--since", "2999-01-01")
