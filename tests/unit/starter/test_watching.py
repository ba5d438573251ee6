"""What `/metrics` says of stages, cases, differences and the answers of the systems."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from domain.call_times import CallTimes
from starter.metrics import StoreCollector
from store.call_times import SqlCallTimes, call_times
from store.clocks import note_sweep
from store.database import Database
from store.difference_tables import DifferenceRow, ReconciliationRow
from store.tables import CaseRow, LifecycleViewRow, utc_now
from store.watching import STUCK, note_look
from tests.stores import lay

AGO = timedelta(seconds=100)


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    url = f"sqlite:///{tmp_path / 'store.db'}"
    lay(url)
    database = Database(url)
    yield database
    database.close()


def scrape(database: Database) -> dict[str, float]:
    """By the metric's name and its labels' values."""
    registry = CollectorRegistry()
    registry.register(StoreCollector(database))
    return {
        ",".join([sample.name, *sample.labels.values()]): sample.value
        for family in text_string_to_metric_families(generate_latest(registry).decode())
        for sample in family.samples
    }


def times(*seconds: float, failed: int = 0) -> CallTimes:
    measured = CallTimes()
    for n, each in enumerate(seconds):
        measured.add(each, n < failed)
    return measured


def view(contract: str, stage: str) -> LifecycleViewRow:
    return LifecycleViewRow(
        contract=contract, run_started=utc_now(), sequence=1, stage=stage, account="a", needs_attention=False, view={}
    )


def difference(id: str, **fields: Any) -> DifferenceRow:
    return DifferenceRow(id=id, kind="missing", klass="c", system="erp", sentence="s", **fields)


async def test_stages_cases_and_differences(database: Database) -> None:
    now = utc_now()

    def fill(session: Any) -> None:
        session.add_all([view("a", "serving"), view("b", "serving"), view("c", "renewal")])
        note_sweep(session, now - AGO)
        session.add(CaseRow(id="1", kind="unlinked_deal", title="t", opened_at=now - AGO))
        session.add(CaseRow(id="3", kind=STUCK, title="t"))
        note_look(session)
        session.add(CaseRow(id="2", kind="unlinked_deal", title="t", opened_at=now - 9 * AGO, state="resolved"))
        session.add(difference("1", owner="finance", found_at=now - AGO))
        session.add(difference("2", owner="ops"))
        session.add(difference("3", owner="ops", status="healed", found_at=now - 9 * AGO))
        session.add(ReconciliationRow(started_at=now - 3 * AGO, ended_at=now - 2 * AGO, healed=3))
        session.add(ReconciliationRow(started_at=now - AGO, healed=4))

    await database.write(fill)
    found = scrape(database)
    assert {name: found[f"tenure_lifecycles,{name}"] for name in ("serving", "renewal")} == {"serving": 2, "renewal": 1}
    assert found["tenure_sla_swept_seconds"] == pytest.approx(100, abs=20)
    assert found["tenure_stuck_lifecycles"] == 1
    assert found["tenure_watchdog_seconds"] == pytest.approx(0, abs=20)
    assert found["tenure_case_oldest_seconds,unlinked_deal"] == pytest.approx(100, abs=20)
    assert found["tenure_differences,missing,finance"] == found["tenure_differences,missing,ops"] == 1
    assert found["tenure_difference_oldest_seconds"] == pytest.approx(100, abs=20)
    assert found["tenure_differences_healed_total"] == 7
    assert found["tenure_reconciled_seconds"] == pytest.approx(200, abs=20)


async def test_what_never_was_is_no_zero(database: Database) -> None:
    found = scrape(database)
    assert found["tenure_reconciled_seconds"] == found["tenure_sla_swept_seconds"] == float("inf")
    assert found["tenure_difference_oldest_seconds"] == 0
    assert (found["tenure_stuck_lifecycles"], found["tenure_watchdog_seconds"]) == (0, float("inf"))
    assert found["tenure_store_up"] == 1


async def test_calls_of_several_processes_are_one_histogram(database: Database) -> None:
    await SqlCallTimes(database).add({"erp": times(0.01, 0.3, 40, failed=1), "cs": times(0.2)}, {})
    await SqlCallTimes(database).add({"erp": times(0.04, 0.3, failed=2)}, {})
    found = scrape(database)
    buckets = {bound: found[f"tenure_call_seconds_bucket,erp,{bound}"] for bound in ("0.05", "0.25", "0.5", "+Inf")}
    assert buckets == {"0.05": 2, "0.25": 2, "0.5": 4, "+Inf": 5}
    assert found["tenure_call_seconds_count,erp"] == 5
    assert found["tenure_call_seconds_sum,erp"] == pytest.approx(40.65)
    assert found["tenure_calls_failed_total,erp"] == 3
    assert found["tenure_call_seconds_count,cs"] == 1


async def test_lately_is_told_apart_from_ever(database: Database) -> None:
    book = SqlCallTimes(database)
    await book.add({"erp": times(0.2, 0.2)}, {})
    lately = await database.read(lambda session: call_times(session, last=3600))
    assert lately["erp"].count == 2
    assert lately["erp"].within(0.5) == pytest.approx(0.175)
    assert await database.read(lambda session: call_times(session, last=-3600)) == {}


async def test_it_adds_up_on_postgresql_too(postgres_url: str) -> None:
    database = Database(postgres_url)
    for _ in range(2):
        await SqlCallTimes(database).add({"erp": times(0.2, failed=1)}, {})
    found = scrape(database)
    database.close()
    assert (found["tenure_call_seconds_count,erp"], found["tenure_calls_failed_total,erp"]) == (2, 2)
