"""`tenure forecast`: what it takes, before anything is asked of a server."""

import pytest

from starter.cli.forecasting import forecast
from starter.mistakes import Mistake


@pytest.mark.parametrize(
    ("category", "withdraw", "why"),
    [
        (None, False, "give a category, or --withdraw"),
        ("commit", True, "give a category, or --withdraw"),
        ("likely", False, "unknown category 'likely'; known: commit, best-case, at-risk, churn"),
    ],
)
def test_what_is_no_forecast_is_one_line(category: str | None, withdraw: bool, why: str) -> None:
    with pytest.raises(Mistake, match=why):
        forecast("crm/d1/1", category, reason="said so", withdraw=withdraw)
