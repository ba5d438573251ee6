"""What somebody expects of a renewal is told to its lifecycle, from whatever client."""

from domain.messages import CommandAnswer, ForecastRenewal
from starter.office import Office
from store.tables import LifecycleRow
from workflows.lifecycle import CustomerLifecycle


async def forecast(office: Office, life: LifecycleRow, command: ForecastRenewal) -> CommandAnswer:
    """Raises Refusal with the lifecycle's reason, Mistake when nobody answers."""
    return await office.command(life, CustomerLifecycle.forecast, command)
