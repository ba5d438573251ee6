"""What a bench hands back: lines of the table, and numbers for whoever reckons with them."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Figure:
    """One line of the table. `met` None: nothing is asked of it. `values` go into the JSON file: flat, with the unit in
    each name."""

    what: str
    found: str
    wanted: str = ""
    met: bool | None = None
    values: Mapping[str, float] = field(default_factory=dict)
