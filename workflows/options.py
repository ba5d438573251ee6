"""Activity options, in one place. What retries, how often, and how long one attempt may take."""

from datetime import timedelta

from temporalio.common import Priority, RetryPolicy
from temporalio.workflow import ActivityConfig, LocalActivityConfig, info

# The longest total deadline D that a connection may declare. An attempt may take 2 D + 5 s, so that Temporal never
# starts a second one while the first can still send; it is also how long a killed worker's attempt goes unnoticed.
LONGEST_DEADLINE = timedelta(seconds=5)
ATTEMPT = 2 * LONGEST_DEADLINE + timedelta(seconds=5)

# How long an attempt may wait for its connection's limit, before it begins. It heartbeats meanwhile and begins with a
# heartbeat: from then on, and where there is no wait, the heartbeat timeout is what bounds the attempt.
TURN = timedelta(minutes=10)

# Five attempts within about a minute; then the lifecycle waits on its own timer, with an open case.
EFFECT = ActivityConfig(
    start_to_close_timeout=TURN + ATTEMPT,
    heartbeat_timeout=ATTEMPT,
    retry_policy=RetryPolicy(
        initial_interval=timedelta(seconds=1),
        backoff_coefficient=3,
        maximum_interval=timedelta(minutes=1),
        maximum_attempts=5,
    ),
)

# With a case open already: look whether the system is back, and have room for one "busy, in 2 s".
PROBE = ActivityConfig(
    start_to_close_timeout=TURN + ATTEMPT,
    heartbeat_timeout=ATTEMPT,
    retry_policy=RetryPolicy(initial_interval=timedelta(seconds=1), maximum_attempts=2),
)

# A reading for the readiness view: a source that is down, or whose queue nobody serves, is marked stale, it does not
# hold the picture up for longer than a day on which all renew may take: thousands read at an ERP's limit.
READING = ActivityConfig(
    start_to_close_timeout=TURN + ATTEMPT,
    heartbeat_timeout=ATTEMPT,
    schedule_to_close_timeout=timedelta(hours=1),
    retry_policy=RetryPolicy(initial_interval=timedelta(seconds=1), maximum_attempts=2),
)

# All of them in one activity: each source has its own turn, its own time and a second try in there.
LOOKS = "looks"
LOOK = READING

# Our own store. Local: no round trip through the server, not rate-limited.
STORE = LocalActivityConfig(
    start_to_close_timeout=timedelta(seconds=10),
    retry_policy=RetryPolicy(initial_interval=timedelta(milliseconds=200), maximum_interval=timedelta(seconds=30)),
)

# A change feed. Each page is a heartbeat, so that a worker's death costs half a minute, not the whole back-fill.
FEED = ActivityConfig(
    start_to_close_timeout=timedelta(minutes=10),
    heartbeat_timeout=timedelta(seconds=30),
    retry_policy=RetryPolicy(
        initial_interval=timedelta(seconds=1), maximum_interval=timedelta(seconds=30), maximum_attempts=5
    ),
)
FEED_RUN = timedelta(hours=1)  # a run that nobody works on must not hold the next ones up for ever

# After a failure that stays, the lifecycle tries again by itself: 1 minute, doubling to 6 hours.
FIRST_RETRY = timedelta(minutes=1)
LONGEST_RETRY = timedelta(hours=6)

# A source that did not answer for a renewal is asked again: in 15 minutes, then four times as long each time, to a day.
FIRST_ASK = timedelta(minutes=15)
LONGEST_ASK = timedelta(days=1)

# While a connection is frozen nothing can be expected: the dispatcher has the step tried again after the thaw, and this
# is for the case that nobody does.
WHILE_FROZEN = timedelta(minutes=10)


def at(connection: str, summary: str, options: ActivityConfig, urgency: int) -> ActivityConfig:
    """Options on a connection's own task queue, beside the lifecycles'; the summary is read in the Temporal UI.
    `urgency` (domain/urgency.py): who goes first there."""
    queue, priority = f"{info().task_queue}-{connection}", Priority(priority_key=urgency)
    return ActivityConfig(**{**options, "task_queue": queue, "summary": summary, "priority": priority})


def feed(summary: str) -> ActivityConfig:
    """Options of a reading, on the queue of the run itself."""
    return ActivityConfig(**{**FEED, "summary": summary})


def retry_delay(failures: int) -> timedelta:
    """How long a lane waits before its next attempt, after so many failures in a row."""
    doublings: int = 2 ** min(failures - 1, 10)
    return min(LONGEST_RETRY, FIRST_RETRY * doublings)


def ask_again(tries: int) -> timedelta:
    """How long until a silent source is asked again, after so many asks in vain."""
    times: int = 4 ** min(tries, 10)
    return min(LONGEST_ASK, FIRST_ASK * times)
