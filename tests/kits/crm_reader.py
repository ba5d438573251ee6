"""The kit of the port CrmReader: whatever the CRM, the same deal read back is the same order."""

from datetime import timedelta
from pathlib import Path
from typing import Any, ClassVar

import pytest

from domain.errors import NotFound
from domain.mapping import Mapping, asked_for, canonical, load_mapping, summary
from domain.ports import ChangedDeal
from tests.kits.reads import Read, ReadContract
from tests.kits.world import CrmReaderWorld

EXAMPLES = Path(__file__).parents[2] / "examples"
SALESFORCE, HUBSPOT = (
    load_mapping((EXAMPLES / "mappings" / f"{vendor}.toml").read_text()) for vendor in ("salesforce", "hubspot")
)
ASKED_OF_SALESFORCE, ASKED_OF_HUBSPOT = asked_for(SALESFORCE), asked_for(HUBSPOT)
DEADLINE = timedelta(seconds=2)
DEAL = "006Dn000009XyZAIA0"
_ADDRESS = {"street": "Beispielstrasse 12", "city": "Berlin", "postal_code": "10117", "country": "DE"}
ORDER = {
    "deal_id": DEAL,
    "deal_name": "Hooli 50 seats",
    "signed_on": "2026-11-20",
    "selling_entity": "ACME-DE",
    "currency": "EUR",
    "purchase_order": "PO-4711",
    "account": {"id": "001Dn00000AbCdEIAV", "name": "Hooli GmbH", "parent_id": "001Dn00000PaReNtAA0"},
    "sold_to": {"name": "Hooli GmbH", "email": "ap@hooli.example", "tax_id": "DE123456788", "address": _ADDRESS},
    "terms": {
        "zone": "Europe/Berlin",
        "start": "on_activation",
        "initial_months": 12,
        "renewal_months": 24,
        "auto_renew": False,
        "notice_days": 30,
        "payment_terms_days": 45,
    },
    "lines": [
        {
            "id": "00k1",
            "product": "ONBOARDING",
            "quantity": "1",
            "unit_price": "6000",
            "charge": "one_time",
            "frequency": "once",
            "billing_start": "on_signature",
        },
        {
            "id": "00k2",
            "product": "PLATFORM",
            "quantity": "50.5",
            "unit_price": "1200.25",
            "charge": "recurring",
            "frequency": "annual",
            "billing_start": "on_milestone:go-live",
        },
    ],
}


def deal(deal_id: str = DEAL, **changes: Any) -> dict[str, Any]:
    """What ORDER is made from."""
    return {
        "Id": deal_id,
        "AccountId": "001Dn00000AbCdEIAV",
        "Name": "Hooli 50 seats",
        "StageName": "Closed Won",
        "Type": "New Business",
        "CloseDate": "2026-11-20",
        "CurrencyIsoCode": "EUR",
        "Selling_Entity__c": "ACME-DE",
        "Purchase_Order__c": "PO-4711",
        "Time_Zone__c": "Europe/Berlin",
        "Contract_Start__c": "on_activation",
        "Contract_Months__c": 12.0,
        "Renewal_Months__c": 24.0,
        "Auto_Renew__c": False,
        "Notice_Days__c": 30.0,
        "Payment_Terms_Days__c": 45.0,
        "Account": {
            "Name": "Hooli GmbH",
            "ParentId": "001Dn00000PaReNtAA0",
            "VAT_Id__c": "DE123456788",
            "Billing_Email__c": "ap@hooli.example",
            "BillingStreet": "Beispielstrasse 12",
            "BillingCity": "Berlin",
            "BillingPostalCode": "10117",
            "BillingCountryCode": "DE",
        },
        "OpportunityLineItems": _lines(
            line("00k1", "ONBOARDING", 1.0, 6000.0, Charge_Type__c="One-Time", Billing_Frequency__c="Once")
            | {"Billing_Start__c": "on_signature"},
            line("00k2", "PLATFORM", 50.5, 1200.25, Charge_Type__c="Recurring", Billing_Frequency__c="Annual"),
        ),
        **changes,
    }


def line(line_id: str, product: str, quantity: float, price: float, **fields: Any) -> dict[str, Any]:
    sold = {"ProductCode": product, "Quantity": quantity, "UnitPrice": price}
    return {"Id": line_id, **sold, "Billing_Start__c": "on_milestone:go-live", **fields}


def many_lines(count: int) -> dict[str, Any]:
    return _lines(*(line(f"00k{n:03d}", "PLATFORM", 1.0, 1.0) for n in range(count)))


def _lines(*records: dict[str, Any]) -> dict[str, Any]:
    return {"totalSize": len(records), "done": True, "records": list(records)}


class CrmReaderContract(ReadContract):
    """`mapping`: the vendor's own."""

    reads = ("read_deal", "changed_deals", "probe")
    mapping: ClassVar[Mapping]

    async def read(self, world: CrmReaderWorld, reading: str) -> Read:
        now = await world.pass_time(timedelta(0))
        if reading == "changed_deals":
            return lambda port: port.changed_deals(now - timedelta(hours=1))
        deal_id = f"006{now.timestamp():.6f}".replace(".", "")
        await world.put_deal(deal(deal_id))
        return lambda port: port.read_deal(deal_id)

    async def test_the_same_deal_is_the_same_order(self, world: CrmReaderWorld) -> None:
        await world.put_deal(deal())
        read = await world.port.read_deal(DEAL)
        order = canonical(read.record, self.mapping)
        assert order.pop("deal_version") in read.version
        order.pop("ship_to", None)  # where the CRM has no address for it, it is the sold-to's
        assert order == ORDER

    @pytest.mark.parametrize(
        ("stage", "outcome"), [("Closed Won", "won"), ("Closed Lost", "lost"), ("Negotiation", "open")]
    )
    async def test_the_outcome_is_told_and_stands_in_the_record(
        self, world: CrmReaderWorld, stage: str, outcome: str
    ) -> None:
        await world.put_deal(deal(StageName=stage))
        read = await world.port.read_deal(DEAL)
        assert read.outcome == outcome
        assert summary(read.record, self.mapping).outcome == outcome

    async def test_a_version_is_the_id_and_the_stamp_and_changes_with_the_deal(self, world: CrmReaderWorld) -> None:
        await world.put_deal(deal())
        first, again = await world.port.read_deal(DEAL), await world.port.read_deal(DEAL)
        assert first == again
        assert first.version == summary(first.record, self.mapping).version
        assert first.version.startswith(f"{DEAL}@")
        await world.change_deal(DEAL, Name="Hooli 60 seats")
        changed = await world.port.read_deal(DEAL)
        assert changed.version > first.version
        assert summary(changed.record, self.mapping).name == "Hooli 60 seats"

    @pytest.mark.parametrize("unknown", ["no-such", "x' OR Id != '", "../companies/1", "ä\\' \n"])
    async def test_an_unknown_deal_is_not_found(self, world: CrmReaderWorld, unknown: str) -> None:
        await world.put_deal(deal())
        with pytest.raises(NotFound):
            await world.port.read_deal(unknown)

    async def test_a_deal_without_lines_has_none(self, world: CrmReaderWorld) -> None:
        await world.put_deal(deal(OpportunityLineItems=None))
        assert canonical((await world.port.read_deal(DEAL)).record, self.mapping)["lines"] == []

    async def test_every_one_of_many_lines_is_read_in_order(self, world: CrmReaderWorld) -> None:
        await world.put_deal(deal(OpportunityLineItems=many_lines(250)))
        lines = canonical((await world.port.read_deal(DEAL)).record, self.mapping)["lines"]
        assert [each["id"] for each in lines] == [f"00k{n:03d}" for n in range(250)]

    async def test_changed_deals_are_paged_to_the_end(self, world: CrmReaderWorld) -> None:
        await world.put_deal(deal("before"))
        since = await world.pass_time(timedelta(hours=1)) - timedelta(minutes=30)
        names = [f"006{n:03d}" for n in range(250)]
        for name in names:
            await world.put_deal(deal(name))
        found = await self._all(world, since_hours=0.5)
        assert {each.id for each in found} == set(names)
        read = await world.port.read_deal(names[-1])
        assert read.version in {f"{each.id}@{each.modified}" for each in found}
        assert (await world.port.changed_deals(since + timedelta(days=1))).deals == ()

    async def test_a_deal_that_changes_meanwhile_hides_no_other(self, world: CrmReaderWorld) -> None:
        names = [f"006{n:03d}" for n in range(250)]
        for name in names:
            await world.put_deal(deal(name))
        await world.pass_time(timedelta(minutes=1))
        found = await self._all(world, since_hours=1, meanwhile=names[0])
        assert {each.id for each in found} == set(names)

    async def _all(
        self, world: CrmReaderWorld, *, since_hours: float, meanwhile: str | None = None
    ) -> list[ChangedDeal]:
        since = await world.pass_time(timedelta(0)) - timedelta(hours=since_hours)
        found: list[ChangedDeal] = []
        cursor, pages = None, 0
        while pages == 0 or cursor is not None:
            page = await world.port.changed_deals(since, cursor)
            found += page.deals
            cursor, pages = page.cursor, pages + 1
            if meanwhile is not None and pages == 1:
                await world.change_deal(meanwhile, Name="changed meanwhile")
        assert pages > 1
        return found
