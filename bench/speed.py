"""The benches of speed: each figure beside its floor, measured in the same run. `make bench` runs them."""

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path

from bench.activation import Compared, activations
from bench.figures import Figure
from bench.growth import Point, growth
from bench.nothings import ACTIVITIES
from bench.renewal_day import PER_SECOND, RenewalDay, renewal_day
from bench.server import servers

Say = Callable[[str], None]


def the_activation(home: Path, small: bool, say: Say) -> list[Figure]:
    sizes = (3, 1, 2, 0.5) if small else (60, 3, 160, 1.5)
    burst, rounds, at_a_rate, per_second = sizes
    found = asyncio.run(
        activations(home, burst=burst, rounds=rounds, at_a_rate=at_a_rate, per_second=per_second, say=say)
    )
    return list(_activation(found, burst, per_second))


def _activation(found: Compared, burst: int, per_second: float) -> Iterator[Figure]:
    house, bare = found.house, found.bare
    p50, p99, floor50, floor99 = (1000 * side.percentile(share) for side in (house, bare) for share in (0.5, 0.99))
    yield Figure(
        f"activation: {burst} at once, of a bare workflow's throughput "
        f"({found.activities} activities, {found.calls} HTTP requests each)",
        f"{found.throughput:.0%} ({house.per_second:.2f}/s over {bare.per_second:.2f}/s)",
        "≥ 50 %, aim 70 %",
        found.throughput >= 0.5,
        {
            "activation_lifecycles_per_second": house.per_second,
            "activation_bare_workflows_per_second": bare.per_second,
            "activation_throughput_ratio": found.throughput,
            "activation_activities_count": found.activities,
            "activation_http_requests_count": found.calls,
        },
    )
    yield Figure(
        f"activation: p50 / p99 at {per_second:g}/s",
        f"{p50:.0f} / {p99:.0f} ms (bare: {floor50:.0f} / {floor99:.0f} ms; p50 × {found.p50:.2f})",
        "p50 ≤ 1.8 × the bare one's, aim 1.3",
        found.p50 <= 1.8,
        {
            "activation_p50_ms": p50,
            "activation_p99_ms": p99,
            "activation_bare_p50_ms": floor50,
            "activation_bare_p99_ms": floor99,
            "activation_p50_ratio": found.p50,
        },
    )
    for name, side in (("house", house), ("bare", bare)):
        shares = ", ".join(f"{process} {used:.0f}" for process, used in side.processor.items())
        yield Figure(
            f"activation: processor time of one, {'through the house' if name == 'house' else 'bare'}",
            f"{side.processor_ms:.0f} ms ({shares})",
            values={f"activation_{name}_{process}_processor_ms": used for process, used in side.processor.items()},
        )


def the_server(home: Path, small: bool, say: Say) -> list[Figure]:
    alone, at_once, rounds = (1, 3, 1) if small else (5, 50, 3)
    found = asyncio.run(servers(home, alone=alone, at_once=at_once, rounds=rounds))
    return [
        Figure(
            f"server: {name}, {ACTIVITIES} activities that do nothing: one alone; {at_once} at once",
            f"{served.alone_ms:.0f} ms; {served.per_second:.1f}/s",
            values={
                f"server_{name}_alone_ms": served.alone_ms,
                f"server_{name}_workflows_per_second": served.per_second,
            },
        )
        for name, served in found.items()
    ]


def the_renewal_day(home: Path, small: bool, say: Say) -> list[Figure]:
    return _renewal_day(asyncio.run(renewal_day(home, lives=10 if small else 500, say=say)))


def the_full_renewal_day(home: Path, small: bool, say: Say) -> list[Figure]:
    return _renewal_day(asyncio.run(renewal_day(home, lives=10 if small else 2000, say=say)))


def _renewal_day(found: RenewalDay) -> list[Figure]:
    told = f"renewal day: {found.lives} windows open at one instant, the ERP takes {PER_SECOND}/s"
    begun = f", {found.early} not begun by then" if found.early else ""
    waits = ", ".join(f"{seconds:.1f}" for seconds in found.waits)
    return [
        Figure(
            f"{told}: calls in any one second at its door",
            f"at most {found.most} ({found.calls} calls), {found.refused} refused",
            f"at most {PER_SECOND}, none refused",
            found.most <= PER_SECOND and not found.refused,
            {"renewal_day_lifecycles_count": found.lives, "renewal_day_erp_calls_count": found.calls},
        ),
        Figure(
            f"{told}: until all were looked at, of what the limit takes",
            f"{found.seconds:.0f} s, {found.over:+.0%} ({found.allowed_seconds:.0f} s){begun}",
            "≤ 15 % over",
            found.over <= 0.15,
            {"renewal_day_drain_seconds": found.seconds, "renewal_day_limit_seconds": found.allowed_seconds},
        ),
        Figure(
            f"{told}: looks that were done when the last customer at risk (one of ten) had been looked at",
            f"{found.high_by:.0%}",
            "≤ 25 %",
            found.high_by <= 0.25,
            {"renewal_day_at_risk_done_ratio": found.high_by},
        ),
        Figure(
            f"{told}: deals won in the middle, until they are active in the ERP",
            f"{waits} s; {found.cases} cases",
            "each < 5 s, no case",
            max(found.waits) < 5 and not found.cases,
            {"renewal_day_new_deal_longest_seconds": max(found.waits)},
        ),
    ]


def the_growth(home: Path, small: bool, say: Say) -> list[Figure]:
    sizes, rest = ((5, 10), 1.0) if small else ((100, 1000, 5000), 20.0)
    return [
        figure
        for point in asyncio.run(growth(home, sizes=sizes, rest_seconds=rest, say=say))
        for figure in _point(point)
    ]


def _point(point: Point) -> Iterator[Figure]:
    told, name = f"growth: {point.lives} open", f"growth_{point.lives}"
    idle = ", ".join(f"{process} {share:.1%}" for process, share in point.idle.items())
    yield Figure(
        f"{told}: memory of worker (none cached), of Temporal; a cached lifecycle",
        f"{point.worker_mb:.0f} ({point.fresh_mb:.0f}), {point.temporal_mb:.0f} MB; {point.cached_kb:.0f} KB",
        values={
            f"{name}_worker_mb": point.worker_mb,
            f"{name}_worker_none_cached_mb": point.fresh_mb,
            f"{name}_temporal_mb": point.temporal_mb,
            f"{name}_cached_lifecycle_kb": point.cached_kb,
        },
    )
    yield Figure(
        f"{told}: processor at rest; on disk for each in Temporal, in the store",
        f"{idle}; {point.temporal_disk_kb:.0f}, {point.store_disk_kb:.0f} KB",
        values={
            f"{name}_idle_processor_percent": 100 * sum(point.idle.values()),
            f"{name}_idle_worker_percent": 100 * point.idle["worker"],
            f"{name}_temporal_disk_kb_per_lifecycle": point.temporal_disk_kb,
            f"{name}_store_disk_kb_per_lifecycle": point.store_disk_kb,
        },
    )
    yield Figure(
        f"{told}: to begin one of many; a new deal until active; the worker anew, until it works, has served a deal",
        f"{point.begin_ms:.0f} ms; {point.active_ms:.0f} ms; {point.startup_seconds:.1f} s, "
        f"{point.startup_seconds + point.first_deal_seconds:.1f} s",
        values={
            f"{name}_begin_ms_per_lifecycle": point.begin_ms,
            f"{name}_active_ms": point.active_ms,
            f"{name}_worker_startup_s": point.startup_seconds,
            f"{name}_worker_until_first_deal_s": point.startup_seconds + point.first_deal_seconds,
        },
    )


SPEED: dict[str, Callable[[Path, bool, Say], list[Figure]]] = {
    "activation": the_activation,
    "server": the_server,
    "growth": the_growth,
    "renewal_day": the_renewal_day,
    "renewal_day_full": the_full_renewal_day,
}
