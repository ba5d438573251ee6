"""What a repaired difference tells the lifecycle: the outside as it is."""

from temporalio import workflow

from workflows.forecasting import ForecastMessages
from workflows.refusing import refuse

with workflow.unsafe.imports_passed_through():
    from domain.messages import CommandAnswer
    from domain.reconciling import taking
    from domain.reconciling.taking import TakeOver


class ReconcilingMessages(ForecastMessages):
    """The last of the handlers: CustomerLifecycle has them all."""

    @workflow.update
    def take_over(self, command: TakeOver) -> CommandAnswer:
        """Another record outside is meant, or something was done there; nothing is performed for it."""
        return self._answer(taking.take(self._state, command, self._today(), self._now()))

    @take_over.validator
    def _check_take_over(self, command: TakeOver) -> None:
        refuse(lambda: taking.check(self._state, command, self._today()))
