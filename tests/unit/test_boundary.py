"""What an error of ours is to Temporal: its kind, whether it is tried again and when, and what a policy reads of it."""

from datetime import date, timedelta

import pytest
from temporalio.exceptions import ApplicationError

from activities.boundary import temporal_failures
from domain.errors import PeriodClosed, RateLimited, Rejected, TenureError


def failure(error: TenureError) -> ApplicationError:
    with pytest.raises(ApplicationError) as raised, temporal_failures():
        raise error
    return raised.value


def test_a_closed_period_carries_the_day_on_which_the_books_open() -> None:
    refused = failure(PeriodClosed("the books are closed", opens_on=date(2026, 12, 1)))
    assert (refused.type, refused.non_retryable) == ("PERIOD_CLOSED", True)
    assert list(refused.details) == [{"opens_on": "2026-12-01"}]
    assert list(failure(PeriodClosed("none is open")).details) == []


def test_what_has_nothing_to_say_beside_its_kind_has_no_details() -> None:
    assert list(failure(Rejected("no")).details) == []
    limited = failure(RateLimited("later", retry_after=timedelta(seconds=7)))
    assert (limited.non_retryable, limited.next_retry_delay) == (False, timedelta(seconds=7))
