"""What a contract costs, as figures: `python -m bench cost`. What it measures is left for the model, bench/scale.py."""

import asyncio
import json
from pathlib import Path
from typing import Protocol

from bench.cost import reference_years
from bench.figures import Figure, machine
from bench.town import ROOT

MEASURED = ROOT / "bench" / "results" / "scale-inputs.json"


class Sizes(Protocol):
    @property
    def reference_lives(self) -> int: ...


def the_cost(home: Path, sizes: Sizes, seed: int) -> list[Figure]:
    found = asyncio.run(reference_years(home, sizes.reference_lives))
    MEASURED.parent.mkdir(exist_ok=True)
    MEASURED.write_text(json.dumps(found.inputs(machine()), indent=2) + "\n", encoding="utf-8")
    return [
        Figure(
            f"cost: {name} year of {sizes.reference_lives} contracts, each",
            f"{year.actions:.0f} actions, {year.events:.0f} events, {year.bytes / 1000:.0f} KB; "
            f"{year.cpu_seconds:.2f} s here and {year.server_cpu_seconds:.2f} s in the server; "
            f"{year.writes:.0f} transactions, {year.store_bytes / 1000:.0f} KB in the store; "
            f"{sum(year.calls.values()):.0f} calls",
            f"{most} actions",
            year.actions <= most,
            {f"{name}_year_actions": year.actions, f"{name}_year_bytes": year.bytes},
        )
        for name, year, most in (("first", found.first_year, 60), ("further", found.further_year, 35))
    ]
