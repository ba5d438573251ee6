"""The code of the workflows is imported once for all runs: so no run may leave anything in it."""

from inspect import isclass, isroutine
from types import ModuleType
from typing import Any

from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.worker import Replayer

from starter.replaying.corpus import corpus
from starter.replaying.living import WORKFLOWS
from starter.runner import OneSandboxRunner
from workflows.carrying import CarriesTraces


def held(runner: OneSandboxRunner) -> dict[str, str]:
    """What the modules of the workflows hold that is not code, by its name."""
    modules = {
        name: module
        for importer in runner._importers.values()
        for name, module in importer.new_modules.items()
        if name.startswith("workflows")
    }
    return {of: text for name, module in modules.items() for of, text in data(name, vars(module)).items()}


def data(owner: str, names: dict[str, Any]) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, value in list(names.items()):
        if isclass(value) and value.__module__ == owner:
            found |= data(f"{owner}.{name}", vars(value))  # type: ignore[arg-type]  # a view of the class' own names
        elif not (name.startswith("__") or isclass(value) or isroutine(value) or isinstance(value, ModuleType)):
            found[f"{owner}.{name}"] = repr(value)
    return found


async def test_no_run_leaves_anything_in_the_code() -> None:
    runner = OneSandboxRunner()
    replayer = Replayer(
        workflows=WORKFLOWS,
        workflow_runner=runner,
        data_converter=pydantic_data_converter,
        interceptors=[CarriesTraces()],
    )
    (first,) = corpus(only=["happy_thrifty"])
    await replayer.replay_workflow(first.history)
    before = held(runner)
    assert "workflows.lanes.SYSTEMS" in before
    for recorded in corpus():
        await replayer.replay_workflow(recorded.history)
    assert held(runner) == before
