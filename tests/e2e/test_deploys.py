"""The small form of the drill (`python -m bench deploys` has the large one): five versions over running lifecycles."""

from pathlib import Path

import pytest

from bench.deploying import LAST, drill
from bench.storm import Storm

SEED = 7


@pytest.mark.timeout(600)
@pytest.mark.parametrize("pinned", [pytest.param(False, id="in place"), pytest.param(True, id="pinned")])
async def test_five_versions_are_rolled_over_and_taken_back_and_every_life_ends_right(
    tmp_path: Path, pinned: bool
) -> None:
    plan = Storm(SEED, contracts=4, events=40, per_second=2, copies=1, window=1, patience=240)
    found = await drill(tmp_path, plan, pinned=pinned, paths=["happy"], gated=[LAST], dies_after=4)
    assert found.differences == [], found.verdict
    assert list(found.seconds) == [*(f"version {n}" for n in range(1, LAST + 1)), "back to 2", f"version {LAST} again"]
    assert found.broken_off
    assert (found.left, found.stuck) == (0, 0)
    assert found.open == found.kept == 2 * plan.contracts
    assert "tenure: the replay gate is red, nothing was deployed: " in found.refusal
    assert found.refusal.count("\n") == 1
    assert found.standing["pinned"] is pinned
    assert (found.standing["open"], found.standing["stuck"]) == (2 * plan.contracts, [])
    at = {each["build"]: each for each in found.standing["versions"]}
    assert at[found.standing["build"]]["works"]
    if pinned:
        assert at[found.standing["build"]]["lifecycles"] == 2 * plan.contracts
        assert {each["build"] for each in at.values() if each["status"] == "current"} == {found.standing["build"]}
    else:
        assert found.standing["visited"] == 2 * plan.contracts
    once = {kind: found.effects[kind] for kind in ("customers", "subscriptions", "activations", "companies", "plans")}
    assert set(once.values()) == {plan.contracts}, found.effects
