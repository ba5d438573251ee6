"""The small form of the storm (`make bench-events` has the large one), on PostgreSQL."""

from pathlib import Path

from bench.postgres import own_postgres
from bench.storm import VICTIMS, Storm, storm

SEED = 7


async def test_a_storm_ends_as_calm_does_and_does_everything_once(tmp_path: Path) -> None:
    with own_postgres() as store_url:
        report = await storm(tmp_path, Storm(SEED, contracts=8, events=300, per_second=60), store_url)
    assert report.differences == [], report.verdict
    assert report.events >= 300
    assert report.sent > 1.5 * report.events
    assert [victim.split()[0] for victim in report.killed] == list(VICTIMS)
    once = {kind: report.effects[kind] for kind in ("customers", "subscriptions", "activations", "companies", "plans")}
    assert set(once.values()) == {8}, report.effects
