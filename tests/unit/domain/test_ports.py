"""What is asked of the ERP is compared by the ledger and by the ERP itself, with what an older Tenure asked."""

from datetime import date
from decimal import Decimal

from domain.ports import Amendment, LineState, SubscriptionLine
from domain.steps import AmendSubscription
from domain.terms import ChargeType, Frequency

LINE = SubscriptionLine(
    id="1", product="P", quantity=Decimal(1), unit_price=None, charge=ChargeType.RECURRING, frequency=Frequency.ANNUAL
)
PLAIN = {"subscription": "s", "effective": date(2027, 1, 1), "quantities": {"1": Decimal(2)}}


def test_what_says_nothing_new_is_the_question_that_it_was() -> None:
    assert set(LINE.model_dump()) == {"id", "product", "quantity", "unit_price", "charge", "frequency"}
    assert Amendment(**PLAIN).model_dump() == PLAIN
    step = AmendSubscription(key="amendment:c:1", **PLAIN)
    assert step.model_dump().keys() == {"do", "key", "former", *PLAIN}
    state = LineState(line="1", quantity=Decimal(1), billed_from=None, accepted_on=None, revenue="none")
    assert not state.model_dump().keys() & {"starts", "ends"}


def test_what_says_something_new_is_another_question() -> None:
    assert LINE.model_copy(update={"starts": date(2027, 1, 1)}).model_dump()["starts"] == date(2027, 1, 1)
    amendment = Amendment(**PLAIN, added=(LINE,), removed=("2",))
    assert (len(amendment.model_dump()["added"]), amendment.model_dump()["removed"]) == (1, ("2",))
