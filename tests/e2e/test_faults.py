"""The short form of the fault campaign (`make faults` is the long one): few deaths, each shared by all lifecycles."""

from pathlib import Path

import pytest

from bench.faults.plan import Fault, Plan
from bench.faults.round import play

PLAN = Plan(
    seed=4711,
    lives=12,
    postgres=False,
    faults=(
        Fault("die", "create_customer", 0.0, {"boundary": "committed", "nth": 4}),
        Fault("die", "start_billing", 0.0, {"boundary": "answered", "nth": 9}),
        Fault("kill", "temporal", 0.5),
        Fault("outside", "lose_answer", 0.1, {"system": "erp", "kind": "lose_answer", "times": 3}),
        Fault("outside", "rate_limit", 0.3, {"system": "cs", "kind": "rate_limit", "retry_after": "1", "times": 3}),
        Fault("outside", "garbage", 0.4, {"system": "erp", "kind": "garbage", "times": 1}),
        Fault("clock", "dispatcher", 0.0, {"seconds": -240}),
    ),
)


@pytest.mark.timeout(400)  # a machine that is busy with other things still ends it
async def test_every_effect_is_there_once_whatever_dies(tmp_path: Path) -> None:
    played = await play(tmp_path, PLAN, per_second=14, patience=170)
    assert [str(each) for each in played.findings] == []
    assert len(played.fired) == 2
