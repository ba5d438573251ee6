"""What is decided but not done: a stage that only observes, a lifecycle in shadow, a record outside that nobody knows.

A withheld step counts as done somewhere else, so that the life goes on as it would; what stands in the place of the
record's id says that there is none of ours.
"""

from datetime import datetime

from domain import calendar, outcomes
from domain.policies.stages import policy_of
from domain.standins import OFF, WITHHELD
from domain.state import LifecycleState, Withheld
from domain.steps import Performed, StartBilling, Step

REFERENCES = ("customer", "subscription", "company")
"""Fields of steps that name a record outside which an earlier step has made."""


def completed(state: LifecycleState, step: Step) -> Step:
    """The step with the records that became known after it was decided."""
    known = {name: ref for name in REFERENCES if getattr(step, name, None) == "" and (ref := getattr(state, name))}
    return step.model_copy(update=known) if known else step


def ruling(state: LifecycleState, step: Step) -> str | None:
    """Why a step is not performed, in a word that a person understands; None: it is."""
    chosen = policy_of(step, state.stages, state.mode)
    if chosen == "act":
        lacks = [name for name in REFERENCES if getattr(step, name, None) == ""]
        return f"no {lacks[0]} is known" if lacks else None
    return "shadow" if state.mode == "shadow" and chosen == "observe" else chosen


def withhold(state: LifecycleState, step: Step, why: str, now: datetime, performed: Performed | None = None) -> None:
    """Go on as if the step had been done by somebody else, and record it; of a stage that is off nothing is recorded.

    `performed`: what is known all the same, such as the risk that would have been shown.
    """
    day = calendar.civil_date(now, state.zone)
    if why != OFF:
        due = min(day, step.starts) if isinstance(step, StartBilling) else day
        state.withheld[step.key] = Withheld(step=step, on=due, why=why, title=outcomes.title(step))
    outcomes.done(state, step, performed or Performed(id=OFF if why == OFF else WITHHELD), now)
