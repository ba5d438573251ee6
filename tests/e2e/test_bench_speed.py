"""The smallest form of `python -m bench activation`: both sides do the same. And how growth is drawn."""

from pathlib import Path

import pytest

from bench.activation import activations
from bench.plot import drawn

ACTIVITIES, CALLS = 6, 6  # at least: on a busy machine several levels become one


@pytest.mark.timeout(400)
async def test_an_activation_is_measured_beside_a_bare_workflow_with_the_same_calls(tmp_path: Path) -> None:
    seen = await activations(tmp_path, burst=1, rounds=1, at_a_rate=1, per_second=1.0, say=lambda line: None)
    assert seen.activities >= ACTIVITIES
    assert seen.calls >= CALLS
    for side in (seen.house, seen.bare):
        assert len(side.rates) == 1
        assert side.per_second > 0
        assert len(side.latencies) == 1
        assert 0 < side.percentile(0.5) <= side.percentile(0.99)
        assert {"worker", "temporal", "sandbox"} <= side.processor.keys()
    assert seen.throughput > 0


def test_growth_is_drawn_with_a_bar_for_each_size() -> None:
    names = ("active_ms", "worker_mb", "temporal_mb", "worker_until_first_deal_s", "idle_processor_percent")
    values = {f"growth_{size}_{name}": float(size) for size in (100, 1000) for name in names}
    values |= {f"growth_{size}_temporal_disk_kb_per_lifecycle": 40.0 for size in (100, 1000)}
    svg = drawn(values, (100, 1000), "2 cores")
    assert svg.startswith("<svg ")
    assert svg.count("<rect ") == 1 + 2 * 6
    assert ">1,000<" in svg
