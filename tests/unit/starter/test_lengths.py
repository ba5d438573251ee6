"""What people write into a command is short enough to be kept for years."""

from decimal import Decimal

import pytest

from domain.changes.kinds import Amend, ChangeContract, Pause
from starter.lengths import check_lengths
from starter.mistakes import Mistake


@pytest.mark.parametrize(
    ("command", "told"),
    [
        (ChangeContract(id="x" * 2001, by="ann", change=Amend()), "id has 2001 characters; at most 2000"),
        (ChangeContract(id="c", by="ann", change=Pause(reason="x" * 2001)), "reason has 2001 characters"),
        (ChangeContract(id="c", by="ann", change=Amend(removed=("x" * 3000,))), "removed has 3000 characters"),
        (
            ChangeContract(id="c", by="ann", change=Amend(quantities={"x" * 3000: Decimal(1)})),
            "a key has 3000 characters",
        ),
    ],
    ids=["an id", "a reason", "in a list", "a key"],
)
def test_a_text_that_nobody_reads_is_refused(command: ChangeContract, told: str) -> None:
    with pytest.raises(Mistake, match=told):
        check_lengths(command)


def test_what_people_write_is_taken() -> None:
    check_lengths(ChangeContract(id="x" * 2000, by="ann", change=Pause(reason="x" * 2000)))
