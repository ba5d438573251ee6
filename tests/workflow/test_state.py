"""The whole state of a running lifecycle can be read, and reading it leaves no trace in the history."""

from domain.state import LifecycleState
from tests.house import House
from tests.workflow.lives import serving, settled_length
from workflows.lifecycle import CustomerLifecycle


async def test_the_state_is_answered_whole_and_the_history_stays_as_it_was(house: House) -> None:
    life = await serving(house)
    before = await settled_length(life)

    state = await life.handle.query(CustomerLifecycle.state)

    assert isinstance(state, LifecycleState)
    view = await life.view()
    assert state.contract == life.contract
    assert state.effects == view.effects
    assert state.known.lines
    assert state.milestones == view.milestones
    assert await settled_length(life) == before
