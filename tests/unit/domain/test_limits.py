"""The rule of the token bucket, as a pure function."""

from hypothesis import given, settings
from hypothesis import strategies as st

from domain.limits import AHEAD, Limit, Standing, room, soon

RATES = st.sampled_from([0.2, 1.0, 3.0, 5.0, 7.5, 100.0])


@given(
    rate=RATES,
    burst=st.integers(1, 20),
    asked=st.lists(st.tuples(st.floats(0, 3), st.booleans()), min_size=1, max_size=60),
    ahead=st.integers(0, 5),
)
@settings(deadline=None)
def test_however_it_is_asked_no_stretch_of_time_sees_more_than_a_bucket_holds(
    rate: float, burst: int, asked: list[tuple[float, bool]], ahead: int
) -> None:
    limit = Limit(per_second=rate, burst=burst)
    clock, earliest, given_at = 1_000.0, 0.0, []
    for pause, spare in asked:
        clock += pause
        left = room(limit, wanted=50, clock=clock, earliest=earliest, counted=0, active=0, spare=spare)
        later, earliest = soon(limit, wanted=0 if spare else ahead, clock=clock, earliest=left.earliest, counted=[])
        assert all(clock <= at <= clock + AHEAD for at in later)
        given_at += [*[clock] * left.turns, *later]
    given_at.sort()
    for n, begin in enumerate(given_at):
        for m, end in enumerate(given_at[n:], 1):
            assert m <= burst + rate * (end - begin) + 1e-3


@given(rate=RATES, burst=st.integers(1, 20))
def test_a_full_bucket_gives_its_burst_and_then_one_each_interval(rate: float, burst: int) -> None:
    limit = Limit(per_second=rate, burst=burst)
    first = room(limit, wanted=100, clock=50.0, earliest=-1_000.0, counted=0, active=0)
    assert first.turns == burst
    assert abs(first.earliest - (50.0 + 1 / rate)) < 1e-6
    again = room(limit, wanted=100, clock=first.earliest, earliest=first.earliest, counted=0, active=0)
    assert again.turns == 1


@given(rate=RATES, burst=st.integers(1, 20), idle=st.floats(0, 30))
def test_in_spare_time_one_place_is_left_and_asking_takes_nothing_from_anybody(
    rate: float, burst: int, idle: float
) -> None:
    limit = Limit(per_second=rate, burst=burst)
    clock, earliest = 1_000.0 + idle, 1_000.0
    usual = room(limit, wanted=50, clock=clock, earliest=earliest, counted=0, active=0)
    spare = room(limit, wanted=50, clock=clock, earliest=earliest, counted=0, active=0, spare=True)
    if spare.turns:
        assert burst == 1 or usual.turns == spare.turns + 1 or spare.turns == burst
    else:
        assert idle < 1 / rate + 1e-3
        after = room(limit, wanted=50, clock=clock, earliest=spare.earliest, counted=0, active=0)
        assert after.turns == usual.turns


def test_in_spare_time_a_call_waits_until_a_turn_was_left_untaken() -> None:
    limit = Limit(per_second=5, burst=1, concurrent=2)

    def turns(clock: float, active: int = 0) -> int:
        return room(limit, wanted=4, clock=clock, earliest=50.0, counted=0, active=active, spare=True).turns

    assert [turns(50.0), turns(50.1), turns(50.2), turns(50.2, active=1)] == [0, 0, 1, 0]


def test_what_counts_in_a_second_and_what_is_under_way_take_room() -> None:
    limit = Limit(per_second=5, burst=3, concurrent=4)
    assert limit.in_a_second == 7

    def room_with(counted: int, active: int) -> int:
        return room(limit, wanted=9, clock=50.0, earliest=0.0, counted=counted, active=active).turns

    assert (room_with(0, 0), room_with(5, 0), room_with(7, 0), room_with(9, 0)) == (3, 2, 0, 0)
    assert (room_with(0, 2), room_with(0, 4), room_with(0, 6)) == (2, 0, 0)


def test_a_turn_that_is_taken_ahead_waits_for_the_rate_and_for_the_second_to_be_over() -> None:
    limit = Limit(per_second=10, burst=2)  # eleven in a second
    at_the_rate, earliest = soon(limit, wanted=9, clock=50.0, earliest=50.05, counted=[50.9] * 3)
    assert [round(at, 6) for at in at_the_rate] == [50.05, 50.15, 50.25, 50.35]
    assert round(earliest, 6) == 50.45
    full, _ = soon(limit, wanted=9, clock=50.0, earliest=50.0, counted=[50.2, 50.3, *[50.9] * 9])
    assert [round(at, 6) for at in full] == [50.2, 50.3], "the third would be the twelfth"
    assert soon(Limit(concurrent=2), wanted=9, clock=50.0, earliest=50.0, counted=[]) == ((), 50.0)


def test_a_clock_that_was_set_back_or_a_limit_that_was_raised_holds_nobody_up() -> None:
    limit = Limit(per_second=10, burst=1)
    left = room(limit, wanted=1, clock=50.0, earliest=5_000.0, counted=0, active=0)
    assert (left.turns, left.earliest) == (0, 50.1 + AHEAD)


def test_without_a_rate_only_the_calls_at_once_are_counted() -> None:
    limit = Limit(concurrent=2)
    assert limit.in_a_second is None
    assert room(limit, wanted=5, clock=1.0, earliest=0.0, counted=99, active=1).turns == 1
    assert room(Limit(), wanted=5, clock=1.0, earliest=0.0, counted=99, active=99).turns == 5


def test_what_is_given_wins_field_by_field() -> None:
    configured = Limit(per_second=5, burst=5, concurrent=4)
    assert Standing().limit(configured) == configured
    assert Standing(given={"per_second": 3.0}).limit(configured) == Limit(per_second=3, burst=5, concurrent=4)
    assert Standing(given={"per_second": None, "concurrent": None}).limit(configured).none


def test_a_limit_says_what_it_is() -> None:
    said = [Limit(), Limit(per_second=0.5), Limit(per_second=5, burst=5, concurrent=4)]
    assert [str(each) for each in said] == ["none", "0.5/s", "5/s, burst 5, 4 at once"]
