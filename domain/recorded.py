"""What a recording system notes of an effect."""

from datetime import datetime
from typing import Any

from domain.base import Frozen
from domain.steps import Step


class Recorded(Frozen):
    """One effect that happened outside, once. `at` is business time; `operation` is "<connection>.<method>", as in the
    ledger; `told` is what the system was told, as JSON. `step`: the decision behind it; None where there was none.
    """

    at: datetime
    key: str
    operation: str
    told: dict[str, Any]
    step: Step | None = None
