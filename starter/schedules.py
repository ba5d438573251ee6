"""One Temporal schedule per configured change feed: no overlap, jitter, made and unmade by the configuration alone."""

from datetime import timedelta

from temporalio.client import (
    Client,
    Schedule,
    ScheduleActionStartWorkflow,
    ScheduleAlreadyRunningError,
    ScheduleIntervalSpec,
    ScheduleOverlapPolicy,
    SchedulePolicy,
    ScheduleSpec,
    ScheduleState,
    ScheduleUpdate,
    ScheduleUpdateInput,
)
from temporalio.service import RPCError, RPCStatusCode

from domain import keys
from domain.feeds import ReadFeed
from starter.sections import Feed
from starter.settings import Settings, SettingsError
from workflows.change_feed import ReadChangeFeed
from workflows.options import FEED_RUN

# A firing that was missed is not made up for: the next one reads everything.
CATCH_UP = timedelta(seconds=10)


async def ensure_schedules(client: Client, settings: Settings) -> list[str]:
    """Make the schedules equal to the configured feeds; a paused one stays paused. Returns the ids of those wanted.

    May be called by anybody, at any time, at once. Raises SettingsError when Temporal refuses.
    """
    try:
        return await _ensure_all(client, settings)
    except RPCError as error:
        raise SettingsError(f"the schedules of the change feeds can't be made: {error.message}") from None


async def _ensure_all(client: Client, settings: Settings) -> list[str]:
    wanted = {keys.feed_schedule(settings.tenant, name): (name, feed) for name, feed in settings.feeds.items()}
    for schedule_id, (name, feed) in wanted.items():
        await _ensure(client, schedule_id, _schedule(settings, schedule_id, name, feed))
    for schedule_id in await _existing(client, keys.feed_schedule(settings.tenant, "")):
        if schedule_id not in wanted:
            await _remove(client, schedule_id)
    return sorted(wanted)


def _schedule(settings: Settings, schedule_id: str, name: str, feed: Feed) -> Schedule:
    return Schedule(
        action=ScheduleActionStartWorkflow(
            ReadChangeFeed.run,
            ReadFeed(feed=name),
            id=schedule_id,
            task_queue=settings.task_queue("feeds"),
            run_timeout=FEED_RUN,
            static_summary=f"read the change feed {name}",
        ),
        spec=ScheduleSpec(
            intervals=[ScheduleIntervalSpec(every=timedelta(seconds=feed.every))],
            jitter=timedelta(seconds=feed.jitter),
        ),
        policy=SchedulePolicy(overlap=ScheduleOverlapPolicy.SKIP, catchup_window=CATCH_UP),
    )


async def _ensure(client: Client, schedule_id: str, schedule: Schedule) -> None:
    def keep_state(there: ScheduleUpdateInput) -> ScheduleUpdate:
        """Whether it is paused, and the note why, are an operator's."""
        state: ScheduleState = there.description.schedule.state
        schedule.state = state
        return ScheduleUpdate(schedule)

    try:
        await client.create_schedule(schedule_id, schedule)
    except ScheduleAlreadyRunningError:
        await client.get_schedule_handle(schedule_id).update(keep_state)


async def _existing(client: Client, prefix: str) -> list[str]:
    return [found.id async for found in await client.list_schedules() if found.id.startswith(prefix)]


async def _remove(client: Client, schedule_id: str) -> None:
    try:
        await client.get_schedule_handle(schedule_id).delete()
    except RPCError as error:
        if error.status is not RPCStatusCode.NOT_FOUND:  # somebody else was quicker
            raise
