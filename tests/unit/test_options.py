from datetime import timedelta

import pytest
from temporalio.workflow import ActivityConfig

from workflows.options import ATTEMPT, EFFECT, PROBE, TURN, retry_delay


@pytest.mark.parametrize(
    ("failures", "minutes"), [(1, 1), (2, 2), (3, 4), (9, 256), (10, 360), (11, 360), (1_000_000, 360)]
)
def test_a_lane_waits_twice_as_long_after_each_failure_up_to_six_hours(failures: int, minutes: int) -> None:
    assert retry_delay(failures) == timedelta(minutes=minutes)


@pytest.mark.parametrize("options", [EFFECT, PROBE])
def test_an_attempt_that_may_wait_for_its_limit_is_noticed_dead_as_soon_as_one_that_may_not(
    options: ActivityConfig,
) -> None:
    assert options["heartbeat_timeout"] == ATTEMPT
    assert options["start_to_close_timeout"] == TURN + ATTEMPT
