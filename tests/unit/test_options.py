from datetime import timedelta

import pytest

from workflows.options import retry_delay


@pytest.mark.parametrize(
    ("failures", "minutes"), [(1, 1), (2, 2), (3, 4), (9, 256), (10, 360), (11, 360), (1_000_000, 360)]
)
def test_a_lane_waits_twice_as_long_after_each_failure_up_to_six_hours(failures: int, minutes: int) -> None:
    assert retry_delay(failures) == timedelta(minutes=minutes)
