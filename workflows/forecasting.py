"""A forecast by hand: what a CSM expects of the renewal, beside what the facts say."""

from temporalio import workflow

from workflows.modes import ModeMessages
from workflows.refusing import refuse

with workflow.unsafe.imports_passed_through():
    from domain import prospects
    from domain.commands import check_open
    from domain.messages import CommandAnswer, ForecastRenewal


class ForecastMessages(ModeMessages):
    """How a CSM forecasts."""

    @workflow.update
    def forecast(self, command: ForecastRenewal) -> CommandAnswer:
        """It stands until it is withdrawn, or the renewal is decided."""
        return self._answer(prospects.take_forecast(self._state, command, self._today()))

    @forecast.validator
    def _check_forecast(self, command: ForecastRenewal) -> None:
        def check() -> None:
            check_open(self._state)
            prospects.check_forecast(self._state, command)

        refuse(check)
