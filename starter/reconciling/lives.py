"""Running lifecycles, as a repair tells them."""

from temporalio.service import RPCError

from domain.changes.kinds import ChangeContract
from domain.reconciling.taking import TakeOver
from starter import changing
from starter.handles import lifecycle_handle
from starter.mistakes import Mistake
from starter.office import ANSWER, Office
from store.tables import LifecycleRow
from workflows.lifecycle import CustomerLifecycle


class OfficeLives:
    """starter.reconciling.repairs.Lives, through the office."""

    def __init__(self, office: Office) -> None:
        self._office = office

    async def take_over(self, life: LifecycleRow, command: TakeOver) -> None:
        await self._office.command(life, CustomerLifecycle.take_over, command)

    async def change(self, life: LifecycleRow, command: ChangeContract) -> None:
        await changing.make(self._office, life, command)

    async def adopt(self, workflow: str) -> LifecycleRow:
        """The row of a lifecycle that runs, by what it says of itself. Raises Mistake."""
        handle = lifecycle_handle(self._office.client, workflow)
        try:
            state = await handle.query(CustomerLifecycle.state, rpc_timeout=ANSWER)
        except RPCError as error:
            raise Mistake(f"{workflow} does not answer ({error.message})") from None
        return LifecycleRow(
            contract=state.contract,
            tenant=state.tenant,
            account=state.account,
            deal=state.deal,
            selling_entity=state.selling_entity,
            workflow_id=workflow,
            started=True,
        )
