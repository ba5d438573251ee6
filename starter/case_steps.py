"""Cases that a lifecycle projects: what it waits for it tries, or gives up, itself, as `tenure fix --retry` does."""

from domain.messages import RetryStep
from starter.case_desk import CaseDesk
from starter.office import Office
from store.tables import CaseRow
from workflows.lifecycle import CustomerLifecycle


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
