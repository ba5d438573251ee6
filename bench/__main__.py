"""`python -m bench [storm|gateway|outage|effects|limits|life|pages|reconcile|cost …]`: run benches, print one table.

`scale`: no bench, but the model of many contracts, reckoned from what the benches have measured.

Those of speed (bench/speed.py) run only when they are named, as `make bench` does.

`--small`: the same in a size that takes minutes less, to see that it works.
"""

import argparse
import asyncio
import json
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

from rich.console import Console
from rich.table import Table

from bench import gateway
from bench.costing import the_cost
from bench.drilled import the_deploys
from bench.effects import effects
from bench.figures import Figure, machine
from bench.importing import EACH, importing
from bench.life import lived
from bench.limits import rush
from bench.outage import outage
from bench.pages import BARE, pages
from bench.postgres import own_postgres
from bench.reconciling import reckoned
from bench.scaling import show_scale
from bench.speed import SPEED
from bench.storm import Storm, storm
from bench.town import ROOT

RESULTS = ROOT / "bench" / "results"


@dataclass(frozen=True)
class Sizes:
    contracts: int
    events: int
    rate: float
    requests: int
    rounds: int
    steady_seconds: int
    memory: Sequence[int]
    outage: int
    writes: int
    orders: int
    imported: int
    lives: int
    asks: int
    reconciled: int
    drilled: int
    reference_lives: int


LARGE = Sizes(
    200, 10_000, 120.0, 4_000, 7, 30, (20_000, 60_000, 100_000), 5_000, 500, 200, 1_000, 20_000, 400, 10_000, 100, 10
)
SMALL = Sizes(8, 300, 60.0, 500, 3, 5, (5_000, 10_000), 500, 40, 20, 40, 400, 40, 400, 4, 2)


def the_storm(home: Path, sizes: Sizes, seed: int) -> list[Figure]:
    plan = Storm(seed, sizes.contracts, sizes.events, sizes.rate, patience=1200.0)
    with own_postgres() as url:
        report = asyncio.run(storm(home, plan, url, _note))
    once = ("customers", "subscriptions", "activations", "companies", "plans")
    doubled = {kind: report.effects[kind] for kind in once if report.effects[kind] != sizes.contracts}
    return [
        Figure(
            f"storm: {report.events} events of {sizes.contracts} contracts, sent {report.sent} times",
            report.verdict,
            "no difference",
            not report.differences,
        ),
        Figure("storm: killed", "; ".join(report.killed)),
        Figure("storm: create-type effects", str(doubled or "each exactly once"), "each exactly once", not doubled),
        Figure("storm: until all was quiet after it", f"{report.quiet_seconds:.0f} s"),
    ]


def the_gateway(home: Path, sizes: Sizes, seed: int) -> list[Figure]:
    sqlite = f"sqlite:///{home / 'state' / 'store.db'}"
    figures = [_throughput(home, sqlite, sizes)]
    with own_postgres() as url:
        figures.append(_throughput(home, url, sizes))
    bare, ours = gateway.steady(home, sqlite, seconds=sizes.steady_seconds)
    p50, p99, floor = (each * 1000 for each in (ours.percentile(0.5), ours.percentile(0.99), bare.percentile(0.99)))
    latency = f"{p50:.1f} / {p99:.1f} ms (p99 of the bare route: {floor:.1f} ms)"
    figures.append(Figure("gateway: p50 / p99 at 200/s, SQLite", latency, "p99 < 25 ms", p99 < 25))
    seen = gateway.memory(home, sqlite, events=sizes.memory[-1], looks=sizes.memory)
    grown = max(seen.values()) / min(seen.values())
    held = ", ".join(f"{megabytes:.0f} MB after {events}" for events, megabytes in seen.items())
    return [*figures, Figure("gateway: memory", held, "flat (within 10 %)", grown < 1.1)]


def _throughput(home: Path, url: str, sizes: Sizes) -> Figure:
    found = gateway.throughput(home, url, rounds=sizes.rounds, requests=sizes.requests)
    rates = f"{median(found.gateway):.0f}/s over {median(found.floor):.0f}/s"
    return Figure(
        f"gateway: of a bare route with one insert, {found.kind}",
        f"{found.ratio:.0%} ({rates})",
        "≥ 50 %, aim 70 %",
        found.ratio >= 0.5,
    )


def the_outage(home: Path, sizes: Sizes, seed: int) -> list[Figure]:
    found = asyncio.run(outage(home, events=sizes.outage, contracts=min(100, sizes.contracts), say=_note))
    return [
        Figure(
            "outage: accepted while Temporal is stopped",
            f"{found.accepted_while_stopped} of {found.events}, {found.accepted_per_second:.0f}/s",
            "all",
            found.accepted_while_stopped == found.events,
        ),
        Figure(
            "outage: delivered afterwards, of the rate without a stop",
            f"{found.ratio:.0%} ({found.after_the_stop:.0f}/s over {found.without_a_stop:.0f}/s)",
            "≥ 80 %",
            found.ratio >= 0.8,
        ),
    ]


def the_effects(home: Path, sizes: Sizes, seed: int) -> list[Figure]:
    with own_postgres() as url:
        stores = {"SQLite": f"sqlite:///{home / 'store.db'}", "PostgreSQL": url}
        measured = asyncio.run(effects(home, stores, writes=sizes.writes))
    return [
        Figure(
            f"effects: added to one ERP write, {each.store} ({len(each.added)} in turns with the raw call)",
            f"median {each.median:.1f} ms, p90 {each.p90:.1f} ms (raw call: {median(each.raw):.1f} ms)",
            "median ≤ 15 ms",
            each.median <= 15,
        )
        for each in measured
    ]


def the_limits(home: Path, sizes: Sizes, seed: int) -> list[Figure]:
    found = asyncio.run(rush(home, orders=sizes.orders, per_second=5, say=_note))
    return [
        Figure(
            f"limits: calls in any second at the door of an ERP with 5/s, {found.orders} orders, 2 workers",
            f"at most {found.most} ({found.calls} calls in {found.seconds:.0f} s), {found.refused} refused",
            "at most 5, none refused",
            found.kept,
        ),
        Figure(
            "limits: orders activated, and cases opened",
            f"{found.done} of {found.orders}, {found.cases} cases",
            "all, none",
            found.done == found.orders and not found.cases,
        ),
    ]


def the_life(home: Path, sizes: Sizes, seed: int) -> list[Figure]:
    alone, changed = asyncio.run(lived(3)), asyncio.run(lived(10, "ten_years.toml"))
    return [
        Figure(
            f"life: {alone.years} years of one contract, {alone.effects} effects",
            f"{alone.seconds:.1f} s, and {alone.starting:.1f} s for the server; {alone.history} history events",
            "< 10 s",
            alone.seconds + alone.starting < 10,
        ),
        Figure(
            f"life: {changed.years} years with {changed.changes} changes, {changed.effects} effects",
            f"{changed.seconds:.1f} s; {changed.history} history events in {'one run' if changed.one_run else 'runs'}",
            "< 30 s, < 4,000 events, one run",
            changed.seconds < 30 and changed.history < 4000 and changed.one_run and changed.changes == 30,
        ),
    ]


def the_import(home: Path, sizes: Sizes, seed: int) -> list[Figure]:
    found = asyncio.run(importing(home, sizes.imported, 6, seed, _note))
    again = {name: found.after[name] - found.contracts for name in EACH}  # a call whose answer was late, by its key
    speed = f"{found.contracts / found.import_seconds:.0f}/s, {found.contracts / found.promote_seconds:.0f}/s"
    return [
        Figure(
            f"import: written outside by {found.contracts} contracts in shadow, {found.kills} kills",
            str(found.before),
            "nothing",
            found.before == 0,
        ),
        Figure(
            "import: after the promotion, each thing that was due",
            str(found.wrong[:3] or f"each exactly once ({', '.join(EACH)}; said again: {sum(again.values())})"),
            "each exactly once",
            not found.wrong,
        ),
        Figure("import: contracts into shadow, made live (with the kills)", speed),
        Figure("import: until all was done outside, from the first promotion on", f"{found.quiet_seconds:.0f} s"),
    ]


def the_pages(home: Path, sizes: Sizes, seed: int) -> list[Figure]:
    with own_postgres() as url:
        stores = {"SQLite": f"sqlite:///{home / 'store.db'}", "PostgreSQL": url}
        return [figure for name, store in stores.items() for figure in _pages(home, name, store, sizes, seed)]


def _pages(home: Path, store: str, url: str, sizes: Sizes, seed: int) -> Iterator[Figure]:
    found = pages(home, url, lives=sizes.lives, asks=sizes.asks, seed=seed)
    for name, measured in found.items():
        p50, p95 = (measured.percentile(share) * 1000 for share in (0.5, 0.95))
        own, asked = measured.processor_seconds / len(measured.latencies) * 1000, name in ("portfolio", "lifecycle")
        yield Figure(
            f"pages: {name}" if name == BARE else f"pages: {name}, {sizes.lives} lifecycles, {store}",
            f"p50 / p95 {p50:.1f} / {p95:.1f} ms, {own:.1f} ms of processor time each",
            "p95 < 100 ms" if asked else "",
            p95 < 100 if asked else None,
        )


def the_reconciliation(home: Path, sizes: Sizes, seed: int) -> list[Figure]:
    per_second = 40
    found = asyncio.run(reckoned(home, contracts=sizes.reconciled, per_second=per_second, say=_note))
    told = f"reconcile: {found.contracts} contracts"
    held = not found.refused and found.most <= per_second
    reads = ", ".join(f"{number} of {system}" for system, number in sorted(found.reads.items()))
    return [
        Figure(
            f"{told}, in {found.seconds:.0f} s: differences found",
            f"{found.found} of {found.planted}",
            "those that were planted",
            found.found == found.planted,
        ),
        Figure(
            f"{told}: calls in any one second at a door that lets {per_second} in",
            f"at most {found.most} ({reads}), {found.refused} refused",
            f"at most {per_second}",
            held,
        ),
        Figure(f"{told}: memory at most", f"{found.megabytes:.0f} MB", "< 300 MB", found.megabytes < 300),
        Figure(f"{told}: workflows that woke", str(found.woken), "none", not found.woken),
    ]


EVENTS: dict[str, Callable[[Path, Sizes, int], list[Figure]]] = {
    "storm": the_storm,
    "gateway": the_gateway,
    "outage": the_outage,
    "effects": the_effects,
    "limits": the_limits,
    "import": the_import,
    "life": the_life,
    "pages": the_pages,
    "reconcile": the_reconciliation,
    "deploys": the_deploys,
    "cost": the_cost,
}
BENCHES = [*EVENTS, *SPEED]


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench", description="The benches of the events.")
    parser.add_argument(
        "benches", nargs="*", metavar="BENCH", help=f"of {', '.join(BENCHES)}; default: {', '.join(EVENTS)}"
    )
    parser.add_argument("--small", action="store_true", help="a size that only shows that it works")
    parser.add_argument("--seed", type=int, default=1, help="of the storm's dice")
    parser.add_argument("--inputs", type=Path, help="of `scale`, the model: measurements and assumptions of one's own")
    given = parser.parse_args()
    if given.benches == ["scale"]:
        return show_scale(given.inputs, RESULTS / "scale.json")
    if unknown := set(given.benches) - set(BENCHES):
        parser.error(f"no such bench: {', '.join(sorted(unknown))}")
    # whoever ends a bench ends what it started, too
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    figures: list[Figure] = []
    for name in given.benches or EVENTS:
        began = time.monotonic()
        with tempfile.TemporaryDirectory(prefix="tenure-bench-") as home:
            found = _run(name, Path(home), given)
        _note(f"{name} took {time.monotonic() - began:.0f} s")
        _keep(name, found, given)
        figures += found
    _show(figures)
    return 0 if all(figure.met is not False for figure in figures) else 1


def _run(name: str, home: Path, given: argparse.Namespace) -> list[Figure]:
    if name in SPEED:
        return SPEED[name](home, given.small, _note)
    return EVENTS[name](home, SMALL if given.small else LARGE, given.seed)


def _keep(name: str, figures: Sequence[Figure], given: argparse.Namespace) -> None:
    RESULTS.mkdir(exist_ok=True)
    kept = {
        "command": " ".join(["python -m bench", *sys.argv[1:]]),
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": machine(),
        "small": given.small,
        "values": {name: value for figure in figures for name, value in figure.values.items()},
        "figures": [{"what": f.what, "found": f.found, "wanted": f.wanted, "met": f.met} for f in figures],
    }
    (RESULTS / f"{name}.json").write_text(json.dumps(kept, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def _show(figures: Sequence[Figure]) -> None:
    table = Table(title=f"python -m bench {' '.join(sys.argv[1:])}".rstrip(), caption=machine())
    for column in ("what", "found", "wanted", ""):
        table.add_column(column, overflow="fold")
    for figure in figures:
        table.add_row(figure.what, figure.found, figure.wanted, {True: "✓", False: "✗", None: ""}[figure.met])
    Console(width=140).print(table)


def _note(line: str) -> None:
    print(f"  {line}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
