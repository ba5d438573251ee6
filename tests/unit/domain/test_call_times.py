"""Call times in classes: what can be said of them."""

import pytest

from domain.call_times import BOUNDS, CallTimes


def measured(*seconds: float) -> CallTimes:
    times = CallTimes()
    for each in seconds:
        times.add(each, failed=False)
    return times


def test_a_call_as_long_as_a_bound_is_within_it() -> None:
    assert measured(*BOUNDS[:-1]).up_to() == (1, 2, 3, 4, 5, 6, 7, 8, 9, 9)


@pytest.mark.parametrize(
    ("seconds", "share", "within"),
    [
        ((), 0.5, None),
        ((0.01,), 1.0, 0.05),
        ((0.3, 0.3, 0.3, 0.3), 0.5, 0.375),
        ((0.01,) * 95 + (3.0,) * 5, 0.95, 0.05),
        ((0.01,) * 95 + (3.0,) * 5, 0.99, 4.5),
        ((100.0,), 0.5, 30.0),
    ],
)
def test_within(seconds: tuple[float, ...], share: float, within: float | None) -> None:
    assert measured(*seconds).within(share) == (None if within is None else pytest.approx(within))
