"""The recording systems pass every kit: what a simulation is told by them, a connected system could have said."""

from datetime import UTC, datetime, timedelta

import pytest

from adapters.recording.crm import RecordingCrm
from adapters.recording.cs import RecordingCs
from adapters.recording.erp import RecordingErp
from adapters.recording.journal import Journal
from adapters.recording.signals import RecordingSupport, RecordingUsage
from adapters.recording.system import Outages
from domain.errors import SourceUnavailable
from domain.ports import DealStatus, NewRenewalOpportunity
from domain.readings import Read
from tests.kits.contracts import crm_contract, cs_contract, erp_contract, support_contract, usage_contract
from tests.kits.recording import recording_world

TestRecordingCrm = crm_contract(lambda: recording_world(RecordingCrm))
TestRecordingErp = erp_contract(lambda: recording_world(RecordingErp))
TestRecordingCs = cs_contract(lambda: recording_world(RecordingCs))
TestRecordingSupport = support_contract(lambda: recording_world(RecordingSupport))
TestRecordingUsage = usage_contract(lambda: recording_world(RecordingUsage))

NOON = datetime(2027, 3, 1, 12, tzinfo=UTC)


def at(journal: Journal, instant: datetime) -> None:
    journal.begun(Read(contract="crm/1/1", as_of=instant, subject="1"))


async def test_an_outage_begins_and_ends_by_business_time() -> None:
    journal = Journal()
    line = Outages("crm", journal)
    crm = RecordingCrm("crm", journal, line)
    line.add(NOON, NOON + timedelta(days=2))
    for instant in (NOON, NOON + timedelta(days=1), NOON + timedelta(days=2, seconds=-1)):
        at(journal, instant)
        with pytest.raises(SourceUnavailable, match="crm is down"):
            await crm.account_exists("001")
    for instant in (NOON - timedelta(seconds=1), NOON + timedelta(days=2)):
        at(journal, instant)
        assert await crm.account_exists("001") is False


async def test_what_is_noted_has_its_business_time_and_is_noted_once() -> None:
    journal = Journal()
    crm = RecordingCrm("crm", journal, Outages("crm", journal))
    crm.has("001", "006")
    new = NewRenewalOpportunity(
        account="001", renews_deal="006", contract="crm/1/1", name="Renewal", close_by=NOON.date()
    )
    at(journal, NOON)
    made = await crm.create_renewal_opportunity(new, key="renewal-opportunity:crm/1/1:1")
    at(journal, NOON + timedelta(days=1))
    assert await crm.create_renewal_opportunity(new, key="renewal-opportunity:crm/1/1:1") == made
    await crm.write_status(DealStatus(deal_id="006", contract="crm/1/1", status="active"))
    assert [(each.at, each.key, each.operation) for each in journal.entries] == [
        (NOON, "renewal-opportunity:crm/1/1:1", "crm.create_renewal_opportunity"),
        (NOON + timedelta(days=1), "crm.write_status", "crm.write_status"),
    ]
