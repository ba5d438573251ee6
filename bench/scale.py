"""What many open contracts need, reckoned from what one was measured to cost: `python -m bench scale`.

Every number comes from one of three places: `bench/scale.json` (measured on one machine, written by `python -m bench
cost`; other results' "measured" blocks and `--inputs` win over it), `bench/prices.json` (a public price list), and
`Assumed`, which names what nobody here could measure. docs/scale.md says how to read it.
"""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
SIZES = (1_000, 100_000, 1_000_000)
YEAR, MONTH, DAY, HOUR = 31_557_600.0, 2_629_800.0, 86_400.0, 3_600.0
GIGA = 1e9


@dataclass(frozen=True)
class Assumed:
    """Of the company: `new_share` of its contracts is in the first year, `age_years` is what the open ones have lived,
    `renewal_day_share` of all windows open at the same midnight, and `month_first_hours` is how long the ERP takes to
    send a month's invoices. Of machines: how full one may be, what one core, one database and one connection can do."""

    new_share: float = 0.25
    age_years: float = 2.5
    renewal_day_share: float = 0.05
    month_first_hours: float = 6.0
    retained_days: float = 30.0
    erp_per_second: float = 5.0
    drain_hours: float = 24.0
    full: float = 0.6
    shard_milliseconds: float = 5.0
    shard_full: float = 0.2
    executions_a_shard: float = 10_000.0
    database_writes: float = 3_000.0
    server_machine_cores: int = 4
    cache: int = 500
    worker_megabytes: float = 250.0
    connections_a_process: int = 6
    cloud_actions_per_second: float = 500.0
    embedded_cores: float = 2.0
    vcpu_month: float = 35.0
    gigabyte_month: float = 0.12


@dataclass(frozen=True)
class Limit:
    """`used`: how much of it, 1 is all. `what` is in the way, and `then` is what helps."""

    what: str
    used: float
    then: str


@dataclass(frozen=True)
class Scale:
    """For `contracts` open at once. Money in US dollars a month."""

    contracts: int
    actions_month: float
    actions_second: float
    peak_actions_second: float
    peak_events_second: float
    history_gigabytes: float
    shards: int
    server_nodes: int
    store_gigabytes_year: float
    store_writes_second: float
    peak_store_writes_second: float
    workers: int
    connections: int
    worker_cores: float
    cached_megabytes: float
    drain_hours: float
    cloud_month: float
    cluster_month: float
    workers_month: float
    store_month: float
    years_in_one_run: float
    limits: tuple[Limit, ...]

    @property
    def first_limit(self) -> Limit:
        """What is used up the most."""
        return max(self.limits, key=lambda limit: limit.used)


def reckon(contracts: int, measured: Mapping[str, Any], prices: Mapping[str, Any], assumed: Assumed) -> Scale:
    """Pure: the same inputs give the same answer."""
    first, further = measured["first_year"], measured["further_year"]

    def a_year(name: str) -> float:
        return contracts * float(assumed.new_share * first[name] + (1 - assumed.new_share) * further[name])

    actions = a_year("actions")
    window = contracts * assumed.renewal_day_share
    erp_calls = window * measured["window"]["erp_calls"]
    drain = erp_calls / assumed.erp_per_second
    # what the outside lets through is what the peak is made of: the queue drains as fast as the ERP answers
    windows_second = window / max(drain, HOUR)
    peak_actions = actions / YEAR + windows_second * measured["window"]["actions"]
    invoices_second = contracts / (assumed.month_first_hours * HOUR)
    writes = a_year("writes") / YEAR
    writes_an_action = a_year("writes") / actions
    writes_an_event = measured["writes_an_event"]
    peak_writes = writes + max(
        invoices_second * writes_an_event, windows_second * measured["window"]["actions"] * writes_an_action
    )

    history_each = first["bytes"] + max(0.0, assumed.age_years - 1) * further["bytes"]
    history = contracts * history_each / GIGA
    closing = contracts * assumed.new_share * assumed.retained_days * DAY / YEAR * history_each / GIGA
    transitions = peak_actions * (a_year("events") / actions) / 2  # a transition writes two events or more
    busy = transitions * assumed.shard_milliseconds / 1000 / assumed.shard_full
    shards = _power_of_two(max(busy, contracts / assumed.executions_a_shard, 4))
    server_cores = peak_actions * a_year("server_cpu_seconds") / actions / assumed.full
    nodes = max(3, math.ceil(server_cores / assumed.server_machine_cores)) if contracts > SIZES[0] else 1

    replays = a_year("events") / 6 * measured["replay_seconds"]  # about six events a wake, and few wakes find a cache
    cpu = (a_year("cpu_seconds") + replays) / YEAR
    peak_cpu = cpu * peak_actions / (actions / YEAR)
    cores = peak_cpu / assumed.full
    workers = max(2, math.ceil(cores))
    cached = measured["cached_kilobytes"] * min(contracts / workers, assumed.cache) / 1024
    cloud = cloud_month(actions / YEAR * MONTH, history, closing, prices)
    store_year = a_year("store_bytes") / GIGA
    limits = (
        Limit(
            f"the ERP's {assumed.erp_per_second:g} calls/s on renewal day",
            drain / HOUR / assumed.drain_hours,
            "a higher limit at the ERP, or windows that open on different days (`window_days` by customer)",
        ),
        Limit(
            "Temporal Cloud's default actions/s",
            peak_actions / assumed.cloud_actions_per_second,
            "on-demand capacity follows by itself; provisioned capacity for a known day",
        ),
        Limit(
            "one machine with the embedded server",
            (server_cores * assumed.full + peak_cpu) / (assumed.embedded_cores * assumed.full),
            "a cluster (docker-compose.yml) or Temporal Cloud, and PostgreSQL",
        ),
        Limit(
            "one PostgreSQL's transactions/s",
            peak_writes / (assumed.database_writes * assumed.full),
            "a larger machine; then a store for each tenant or region",
        ),
        Limit(
            "one worker process",
            peak_cpu / assumed.full,
            "more workers: they share nothing but the store",
        ),
    )
    return Scale(
        contracts=contracts,
        actions_month=actions / YEAR * MONTH,
        actions_second=actions / YEAR,
        peak_actions_second=peak_actions,
        peak_events_second=invoices_second,
        history_gigabytes=history,
        shards=shards,
        server_nodes=nodes,
        store_gigabytes_year=store_year,
        store_writes_second=writes,
        peak_store_writes_second=peak_writes,
        workers=workers,
        connections=(workers + 4) * assumed.connections_a_process,
        worker_cores=cores,
        cached_megabytes=assumed.worker_megabytes + cached,
        drain_hours=drain / HOUR,
        cloud_month=cloud,
        cluster_month=nodes * assumed.server_machine_cores * assumed.vcpu_month + history * 3 * assumed.gigabyte_month,
        workers_month=max(workers, cores) * assumed.vcpu_month,
        store_month=2 * assumed.vcpu_month * max(1.0, peak_writes / assumed.database_writes * 8)
        + store_year * assumed.age_years * assumed.gigabyte_month,
        years_in_one_run=1 + (4_096 - first["events"]) / further["events"],
        limits=limits,
    )


def cloud_month(actions: float, active: float, retained: float, prices: Mapping[str, Any]) -> float:
    """What Temporal Cloud takes a month. Actions beyond the list's last tier cost as much as in it."""
    millions, spent, below = max(0.0, actions / 1e6 - prices["included_actions_millions"]), 0.0, 0.0
    tiers: Sequence[tuple[float, float]] = prices["actions"]
    for upto, price in tiers:
        spent += max(0.0, min(millions, upto) - below) * price
        below = upto
    spent += max(0.0, millions - below) * tiers[-1][1]
    hours = prices["hours_a_month"]
    spent += max(0.0, active - prices["included_active_gb"]) * hours * prices["active_gbh"]
    spent += max(0.0, retained - prices["included_retained_gb"]) * hours * prices["retained_gbh"]
    return float(spent + max(prices["plan_least"], prices["plan_share"] * spent))


def read_inputs(given: Path | None = None, results: Path = HERE / "results") -> tuple[dict[str, Any], Assumed]:
    """What was measured: the committed machine's, over it what benches have left here, over that the given file, which
    may say what is to be assumed, too."""
    measured = dict(json.loads((HERE / "scale.json").read_text(encoding="utf-8"))["measured"])
    assumed = Assumed()
    files = sorted(results.glob("*.json")) if given is None else [given]
    for file in files:
        read = json.loads(file.read_text(encoding="utf-8"))
        measured |= read.get("measured", {})
        assumed = replace(assumed, **read.get("assumed", {}))
    return measured, assumed


def read_prices() -> dict[str, Any]:
    read: dict[str, Any] = json.loads((HERE / "prices.json").read_text(encoding="utf-8"))
    return read


def _power_of_two(least: float) -> int:
    return int(2 ** math.ceil(math.log2(least)))
