"""What came of a forecast, by the snapshots that followed."""

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest

from domain.measures.forecasts import Snapshot, what_came
from domain.view import Stage

WAS = Snapshot(
    contract="crm/1/1", day=date(2027, 1, 1), account="A", stage=Stage.SERVING, term=1, term_ends=date(2027, 6, 1),
    category="commit", currency="EUR", annual=Decimal(100),
)  # fmt: skip


def later(day: int, **changes: Any) -> Snapshot:
    return WAS.model_copy(update={"day": WAS.day + timedelta(days=day), **changes})


NEXT = {"term": 2, "term_ends": date(2028, 6, 1), "annual": Decimal(120)}


@pytest.mark.parametrize(
    ("followed", "today", "came", "on", "annual"),
    [
        ([], date(2027, 5, 31), "open", None, None),
        ([], date(2027, 6, 1), "undecided", None, None),
        ([later(151, stage=Stage.OUT_OF_TERM)], date(2027, 7, 1), "undecided", None, None),
        ([later(9, decision="renew"), later(151, **NEXT)], date(2027, 7, 1), "renewed", 151, 120),
        ([later(9, decision="renew")], date(2027, 2, 1), "renewed", 9, 100),
        ([later(9, decision="renew"), later(12)], date(2027, 2, 1), "open", None, None),
        ([later(9, decision="end"), later(20, stage=Stage.ENDED)], date(2027, 7, 1), "lost", 9, 0),
        ([later(9, stage=Stage.ENDING), later(12)], date(2027, 2, 1), "open", None, None),
        ([later(9, stage=Stage.ENDING), later(20, stage=Stage.ENDED)], date(2027, 7, 1), "lost", 9, 0),
        ([later(160, **NEXT), later(300, **NEXT | {"stage": Stage.ENDED})], date(2028, 7, 1), "renewed", 160, 120),
    ],
)
def test_what_came(followed: list[Snapshot], today: date, came: str, on: int | None, annual: int | None) -> None:
    outcome = what_came(WAS, followed, today)
    assert outcome.came == came
    assert outcome.on == (None if on is None else WAS.day + timedelta(days=on))
    assert outcome.annual == (None if annual is None else Decimal(annual))
