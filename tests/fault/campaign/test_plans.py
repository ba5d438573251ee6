"""The campaign's plans: the same from the same seed, complete over many rounds, and made smaller until minimal."""

from bench.faults.audit import Finding
from bench.faults.campaign import campaign, smallest
from bench.faults.plan import DRILLS, PLACES, Plan, rounds
from bench.faults.round import Played


def silent(_: str) -> None:
    pass


def failing_with(*guilty: str) -> tuple[list[Plan], object]:
    """Rounds that fail when all of these faults are in the plan; what was played."""
    played: list[Plan] = []

    async def plays(plan: Plan) -> Played:
        played.append(plan)
        there = {str(fault) for fault in plan.faults}
        return Played(plan, [Finding("missing", "c", "it")] if there >= set(guilty) else [])

    return played, plays


def test_the_same_seed_makes_the_same_plans_and_a_plan_can_be_said_again() -> None:
    assert rounds(7, 500) == rounds(7, 500)
    assert rounds(7, 500) != rounds(8, 500)
    assert [Plan.loads(plan.dumps()) for plan in rounds(7, 500)] == rounds(7, 500)


def test_a_long_campaign_dies_at_every_place_and_has_every_drill() -> None:
    plans = rounds(7, 2000)
    points = {(each.what, each.more["boundary"]) for plan in plans for each in plan.of("die")}
    assert points == set(PLACES)
    assert {each.what for plan in plans for each in plan.of("drill")} == set(DRILLS) - {""}
    assert {plan.postgres for plan in plans} == {True, False}


async def test_a_plan_that_fails_is_made_as_small_as_what_fails() -> None:
    [plan] = rounds(7, 100)
    guilty = [str(plan.faults[3]), str(plan.faults[-2])]
    _, plays = failing_with(*guilty)
    small = await smallest(plan, plays, 60, silent)  # type: ignore[arg-type]  # a tuple of a test holds it
    assert sorted(map(str, small.faults)) == sorted(guilty)


async def test_a_plan_that_fails_without_any_fault_is_said_to_need_none() -> None:
    [plan] = rounds(7, 100)
    _, plays = failing_with()
    assert (await smallest(plan, plays, 60, silent)).faults == ()  # type: ignore[arg-type]  # as above


async def test_no_more_is_tried_than_was_asked_for() -> None:
    [plan] = rounds(7, 100)
    played, plays = failing_with("never")
    await smallest(plan, plays, 3, silent)  # type: ignore[arg-type]  # as above
    assert len(played) == 3


async def test_a_campaign_ends_with_the_first_round_that_fails() -> None:
    plans = rounds(7, 600)
    played, plays = failing_with(str(plans[1].faults[0]))
    report = await campaign(7, plans, plays, tries=50, say=silent)  # type: ignore[arg-type]  # as above
    assert [each.plan for each in report.rounds] == plans[:2]
    assert report.minimal is not None
    assert report.minimal.faults == plans[1].faults[:1]
    assert len(played) > 2
