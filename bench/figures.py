"""What a bench hands back: lines of the table, and numbers for whoever reckons with them."""

import os
import platform
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


def machine() -> str:
    """What the figures depend on."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    python = platform.python_version()
    return f"{os.cpu_count()} cores, {memory:.0f} GB, {platform.system()} {platform.machine()}, Python {python}"
