"""`python -m bench.faults.process MODULE`: one of the stack's processes as the campaign runs it.

The same code, with a clock of its own where FAULTS_CLOCK says by how many seconds, and with points at which it dies
where FAULTS_POINTS names their directory. Nothing of this is in the product.
"""

import importlib
import os
import runpy
import sys
import time
from datetime import datetime, timedelta, tzinfo
from pathlib import Path
from types import ModuleType, SimpleNamespace

CLOCK = "FAULTS_CLOCK"
OURS = ("activities", "adapters", "domain", "experience", "starter", "store", "vendors", "wiring")


def shifted(seconds: float) -> type[datetime]:
    """A datetime whose now is so many seconds from the machine's; each instant of the other is one of it."""

    class Kind(type):
        def __instancecheck__(cls, instance: object) -> bool:
            return isinstance(instance, datetime)

    class Shifted(datetime, metaclass=Kind):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]  # what is asked of it is a datetime
            return datetime.now(tz) + timedelta(seconds=seconds)

    return Shifted


def shift_clock(seconds: float, modules: dict[str, ModuleType]) -> None:
    """Give every module of ours that has a clock the shifted one. Workflow code has none; leases are the database's."""
    other, wall = shifted(seconds), SimpleNamespace(**vars(time))
    wall.time = lambda: time.time() + seconds
    for name, module in modules.items():
        if name.partition(".")[0] in OURS:
            for attribute, value in list(vars(module).items()):
                if value is datetime:
                    setattr(module, attribute, other)
                elif value is time:
                    setattr(module, attribute, wall)


def wear_points(directory: Path) -> None:
    from bench.faults.points import Points, Worn

    worn = Worn(Points(directory))
    for module, name, by in (
        ("wiring", "SqlLedger", worn.ledger),
        ("wiring", "SqlViews", worn.views),
        ("vendors", "SeenTransport", worn.way),
    ):
        composed = importlib.import_module(module)
        getattr(composed, name)  # what nobody takes from there is not put into its place either
        setattr(composed, name, by)


def main(module: str) -> None:
    importlib.import_module(module)
    if directory := os.environ.get("FAULTS_POINTS"):
        wear_points(Path(directory))
    if seconds := float(os.environ.get(CLOCK, "0")):
        shift_clock(seconds, dict(sys.modules))
    sys.argv = [module]
    runpy.run_module(module, run_name="__main__")


if __name__ == "__main__":
    main(sys.argv[1])
