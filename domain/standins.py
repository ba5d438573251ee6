"""What stands where the id of a record outside would: the step counts as done, and there is no such record of ours."""

WITHHELD = "withheld"
"""Decided, and not performed: its stage only observes, or the lifecycle is in shadow."""
OFF = "off"
"""Somebody else's: its stage is off."""
ELSEWHERE = "elsewhere"
"""Done, or left undone, by the process before Tenure; whatever record there is has not been told."""
BILLED_ELSEWHERE = "billed-elsewhere"
"""A reseller or marketplace bills the line."""

STAND_INS = frozenset({WITHHELD, OFF, ELSEWHERE, BILLED_ELSEWHERE})


def is_real(ref: str | None) -> bool:
    """Whether it is the id of a record outside."""
    return bool(ref) and ref not in STAND_INS
