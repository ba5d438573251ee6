"""The backlog: what came in and waits, what is dead, how long outside systems take, what subscribers have not got."""

import math
from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from pydantic import BaseModel
from sqlmodel import Session

from domain.call_times import CallTimes
from experience.reading.frame import Answer
from store.call_times import call_times
from store.database import now
from store.figures import Queues, queues
from store.flow import HOUR, answered_within, effects_within, received_by_hour
from store.freezing import EVERYTHING, frozen

HOURS = 24


class SourceFlow(BaseModel):
    """What one source sent. `hours`: how many events in each of the last 24 hours, the present one last. `median` and
    `p95`: seconds from their arrival until the lifecycle had answered, of those that were answered in these hours."""

    source: str
    hours: list[int]
    received: int
    waiting: int
    oldest_seconds: float
    median: float | None
    p95: float | None


class ConnectionLatency(BaseModel):
    """The effects of one outside system in these hours. `median` and `p95`: seconds that a call took there, as
    precise as the classes are in which all processes count them. `under_way`: claimed or sent, and not done. `frozen`:
    why nothing is sent there; null where it is."""

    connection: str
    done: int
    refused: int
    under_way: int
    median: float | None
    p95: float | None
    frozen: str | None


class DeadLetters(BaseModel):
    """Events that can't be used, and why. Each has an open case."""

    problem: str
    events: int


class SubscriberBacklog(BaseModel):
    """What a subscriber of our events has not got yet. `held`: waits for a person."""

    subscriber: str
    pending: int
    held: int
    oldest_seconds: float | None
    problem: str


class FeedLag(BaseModel):
    """A change feed: seconds since it was last read to its end (null: never), and how often it had forgotten events."""

    feed: str
    lag_seconds: float | None
    gaps: int


class Backlog(Answer):
    """`parked`: events that wait until their contract is known. `refused`: deliveries that a lifecycle refused."""

    since: datetime
    sources: list[SourceFlow]
    connections: list[ConnectionLatency]
    dead: list[DeadLetters]
    parked: int
    refused: int
    feeds: list[FeedLag]
    subscribers: list[SubscriberBacklog]


def backlog(
    session: Session,
    at: datetime,
    *,
    connections: tuple[str, ...],
    feeds: tuple[str, ...] = (),
    subscribers: tuple[str, ...] = (),
) -> Backlog:
    """As of `at`, of the connections, feeds and subscribers that are configured."""
    since = at.astimezone(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(hours=HOURS - 1)
    found = queues(session, subscribers, feeds)
    clock = now(session)
    return Backlog(
        since=since,
        sources=_sources(session, since, found),
        connections=_connections(session, since, connections),
        dead=[DeadLetters(problem=problem, events=events) for problem, events in sorted(found.dead.items())],
        parked=found.parked,
        refused=found.open_deliveries["refused"],
        feeds=[
            FeedLag(feed=name, lag_seconds=each.lag if math.isfinite(each.lag) else None, gaps=each.gaps)
            for name, each in sorted(found.feeds.items())
        ],
        subscribers=[
            SubscriberBacklog(
                subscriber=each.name,
                pending=each.pending,
                held=each.held,
                oldest_seconds=each.oldest,
                problem=each.problem,
            )
            for each in found.backlogs
        ],
        freshness={"inbox": at, "ledger": at}
        | {
            f"feed {name}": datetime.fromtimestamp(clock - each.lag, UTC) if math.isfinite(each.lag) else None
            for name, each in sorted(found.feeds.items())
        },
    )


def _sources(session: Session, since: datetime, found: Queues) -> list[SourceFlow]:
    received, took, waiting = received_by_hour(session, since), answered_within(session, since), found.waiting
    first = int(since.timestamp()) // HOUR
    return [
        SourceFlow(
            source=source,
            hours=[received[source][first + n] for n in range(HOURS)] if source in received else [0] * HOURS,
            received=received[source].total() if source in received else 0,
            waiting=waiting[source].events if source in waiting else 0,
            oldest_seconds=waiting[source].oldest if source in waiting else 0.0,
            median=percentile(took.get(source, ()), 0.5),
            p95=percentile(took.get(source, ()), 0.95),
        )
        for source in sorted({*received, *took, *waiting})
    ]


def _connections(session: Session, since: datetime, configured: tuple[str, ...]) -> list[ConnectionLatency]:
    found, cold = effects_within(session, since), frozen(session)
    took = call_times(session, last=HOURS * HOUR)
    return [
        ConnectionLatency(
            connection=name,
            done=(states := found.get(name, Counter()))["DONE"],
            refused=states["REFUSED"],
            under_way=states["CLAIMED"] + states["SENT"],
            median=(calls := took.get(name, CallTimes())).within(0.5),
            p95=calls.within(0.95),
            frozen=cold.get(name, cold.get(EVERYTHING)),
        )
        for name in dict.fromkeys((*configured, *sorted({*found, *took})))
    ]


def percentile(values: Iterable[float], share: float) -> float | None:
    """The value that `share` of all don't exceed; None of nothing."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else None
