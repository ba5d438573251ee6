"""A click on the Temporal UI's cancel button must not leave a customer who is billed and forgotten."""

from domain.calendar import civil_date
from domain.messages import EndContract, RetryStep
from domain.outcomes import CANCEL_CASE
from domain.view import Stage
from tests.house import House
from workflows.lifecycle import CustomerLifecycle


async def test_a_cancel_request_opens_a_case_and_the_lifecycle_goes_on(house: House) -> None:
    life = await house.start(house.payload("salesforce_new_hooli"))
    await life.until(lambda view: view.stage is Stage.ONBOARDING)
    await life.handle.cancel()
    view = await life.until(lambda view: any(case.id == CANCEL_CASE for case in view.cases))
    assert view.stage is Stage.ONBOARDING

    await life.handle.execute_update(CustomerLifecycle.retry_step, RetryStep(case=CANCEL_CASE, by="ops"))
    assert view.as_of is not None
    today = civil_date(view.as_of, view.zone)
    await life.handle.execute_update(CustomerLifecycle.end, EndContract(by="ops", reason="on purpose", on=today))
    outcome = await life.handle.result()
    assert (outcome.outcome, outcome.reason) == ("ended", "on purpose (ops)")
    assert (await house.box())["counts"]["erp"]["endings"] == 1
