"""The benches of speed: each figure beside its floor, measured in the same run. `make bench` runs them."""

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path

from bench.activation import Compared, activations
from bench.figures import Figure

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


SPEED: dict[str, Callable[[Path, bool, Say], list[Figure]]] = {
    "activation": the_activation,
}
