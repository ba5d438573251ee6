"""The sandbox's CRM, Salesforce-shaped."""

from collections.abc import Mapping
from datetime import UTC, datetime

import httpx

from adapters.crm.salesforce import outcome_of
from adapters.http import Json, segment
from adapters.records.sandbox import MENDS, SandboxRecords
from adapters.sandbox import LEVEL, LOOKUP, probe_sandbox, sandbox_api
from domain.effects import EffectClass
from domain.errors import NotFound
from domain.ports import (
    ChangedDeal,
    ChangedDeals,
    DealRecord,
    DealStatus,
    NewRenewalOpportunity,
    OpportunityRef,
    Probed,
)

_FIELDS = (
    "Tenure_Contract__c", "Tenure_Status__c", "Tenure_Renewal_Date__c", "ERP_Customer__c", "ERP_Subscription__c",
    "Tenure_External_Id__c", "Tenure_Renews_Opportunity__c",
)  # fmt: skip


class SandboxCrm:
    """`client`: base URL with the prefix /crm, and the bearer token."""

    effects: Mapping[str, EffectClass] = {"write_status": LEVEL, "create_renewal_opportunity": LOOKUP}

    def __init__(self, client: httpx.AsyncClient) -> None:
        self._api = sandbox_api(client, "crm", {**self.effects, **MENDS})
        self.records = SandboxRecords(self._api, "crm")

    async def probe(self) -> Probed:
        return await probe_sandbox(self._api, "crm", _FIELDS)

    async def account_exists(self, account: str) -> bool:
        try:
            answer = await self._api.read("account_exists", f"accounts/{segment(account)}")
        except NotFound:
            return False
        with self._api.shape("account_exists"):
            return bool(answer["Id"])

    async def read_opportunity(self, opportunity: str) -> OpportunityRef:
        answer = await self._api.read("read_opportunity", f"opportunities/{segment(opportunity)}")
        with self._api.shape("read_opportunity"):
            return _opportunity(answer)

    async def write_status(self, status: DealStatus) -> None:
        path = f"opportunities/{segment(status.deal_id)}"
        answer = await self._api.write("write_status", "PATCH", path, _status_fields(status))
        with self._api.shape("write_status"):
            _opportunity(answer)

    async def create_renewal_opportunity(self, new: NewRenewalOpportunity, *, key: str) -> OpportunityRef:
        answer = await self._api.write("create_renewal_opportunity", "POST", "opportunities", _renewal_fields(new, key))
        with self._api.shape("create_renewal_opportunity"):
            return _opportunity(answer)

    async def find_renewal_opportunity(self, key: str) -> OpportunityRef | None:
        answer = await self._api.read("find_renewal_opportunity", "opportunities", {"external_id": key})
        with self._api.shape("find_renewal_opportunity"):
            records = [_opportunity(record) for record in answer["records"]]
        return records[0] if records else None

    async def read_deal(self, deal: str) -> DealRecord:
        record = await self._api.read("read_deal", f"opportunities/{segment(deal)}")
        with self._api.shape("read_deal"):
            version = f"{record['Id']}@{record['SystemModstamp']}"
            return DealRecord(id=record["Id"], version=version, outcome=outcome_of(record), record=record)

    async def changed_deals(self, since: datetime, cursor: str | None = None) -> ChangedDeals:
        """The cursor is the stamp and the id of the last deal."""
        asked = {"changed_since": since.astimezone(UTC).isoformat(), **({"after": cursor} if cursor else {})}
        answer = await self._api.read("changed_deals", "opportunities", asked)
        with self._api.shape("changed_deals"):
            deals = [ChangedDeal(id=each["Id"], modified=each["SystemModstamp"]) for each in answer["records"]]
            return ChangedDeals(deals=tuple(deals), cursor=None if answer["done"] else answer["next"])


def _opportunity(record: Json) -> OpportunityRef:
    return OpportunityRef(id=record["Id"], stage=record["StageName"])


def _status_fields(status: DealStatus) -> Json:
    return {
        "Tenure_Contract__c": status.contract,
        "Tenure_Status__c": status.status,
        "ERP_Customer__c": status.erp_customer,
        "ERP_Subscription__c": status.erp_subscription,
        "Tenure_Renewal_Date__c": status.renewal_date.isoformat() if status.renewal_date else None,
    }


def _renewal_fields(new: NewRenewalOpportunity, key: str) -> Json:
    return {
        "AccountId": new.account,
        "Name": new.name,
        "StageName": "Prospecting",
        "Type": "Renewal",
        "CloseDate": new.close_by.isoformat(),
        "Tenure_External_Id__c": key,
        "Tenure_Contract__c": new.contract,
        "Tenure_Renews_Opportunity__c": new.renews_deal,
    }
