"""One contract against what the systems hold of it: every difference, once, in one sentence."""

from collections.abc import Iterator
from typing import Any

from domain.ports.records import RunRecord
from domain.reconciling import crm_side, cs_side, erp_side
from domain.reconciling.difference import Found
from domain.reconciling.expected import Expected
from domain.reconciling.outside import Outside


def compare(expected: Expected, outside: Outside) -> list[Found]:
    """Differences of the systems that could be read. What is under way is not compared."""
    found: list[Found] = []
    if "erp" in outside.read:
        found += erp_side.compare(expected, outside)
    if "crm" in outside.read:
        found += crm_side.compare(expected, outside)
    if "cs" in outside.read:
        found += cs_side.compare(expected, outside)
    if "workflow" in outside.read:
        found += _runs(expected, outside.runs)
    return found


def _runs(expected: Expected, runs: list[RunRecord]) -> Iterator[Found]:
    if expected.over or any(run.running for run in runs):
        return
    where: dict[str, Any] = {"contract": expected.contract, "account": expected.account, "connection": "temporal"}
    if runs:
        sentence = f"the workflow of {expected.contract} is over, and the contract is in {expected.stage.value}"
        yield Found(kind="run_over", subject=runs[0].id, sentence=sentence, **where)
    else:
        sentence = f"no workflow runs for {expected.contract}, which is in {expected.stage.value}"
        yield Found(kind="run_missing", subject=expected.contract, sentence=sentence, **where)
