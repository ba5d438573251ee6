"""The small form of `python -m bench import`: an import and a promotion whose process is killed again and again."""

from pathlib import Path

from bench.importing import EACH, importing

CONTRACTS, KILLS, SEED = 60, 3, 5


async def test_nothing_is_written_before_the_promotion_and_each_thing_once_after_it(tmp_path: Path) -> None:
    seen = await importing(tmp_path, CONTRACTS, KILLS, SEED)
    assert seen.kills >= KILLS
    assert seen.before == 0
    assert seen.wrong == []
    assert seen.counts == {"promoted": CONTRACTS}
    assert {name: seen.after[name] for name in EACH} == dict.fromkeys(EACH, CONTRACTS)
