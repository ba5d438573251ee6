"""What a lifecycle is told when a difference is repaired: which record is meant, and what was done outside already."""

from datetime import date, datetime
from typing import Literal

from domain import keys, outcomes
from domain.base import Tolerant
from domain.commands import check_open
from domain.reactions import decide
from domain.refused import Refused
from domain.state import Decision, LifecycleState
from domain.steps import Performed, Step
from domain.withholding import REFERENCES


class DoneOutside(Tolerant):
    """A step that somebody else has done, and the record that came of it."""

    step: Step
    id: str
    on: date | None = None


class TakeOver(Tolerant):
    """`links`: the record outside that a key stands for from now on. `done`: steps that are not to be done any more.
    `decision`: of the running term, as it was made outside. `ends_on`: the first day not served, where it has ended
    there. Said again, it changes nothing."""

    by: str
    reason: str
    links: dict[str, str] = {}
    done: list[DoneOutside] = []
    decision: Literal["renew", "end"] | None = None
    ends_on: date | None = None


def check(state: LifecycleState, command: TakeOver, today: date) -> None:
    check_open(state)
    if not command.reason.strip():
        raise Refused("what is taken over from outside needs a reason")
    if unknown := [key for key in command.links if key not in state.effects]:
        raise Refused(f"nothing was done under {unknown[0]}: there is no record to be replaced")
    for each in command.done:
        known = state.effects.get(each.step.key)
        if known is not None and known != each.id:
            raise Refused(f"{each.step.key} is done already ({known})")
    if command.decision is not None:
        decide(state.model_copy(), _decision(command, command.decision, today))
    if command.ends_on is not None and state.ends_on not in (None, command.ends_on):
        raise Refused(f"the contract ends on {state.ends_on} already")


def take(state: LifecycleState, command: TakeOver, today: date, now: datetime) -> str:
    """Answers in words."""
    for key, id in command.links.items():
        _link(state, key, id)
    for each in command.done:
        if each.step.key not in state.effects:
            outcomes.done(state, each.step, Performed(id=each.id, on=each.on), now)
    if command.decision is not None:
        decide(state, _decision(command, command.decision, today))
    if command.ends_on is not None and state.ends_on is None:
        outcomes.ended(state, command.ends_on, today, f"{command.reason} ({command.by})")
    return "taken over"


def _link(state: LifecycleState, key: str, id: str) -> None:
    former = state.effects[key]
    state.effects[key] = id
    if key == keys.subscription(state.leg_id):
        state.renewed_as = None
    for step in (*state.queue, *state.doubts.values()):
        for name in REFERENCES:
            if getattr(step, name, None) == former:
                setattr(step, name, id)


def _decision(command: TakeOver, outcome: Literal["renew", "end"], today: date) -> Decision:
    return Decision(outcome=outcome, by=command.by, on=today)
