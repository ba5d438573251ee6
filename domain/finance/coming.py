"""Something of finance's that falls due by itself."""

from collections.abc import Callable
from datetime import datetime
from typing import NamedTuple

from domain.state import LifecycleState


class Coming(NamedTuple):
    """`come` is what happens at `at`; afterwards it is coming no more."""

    at: datetime
    what: str
    come: Callable[[LifecycleState, datetime], None]
