"""One reading of a change feed, started by its schedule. What it holds is in the store: a run remembers nothing."""

from temporalio import workflow
from temporalio.exceptions import ActivityError, is_cancelled_exception

from workflows import options
from workflows.lanes import reason_of

with workflow.unsafe.imports_passed_through():
    from activities.feeds import FeedActivities
    from domain.feeds import FeedFailed, FeedRead, ReadFeed

ATTEMPTS_OF_A_RUN = 20  # what is left then is the next firing's


@workflow.defn(name="ReadChangeFeed")
class ReadChangeFeed:
    """Reads a feed to its end. The schedule never lets two runs overlap; if they do, the store lets one win."""

    @workflow.run
    async def run(self, asked: ReadFeed) -> FeedRead:
        read = FeedRead(more=True)
        for _ in range(ATTEMPTS_OF_A_RUN):
            read = read.then(await self._read(asked))
            if not read.more:
                break
        workflow.set_current_details(str(read))
        return read

    async def _read(self, asked: ReadFeed) -> FeedRead:
        try:
            return await workflow.execute_activity_method(
                FeedActivities.read, asked, **options.feed(f"read the feed {asked.feed}")
            )
        except ActivityError as error:
            if not is_cancelled_exception(error):
                kind, reason = reason_of(error)
                failed = FeedFailed(feed=asked.feed, kind=kind, reason=reason)
                await workflow.execute_local_activity_method(FeedActivities.failed, failed, **options.STORE)
            raise
