"""`tenure replay-check`: the histories that a real server holds are lived again, and none of them is woken."""

import pytest

from domain import keys
from starter.replaying import Choice, check_cluster
from tests.house import House
from tests.workflow.lives import history_length, onboarding, settled_length


async def test_an_open_life_is_lived_again_and_not_woken(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    life = await onboarding(house)
    length = await settled_length(life)
    chosen = Choice(workflow_id=life.handle.id)
    [checked] = [each async for each in check_cluster(house.client, chosen)]
    assert (checked.red, checked.gone, checked.events) == (None, False, length)

    # what the tail of an open history asked for is compared too, and no value of it is told
    monkeypatch.setattr(keys, "onboarding", lambda contract: f"plan:{contract}")
    [checked] = [each async for each in check_cluster(house.client, chosen)]
    assert checked.red is not None
    assert checked.red.of == life.contract
    assert "cs.launch_onboarding" in checked.red.what
    assert "plan:" in checked.red.values
    assert "plan:" not in checked.red.what
    assert "workflow.patched" in checked.red.advice
    assert await history_length(life) == length
