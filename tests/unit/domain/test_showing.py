"""What a step leaves behind is worked out from a packed state as the workflow works it out itself."""

from datetime import UTC, datetime, timedelta

from domain import outcomes, projection
from domain.books import Shows
from domain.showing import face, packed, view_after
from domain.state import LifecycleState
from domain.steps import Performed, StartBilling
from tests.states import live

NOW = datetime(2027, 3, 1, 8, tzinfo=UTC)


def step_of(state: LifecycleState) -> StartBilling:
    line = state.known.lines[0]
    return StartBilling(
        key=f"billing-start:{line.id}", subscription="sub_1", line=line.id, starts=NOW.date(), accepted_on=NOW.date()
    )


def test_the_view_after_a_step_is_the_one_that_the_workflow_has_then() -> None:
    state = live()
    step = step_of(state)
    state.queue.append(step)
    before = packed(state)
    performed = Performed(id="bs_1", on=NOW.date())
    seen = view_after(Shows(run_started=NOW, sequence=7, state=before), step, performed, NOW)
    assert packed(state) == before, "nobody's state is changed by looking ahead"
    outcomes.done(state, step, performed, NOW)
    assert seen == projection.view(state, NOW)
    assert face(seen) == face(projection.view(state, NOW))
    assert seen.effects[step.key] == "bs_1"


def test_only_time_is_no_news() -> None:
    state = live()
    seen = projection.view(state, NOW)
    later = seen.model_copy(update={"as_of": NOW + timedelta(seconds=1), "last_seq": 99})
    assert face(later) == face(seen)
    assert face(seen.model_copy(update={"risk": "high"})) != face(seen)


def test_a_packed_state_is_small() -> None:
    state = live()
    assert len(packed(state)) < len(state.model_dump_json()) / 2
