"""Cases that a lifecycle projects: what it waits for it tries, or gives up, itself, as `tenure fix --retry` does."""

from domain.errors import InDoubt
from domain.messages import RetryStep
from starter.case_desk import CaseDesk
from starter.mistakes import Mistake
from starter.office import Office
from store.tables import CaseRow
from workflows.lifecycle import CustomerLifecycle


def check_among_many(case: CaseRow) -> None:
    """Whether a case may be tried together with others. To try what is in doubt is to say that it was not done, and
    nobody has looked for many at once. Raises Mistake."""
    if case.kind == InDoubt.kind.lower():
        raise Mistake("it may have been done: look outside, and answer for it alone")


async def move_on(office: Office, case: CaseRow, by: str, *, give_up: str | None = None) -> str:
    """Have the step tried now, or, with the reason why, given up. The case goes when the lifecycle's view says so.

    Returns the lifecycle's answer. Raises Mistake with its reason when it refuses.
    """
    life = await office.find(case.contract or "")
    step = case.id.removeprefix(f"{case.contract}:")
    command = RetryStep(case=step, by=by, drop=give_up is not None)
    answer = await office.command(life, CustomerLifecycle.retry_step, command)
    what = "retried" if give_up is None else f"given up: {give_up}"
    await CaseDesk(office.database).record(case.id, by, what, f"{give_up} ({by})" if give_up else "")
    return answer.message
