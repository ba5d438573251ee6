"""`python -m tests.replay.record [--again] [PATH …]`: live each path that this version's corpus lacks on the embedded
server, and write its history.

What is recorded guards the lives that began with it: `--again` is for a path of a version that nobody runs yet.
"""

import asyncio
import gzip
import json
import logging
import shutil
import sys
import tempfile
import tomllib
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from temporalio.client import WorkflowHistory
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.testing import WorkflowEnvironment

from domain.calendar import civil_date
from domain.document import apply_fixes
from domain.finance.commands import ApproveOrder
from domain.messages import (
    AmendmentWon,
    CancelOrder,
    CollectionsChanged,
    CreditHoldChanged,
    EndContract,
    FixOrder,
    ForecastRenewal,
    MilestoneReached,
    PurchaseOrderReceived,
    RenewalLost,
    RenewalWon,
    RenewContract,
    RetryStep,
    SupportChanged,
)
from domain.view import LifecycleView
from starter.replaying.corpus import EXPECTED, HISTORIES, HISTORY, as_expected
from starter.replaying.living import live_again
from starter.stack_specs import TEMPORAL_TIME_TRAVEL
from tests.conftest import FAST
from tests.house import House, Life, open_house
from tests.replay.changing import change_in_every_way
from tests.states import EVERGREEN
from tests.workflow.lives import (
    HOOLI,
    calls,
    clock,
    done,
    eventually,
    go_live,
    open_window,
    opportunity,
    rests,
    to_day,
    to_end,
    to_term_end,
)
from workflows.desk import SEARCH_ATTRIBUTES
from workflows.lifecycle import CustomerLifecycle


async def _start(house: House, path: str, payload: str = HOOLI, /, **changes: Any) -> Life:
    record = house.payload(payload)
    usage = {"active": 45, "entitled": 50}
    token = {"Authorization": "Bearer sandbox"}
    await house.http.put(f"/usage/accounts/{record['AccountId']}", json=usage, headers=token)
    return await house.start(record, f"corpus/{path}/1", **changes)


async def _serve(life: Life) -> None:
    await life.until(lambda view: done(view, "onboarding") and rests(view))
    await go_live(life)


async def _end_soon(life: Life) -> None:
    day = (await clock(life)).date() + timedelta(days=10)
    await life.handle.execute_update(CustomerLifecycle.end, EndContract(by="csm", reason="moved away", on=day))
    await to_end(life, day)


async def happy(house: House) -> Life:
    """Overdue and paid, an upsell, renewed by a won opportunity, ended in the second term."""
    life = await _start(house, "happy")
    await _serve(life)
    await life.tell(CollectionsChanged(delinquent=("INV-1",), overdue_since=(await clock(life)).date()))
    await life.until(lambda view: view.risk == "medium")
    await life.tell(CollectionsChanged())
    await life.until(lambda view: view.risk == "low")
    await life.tell(AmendmentWon(deal="UP-1", mode="difference", changes={"PLATFORM": Decimal(25)}))
    await life.until(rests)
    view = await open_window(life)
    await life.tell(RenewalWon(opportunity=opportunity(view)))
    await life.until(lambda view: done(view, "renewal"))
    await to_term_end(life)
    await life.until(lambda view: view.term == 2 and rests(view))
    await _end_soon(life)
    return life


async def bad_order_fixed(house: House) -> Life:
    """An order with two mistakes waits as a case, is mended and goes on."""
    life = await _start(house, "bad_order_fixed", "salesforce_new_broken")
    await life.until(lambda view: view.cases)
    [broken] = await life.orders.revisions(life.contract)
    mended = apply_fixes(broken.document, {"sold_to.tax_id": "DE123456788", "lines[0].product": "ONBOARDING"})
    revision = await life.orders.add(life.contract, mended, "ops")
    await life.handle.execute_update(CustomerLifecycle.fix_order, FixOrder(revision=revision, by="ops"))
    await _serve(life)
    await _end_soon(life)
    return life


async def churn(house: House) -> Life:
    """The renewal opportunity is lost: the contract ends with its term."""
    life = await _start(house, "churn")
    await _serve(life)
    view = await open_window(life)
    await life.tell(RenewalLost(opportunity=opportunity(view)))
    assert view.term_ends is not None
    await to_end(life, view.term_ends)
    return life


async def cancelled_early(house: House) -> Life:
    """Cancelled while the ERP makes the subscription: that is undone."""
    await house.fault(system="erp", operation="create_subscription", kind="slow", seconds=1, times=1)
    life = await _start(house, "cancelled_early")

    async def asked() -> bool:
        return bool(await calls(house, "erp", "create_subscription"))

    await eventually(asked)
    await life.handle.execute_update(CustomerLifecycle.cancel, CancelOrder(by="sales", reason="won by mistake"))
    return life


async def continued(house: House) -> Life:
    """A run that was begun by continue-as-new, with everything that its predecessor knew: amended, and ended."""
    life = await _start(house, "continued")
    # the handle follows the chain of runs
    life.handle = house.client.get_workflow_handle_for(CustomerLifecycle.run, life.handle.id)
    await life.until(lambda view: done(view, "onboarding") and rests(view))
    first = (await life.handle.describe()).run_id

    async def begun_anew() -> bool:
        await life.tell(SupportChanged(severities={2: life.seq % 2}))
        await life.until(rests)
        return (await life.handle.describe()).run_id != first

    await eventually(begun_anew)
    await life.tell(AmendmentWon(deal="UP-1", mode="difference", changes={"PLATFORM": Decimal(25)}))
    view = await life.until(rests)
    assert view.as_of is not None
    ending = EndContract(by="csm", reason="moved away", on=civil_date(view.as_of, view.zone))
    await life.handle.execute_update(CustomerLifecycle.end, ending)
    return life


async def finance(house: House) -> Life:
    """Approved above the limit, held for credit, billed when its purchase order came, dated anew, and told too late."""
    record = house.payload(HOOLI)
    terms = {"terms.uplift_reference": "CPI-2027", "terms.price_notice_days": 90}
    life = await house.start(record, "corpus/finance/1", **{"lines[1].quantity": 1000, "purchase_order": None, **terms})
    await life.until(lambda view: view.cases)
    await life.tell(CreditHoldChanged(invoices=("INV-7",)))
    await life.handle.execute_update(CustomerLifecycle.approve, ApproveOrder(revision=1, by="fin"))
    await life.until(lambda view: done(view, "customer") and rests(view))
    await life.tell(CreditHoldChanged())
    await life.until(lambda view: done(view, "onboarding") and rests(view))
    await life.travel(8)
    await life.until(lambda view: view.cases)
    await life.tell(PurchaseOrderReceived(number="PO-9"))
    await life.until(lambda view: done(view, "billing-start") and rests(view))
    opens = (await clock(life)).date() + timedelta(days=3)
    (await house.http.post("/admin/books", json={"opens_on": opens.isoformat()})).raise_for_status()
    await life.tell(MilestoneReached(milestone="go-live", on=(await clock(life)).date()))
    [case] = (await life.until(lambda view: view.cases)).cases
    again = RetryStep(case=case.id, by="fin", on=opens)
    await life.handle.execute_update(CustomerLifecycle.retry_step, again)
    view = await life.until(lambda view: all(line.billing_starts for line in view.lines) and rests(view))
    assert view.price_notice is not None
    await to_day(life, view.price_notice.due + timedelta(days=1))
    await life.until(lambda view: view.cases and "can't apply" in view.cases[0].title)
    await _end_soon(life)
    return life


async def watched(house: House) -> Life:
    """A renewal with a silent source, checkpoints and a note, that nobody decides until finance does."""
    life = await _start(house, "watched", HOOLI, **{"terms.notice_days": 5})
    await _serve(life)
    await house.fault(system="support", kind="down", retry_after="0")
    view = await open_window(life)
    assert view.term_ends is not None
    await life.travel(0.2)
    await house.mend()
    await life.travel(1)
    token = {"Authorization": "Bearer sandbox"}
    low = {"active": 5, "entitled": 50}
    await house.http.put(f"/usage/accounts/{view.account}", json=low, headers=token)
    await to_day(life, view.term_ends - timedelta(days=60))
    await life.until(lambda view: any(key.endswith(":60-days") for key in view.effects))
    said = ForecastRenewal(by="csm", category="at_risk", reason="nobody uses it")
    await life.handle.execute_update(CustomerLifecycle.forecast, said)
    await to_day(life, view.term_ends - timedelta(days=6))
    await life.until(lambda view: view.cases)
    await to_term_end(life)
    await life.until(lambda view: view.cases and view.cases[0].actor == "finance")
    await life.handle.execute_update(CustomerLifecycle.renew, RenewContract(by="fin"))
    await life.until(lambda view: view.term == 2 and rests(view))
    await _end_soon(life)
    return life


def _reviewed(number: int) -> Callable[[LifecycleView], bool]:
    return lambda view: f"review-{number}" in str(view.effects) and rests(view)


async def reviewed(house: House) -> Life:
    """An evergreen contract, reviewed twice and ended."""
    life = await _start(house, "reviewed", HOOLI, **EVERGREEN)
    await _serve(life)
    for number in (1, 2):
        opens = (await life.view()).review_opens
        assert opens is not None
        await to_day(life, opens)
        await life.until(_reviewed(number))
    await _end_soon(life)
    return life


async def changed(house: House) -> Life:
    """Amended, extended, paused, given notice, moved to another currency, renewed early, and ended."""
    life = await _start(house, "changed")
    await _serve(life)
    await change_in_every_way(life)
    await _end_soon(life)
    return life


PATHS: dict[str, Callable[[House], Awaitable[Life]]] = {
    play.__name__: play
    for play in (happy, bad_order_fixed, churn, cancelled_early, continued, finance, watched, reviewed, changed)
}

AGAIN = "--again"

# a skipped clock and continue-as-new do not go together: each path has the server that it needs
RESTLESS = ("--dynamic-config-value", "limit.historyCount.suggestContinueAsNew=80")
SERVERS = {"continued": RESTLESS}


async def record(names: list[str], folder: Path) -> None:
    for arguments in (TEMPORAL_TIME_TRAVEL, RESTLESS):
        here = [name for name in names if SERVERS.get(name, TEMPORAL_TIME_TRAVEL) == arguments]
        if here:
            await _record_on(arguments, here, folder)


async def _record_on(arguments: Sequence[str], names: list[str], folder: Path) -> None:
    binary = Path(sys.executable).with_name("temporal")
    async with await WorkflowEnvironment.start_local(
        data_converter=pydantic_data_converter,
        identity="recorder",
        dev_server_existing_path=str(binary if binary.exists() else shutil.which("temporal")),
        dev_server_extra_args=[*FAST, *arguments],
        dev_server_log_level="error",
        search_attributes=SEARCH_ATTRIBUTES,
    ) as environment:
        for name in names:
            with tempfile.TemporaryDirectory() as home:
                async with open_house(environment.client, Path(home), task_queue="corpus") as house:
                    life = await PATHS[name](house)
                    await life.handle.result()
                    await _write(name, await life.handle.fetch_history(), folder)


async def _write(name: str, fetched: WorkflowHistory, folder: Path) -> None:
    told = _without_traces(fetched.to_json_dict())
    history = WorkflowHistory.from_json(f"replay-{name}", told)
    expected = json.dumps(as_expected(await live_again(history)), indent=1, sort_keys=True)
    (folder / f"{name}{HISTORY}").write_bytes(gzip.compress(json.dumps(told, indent=1).encode(), 9, mtime=0))
    (folder / f"{name}{EXPECTED}").write_text(expected + "\n")


def _without_traces(node: Any) -> Any:
    """Stack traces name files of the machine on which they were made."""
    if isinstance(node, dict):
        return {key: _without_traces(value) for key, value in node.items() if key != "stackTrace"}
    return [_without_traces(value) for value in node] if isinstance(node, list) else node


def version() -> str:
    """The version whose lives are recorded."""
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]
    return str(project["version"])


def main() -> None:
    names = [word for word in sys.argv[1:] if word != AGAIN]
    unknown = set(names) - set(PATHS)
    if unknown:
        sys.exit(f"no such path: {', '.join(sorted(unknown))}; there are {', '.join(PATHS)}")
    logging.disable(logging.WARNING)
    folder = HISTORIES / version()
    folder.mkdir(parents=True, exist_ok=True)
    missing = [name for name in names or PATHS if AGAIN in sys.argv or not (folder / f"{name}{EXPECTED}").exists()]
    asyncio.run(record(missing, folder))


if __name__ == "__main__":
    main()
