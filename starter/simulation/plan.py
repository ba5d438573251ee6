"""What a simulation takes for granted: the onboarding plan's milestones are reached on its days."""

from datetime import date, timedelta

from domain.company import Company
from domain.messages import MilestoneReached
from domain.ports import OnboardingTask
from domain.state import LifecycleState
from starter.simulation.script import Entry, Script


def with_plan(script: Script, company: Company, begins: date, *, state: LifecycleState | None = None) -> Script:
    """The script, with the milestones that it does not name: each on the day that the plan, which began with the
    activation, says; or the day after `begins`, where that is over."""
    if script.milestones == "none":
        return script
    named = {each.what.milestone for each in script.entries if isinstance(each.what, MilestoneReached)}
    reached = set(state.milestones) if state else set()
    launched = (state.activated_on if state else None) or begins
    planned = []
    for task in company.onboarding.tasks:
        if task.milestone and task.milestone not in named | reached:
            day = launched + timedelta(days=task.due_in_days)
            on = day if state is None else max(day, begins + timedelta(days=1))
            what = MilestoneReached(milestone=task.milestone, on=on)
            planned.append(Entry(number=0, on=on, update="deliver", what=what))
    return script.model_copy(update={"entries": (*planned, *script.entries)})


def open_tasks(company: Company, state: LifecycleState) -> list[OnboardingTask]:
    """The tasks of the plan behind the last milestone that was reached."""
    tasks = list(company.onboarding.tasks)
    done = [number for number, task in enumerate(tasks, 1) if task.milestone in state.milestones]
    return tasks[max(done, default=0) :]
