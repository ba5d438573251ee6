"""What "once" can mean with a vendor, operation by operation (docs/effects in the design): the adapter declares it."""

from datetime import timedelta
from enum import StrEnum

from domain.base import Frozen


class Guarantee(StrEnum):
    """KEY and LOOKUP: exactly once. LEVEL: the last value stands. NONE: at most once, a doubt goes to a person."""

    KEY = "KEY"
    LOOKUP = "LOOKUP"
    LEVEL = "LEVEL"
    NONE = "NONE"


class EffectClass(Frozen):
    """One operation's declaration.

    `deadline` (D): total time one HTTP call may take. `commits_within` (S): the longest the vendor may still commit
    after we gave up. `key_life`: how long the vendor remembers an idempotency key; None: for ever.
    """

    guarantee: Guarantee
    deadline: timedelta = timedelta(seconds=5)
    commits_within: timedelta = timedelta(seconds=2)
    key_life: timedelta | None = None
