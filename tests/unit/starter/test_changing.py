"""What a client writes about a change, read before anybody is asked."""

from decimal import Decimal

import pytest

from starter.changing import parse_quantities
from starter.mistakes import Mistake


def test_quantities_are_read_by_line_or_product() -> None:
    assert parse_quantities(["PLATFORM=75", " 2 = 1.5 "]) == {"PLATFORM": Decimal(75), "2": Decimal("1.5")}


@pytest.mark.parametrize("text", ["PLATFORM", "PLATFORM=", "=75", "PLATFORM=NaN", "PLATFORM=sNaN", "2=-Inf"])
def test_what_is_no_quantity_is_a_mistake(text: str) -> None:
    with pytest.raises(Mistake, match="is not a quantity"):
        parse_quantities([text])


def test_a_line_has_one_quantity() -> None:
    with pytest.raises(Mistake, match="PLATFORM is given twice, 60 and 70"):
        parse_quantities(["PLATFORM=60", "PLATFORM=70"])
