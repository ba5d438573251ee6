"""`python -m bench scale [--inputs FILE]`: the model of `bench.scale`, as a table and as JSON."""

import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from rich.table import Column, Table

from bench.scale import SIZES, Scale, read_inputs, read_prices, reckon

ROWS: tuple[tuple[str, Callable[[Scale], str]], ...] = (
    ("actions a month", lambda s: f"{s.actions_month:,.0f}"),
    ("actions a second, mean / on renewal day", lambda s: f"{s.actions_second:.2f} / {s.peak_actions_second:.1f}"),
    ("invoice events a second, on the month's first", lambda s: f"{s.peak_events_second:.2f}"),
    ("histories of the open ones", lambda s: f"{s.history_gigabytes:,.1f} GB"),
    ("history shards / nodes of a cluster", lambda s: f"{s.shards} / {s.server_nodes}"),
    ("the store grows a year", lambda s: f"{s.store_gigabytes_year:,.1f} GB"),
    (
        "store transactions a second, mean / peak",
        lambda s: f"{s.store_writes_second:.2f} / {s.peak_store_writes_second:.1f}",
    ),
    ("store connections", lambda s: f"{s.connections}"),
    (
        "workers, their cores at the peak, MB each",
        lambda s: f"{s.workers}, {s.worker_cores:.2f}, {s.cached_megabytes:.0f}",
    ),
    ("renewal day drains in", lambda s: f"{s.drain_hours:.1f} h"),
    ("Temporal Cloud, $ a month", lambda s: f"{s.cloud_month:,.0f}"),
    ("or a cluster of one's own, $ a month", lambda s: f"{s.cluster_month:,.0f}"),
    ("workers and store, $ a month", lambda s: f"{s.workers_month + s.store_month:,.0f}"),
    ("the first limit", lambda s: f"{s.first_limit.what}: {s.first_limit.used:.0%}"),
    ("years in one run", lambda s: f"{s.years_in_one_run:.0f}"),
)


def show_scale(inputs: Path | None, kept: Path) -> int:
    """Print the table, and keep the JSON."""
    measured, assumed = read_inputs(inputs)
    prices = read_prices()
    scales = [reckon(size, measured, prices, assumed) for size in SIZES]
    table = Table("open contracts", *(Column(f"{scale.contracts:,}", justify="right") for scale in scales))
    for what, said in ROWS:
        table.add_row(what, *(said(scale) for scale in scales))
    table.add_section()
    for number, limit in enumerate(scales[0].limits):
        table.add_row(limit.what, *(f"{scale.limits[number].used:.0%}" for scale in scales))
    Console(width=140).print(table)
    kept.parent.mkdir(exist_ok=True)
    told = {"inputs": {"measured": measured, "assumed": asdict(assumed)}, "scales": [asdict(each) for each in scales]}
    kept.write_text(json.dumps(told, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    return 0
