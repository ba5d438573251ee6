"""Activities on our own store, run locally."""

from temporalio import activity

from activities.boundary import temporal_failures
from domain.ports import ViewRow, Views


class DeskActivities:
    """Publishes what people see."""

    def __init__(self, views: Views) -> None:
        self._views = views

    @activity.defn(name="desk.publish")
    async def publish(self, row: ViewRow) -> None:
        """Write the view; an older one never wins."""
        with temporal_failures():
            await self._views.publish(row)
