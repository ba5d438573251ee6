"""What the store holds, as Prometheus metrics: read when it is asked, and not more often than every other second."""

import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

import structlog
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector
from sqlmodel import Session

from domain.call_times import BOUNDS, CallTimes
from domain.errors import SourceUnavailable
from store.database import Database
from store.figures import Figures, figures
from store.watching import Watch, watch

FRESH = 2.0

log = structlog.get_logger()


class Sample(NamedTuple):
    """One metric. `labels`: the name of its label, or of several, or none; `values` are in the same form."""

    name: str
    help: str
    labels: str | tuple[str, ...] | None
    values: Iterable[tuple[str | tuple[str, ...], float]]
    counts: bool = False


class Told(NamedTuple):
    """What the store said at one moment."""

    figures: Figures
    watch: Watch


class StoreCollector(Collector):
    """For a registry. It blocks on the store: ask for it off the event loop. A store that does not answer is told by
    `tenure_store_up`, and takes no other metric of the registry with it.
    """

    def __init__(self, database: Database, subscribers: Sequence[str] = (), feeds: Sequence[str] = ()) -> None:
        self._db = database
        self._subscribers, self._feeds = tuple(subscribers), tuple(feeds)
        self._lock = threading.Lock()
        self._known: Told | None = None
        self._read_at = float("-inf")

    def describe(self) -> Iterable[Metric]:
        """Nothing: a registry that is being put together must not ask the store."""
        return ()

    def collect(self) -> Iterator[Metric]:
        found = self._fresh()
        yield _metric(Sample("tenure_store_up", "Whether the store answered", None, [("", float(found is not None))]))
        if found is not None:
            yield from map(_metric, _samples(found.figures))
            yield from map(_metric, _watched(found.watch))
            yield _call_seconds(found.watch.calls)

    def _fresh(self) -> Told | None:
        """However many ask at once: the store is asked once, and what it said is good for a moment."""
        with self._lock:
            if time.monotonic() - self._read_at >= FRESH:
                try:
                    self._known = self._db.read_sync(self._ask)
                except SourceUnavailable as error:
                    log.warning("no figures of the store", error=str(error))
                    self._known = None
                self._read_at = time.monotonic()
            return self._known

    def _ask(self, session: Session) -> Told:
        return Told(figures(session, self._subscribers, self._feeds), watch(session))


def _samples(found: Figures) -> Iterator[Sample]:
    waiting, backlogs = found.waiting, found.backlogs
    yield Sample(
        "tenure_inbox_depth",
        "Received events that no lifecycle has answered yet",
        "source",
        [(source, each.events) for source, each in waiting.items()],
    )
    yield Sample(
        "tenure_inbox_oldest_seconds",
        "Age of the oldest of them",
        "source",
        [(source, each.oldest) for source, each in waiting.items()],
    )
    yield Sample("tenure_dead_letters", "Events that can't be used", "problem", found.dead.items())
    yield Sample("tenure_parked", "Events that wait for their contract", None, [("", found.parked)])
    yield Sample("tenure_deliveries", "Deliveries that are not over", "state", found.open_deliveries.items())
    yield Sample("tenure_dispatched", "Deliveries that are over", "outcome", found.dispatched.items(), counts=True)
    yield Sample("tenure_open_cases", "Open exception cases", "kind", found.cases.items())
    lags = [(feed, each.lag) for feed, each in found.feeds.items()]
    yield Sample("tenure_feed_lag_seconds", "Since a feed was last read to its end", "feed", lags)
    gaps = [(feed, each.gaps) for feed, each in found.feeds.items()]
    yield Sample("tenure_feed_gaps", "How often a feed had forgotten events", "feed", gaps, counts=True)
    yield Sample("tenure_outgoing_unrelayed", "Published, not yet on their way", None, [("", found.unrelayed)])
    for name, help, values in (
        ("pending", "Events that a subscriber has not got yet", [(each.name, each.pending) for each in backlogs]),
        ("held", "Events that wait for a person", [(each.name, each.held) for each in backlogs]),
        ("oldest_seconds", "Age of the oldest of both", [(each.name, each.oldest or 0.0) for each in backlogs]),
    ):
        yield Sample(f"tenure_outgoing_{name}", help, "subscriber", values)
    promises = found.promises.items()
    for name, help, running in (
        ("running", "SLA clocks that run", [(kind, each.running) for kind, each in promises]),
        ("warned", "Of those, warned of", [(kind, each.warned) for kind, each in promises]),
        ("late", "Of those, behind their time", [(kind, each.late) for kind, each in promises]),
    ):
        yield Sample(f"tenure_sla_{name}", help, "clock", running)
    for name, help, ended in (
        ("met", "SLA clocks that stopped in time", [(kind, each.met) for kind, each in promises]),
        ("breached", "SLA clocks whose time was over", [(kind, each.missed) for kind, each in promises]),
    ):
        yield Sample(f"tenure_sla_{name}", help, "clock", ended, counts=True)


def _watched(found: Watch) -> Iterator[Sample]:
    yield Sample("tenure_lifecycles", "Lifecycles by the stage that they are in", ("stage",), found.lifecycles.items())
    yield Sample("tenure_sla_swept_seconds", "Since SLA clocks were last looked at", None, [("", found.clocks_swept)])
    yield Sample("tenure_case_oldest_seconds", "Age of the oldest open case", "kind", found.oldest_cases.items())
    yield Sample("tenure_differences", "Open differences between systems", ("kind", "owner"), found.differences.items())
    yield Sample("tenure_stuck_lifecycles", "Lifecycles that can't make their workflow task", None, [("", found.stuck)])
    yield Sample("tenure_watchdog_seconds", "Since such lifecycles were last looked for", None, [("", found.watched)])
    oldest, reconciled = found.oldest_difference, found.reconciled
    yield Sample("tenure_difference_oldest_seconds", "Age of the oldest open difference", None, [("", oldest)])
    yield Sample("tenure_differences_healed", "Differences that went by themselves", None, [("", found.healed)], True)
    yield Sample("tenure_reconciled_seconds", "Since all contracts were last reconciled", None, [("", reconciled)])
    failed = [(connection, times.failed) for connection, times in found.calls.items()]
    yield Sample("tenure_calls_failed", "Calls without an answer, or with a 5xx", "connection", failed, counts=True)


def _call_seconds(calls: Mapping[str, CallTimes]) -> Metric:
    """As measured by every process that makes calls."""
    metric = HistogramMetricFamily("tenure_call_seconds", "Time that a system takes to answer", labels=["connection"])
    for connection, times in calls.items():
        upto = zip(BOUNDS, times.up_to(), strict=True)
        buckets = [("+Inf" if bound == float("inf") else str(bound), float(n)) for bound, n in upto]
        metric.add_metric([connection], buckets, times.seconds)
    return metric


def _metric(sample: Sample) -> Metric:
    family = CounterMetricFamily if sample.counts else GaugeMetricFamily
    labels = _several(sample.labels or ())
    metric = family(sample.name, sample.help, labels=labels)
    for value, number in sample.values:
        metric.add_metric(_several(value) if labels else [], number)
    return metric


def _several(names: str | tuple[str, ...]) -> list[str]:
    return [names] if isinstance(names, str) else list(names)
