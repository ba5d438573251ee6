"""A contract lived through: three years by themselves, and ten years with 30 changes, on a server of its own."""

import time
import tomllib
from dataclasses import dataclass

import wiring
from bench.town import ROOT
from domain.company import load_company
from domain.routes import Landscape
from starter.simulation.script import Script, read_script
from starter.simulation.server import own_server
from starter.simulation.whole import signed, simulate

EXAMPLES = ROOT / "examples"


@dataclass(frozen=True)
class Lived:
    """`seconds` without the server's start. `changes` were all made; `history`: events of its one run."""

    years: int
    changes: int
    effects: int
    history: int
    seconds: float
    starting: float
    one_run: bool


async def lived(years: int, script: str | None = None) -> Lived:
    """examples/contracts/annual_saas.toml, renewed every time, with a script of examples/simulations."""
    company = load_company((EXAMPLES / "company.toml").read_text(encoding="utf-8"))
    document = tomllib.loads((EXAMPLES / "contracts" / "annual_saas.toml").read_text(encoding="utf-8"))
    begun = signed(document, company, Landscape(), "crm")
    read = Script(decide="renew")
    if script is not None:
        read = read_script((EXAMPLES / "simulations" / script).read_text(encoding="utf-8"), begun.on)
    began = time.monotonic()
    async with own_server() as client:
        starting = time.monotonic() - began
        began = time.monotonic()
        future = await simulate(client, wiring.open_simulation, company, Landscape(), begun, read, years, name="bench")
        seconds = time.monotonic() - began
        described = await client.get_workflow_handle("simulation/bench").describe()
        info = described.raw_description.workflow_execution_info
        one_run = info.first_run_id == info.execution.run_id
    made = [line for line in future.lines if line.kind == "change" and "refused" not in line.what]
    effects = sum(line.kind == "effect" for line in future.lines)
    return Lived(years, len(made), effects, future.history, seconds, starting, one_run)
