"""Gateway, dispatcher and worker as processes of their own, with tracing: what they send is one trace."""

from collections.abc import AsyncIterator

import pytest

from starter.sections import Tracing
from starter.stack import LocalStack
from starter.tracing import correlation
from tests.collector import Collector, collecting
from tests.intake import deal
from tests.stack import RunningStack

PROCESSES = ("gateway", "dispatcher", "worker")
NUMBER = "006-traced"
SALES = f"00-{'5a1e5' * 6}aa-{'5a1e5' * 3}a-01"
WON = "gateway: webhook crm > dispatcher: inbox tenure.deal.closed_won.v1 > dispatcher: deliver"
ACTIVATED = (
    f"{WON} > dispatcher: start CustomerLifecycle > worker: erp.activate_order > worker: POST erp.activate_order"
)
ANSWERED = f"{ACTIVATED} > gateway: webhook erp > dispatcher: inbox tenure.subscription.changed.v1"


@pytest.fixture
async def collector(town: RunningStack) -> AsyncIterator[Collector]:
    """The stack's own processes with tracing, and afterwards without it."""
    with collecting() as collector:
        traced = town.settings.model_copy(update={"tracing": Tracing(endpoint=collector.url)})
        await town.kill(*PROCESSES)
        town.stack, untraced = LocalStack(traced), town.stack
        try:
            await town.start(*PROCESSES)
            yield collector
        finally:
            await town.kill(*PROCESSES)
            town.stack = untraced
            await town.start(*PROCESSES)


async def test_a_won_deal_is_one_trace_through_every_process(town: RunningStack, collector: Collector) -> None:
    sold = deal(Id=NUMBER, AccountId=f"acc-{NUMBER}")["record"]
    await town.box.post("/crm/accounts", json={"Id": "001Dn00000PaReNtAA0", "Name": "Hooli Group"})
    answer = await town.box.post("/crm/opportunities", json=sold, headers={"traceparent": SALES})
    answer.raise_for_status()

    async def shown() -> set[str]:
        return {ACTIVATED, ANSWERED} & collector.paths(correlation(SALES))

    await town.until(shown, {ACTIVATED, ANSWERED})
    whose = [span for span in collector.spans if f"crm/{NUMBER}/1" in span.attributes.values()]
    assert {span.trace for span in whose} == {correlation(SALES)}
    assert "hooli" not in collector.raw.lower()
