"""The kit of the port Crm."""

from datetime import date
from uuid import uuid4

import pytest

from domain.errors import NotFound
from domain.ports import DealStatus, NewRenewalOpportunity, OpportunityRef
from tests.kits.effects import EffectContract, Write
from tests.kits.reads import Read
from tests.kits.world import CrmWorld


class CrmContract(EffectContract):
    writes = ("write_status", "create_renewal_opportunity")
    reads = ("account_exists", "read_opportunity", "find_renewal_opportunity", "probe")

    async def read(self, world: CrmWorld, reading: str) -> Read:
        account, deal = await world.deal()
        match reading:
            case "account_exists":
                return lambda port: port.account_exists(account)
            case "read_opportunity":
                return lambda port: port.read_opportunity(deal)
            case _:
                return lambda port: port.find_renewal_opportunity("renewal-opportunity:none")

    async def write(self, world: CrmWorld, writing: str) -> Write:
        account, deal = await world.deal()
        if writing == "write_status":
            status = _status(deal, "live")

            async def is_set() -> int:
                return int(await world.value("write_status", deal) == status.model_dump(exclude={"deal_id"}))

            return Write(
                send=lambda port: port.write_status(status),
                standing=is_set,
                other=lambda port: port.write_status(DealStatus(deal_id=deal, contract="crm/1/1", status="ended")),
            )
        already = await world.count(writing)
        key = f"renewal-opportunity:{uuid4()}"
        new = _renewal(account, deal)

        async def standing() -> int:
            return await world.count(writing) - already

        return Write(
            send=lambda port: port.create_renewal_opportunity(new, key=key),
            standing=standing,
            find=lambda: world.port.find_renewal_opportunity(key),
            answer=OpportunityRef,
        )

    async def test_an_account_is_known_or_not(self, world: CrmWorld) -> None:
        account, _ = await world.deal()
        assert await world.port.account_exists(account)
        assert not await world.port.account_exists("no-such")

    async def test_a_deal_is_read(self, world: CrmWorld) -> None:
        _, deal = await world.deal()
        read = await world.port.read_opportunity(deal)
        assert read.id == deal
        assert read.stage

    async def test_an_unknown_deal_is_not_found(self, world: CrmWorld) -> None:
        with pytest.raises(NotFound):
            await world.port.read_opportunity("no-such")
        with pytest.raises(NotFound):
            await world.port.write_status(_status("no-such", "live"))

    async def test_a_status_is_set_whole(self, world: CrmWorld) -> None:
        _, deal = await world.deal()
        await world.port.write_status(_status(deal, "live"))
        bare = DealStatus(deal_id=deal, contract="crm/1/1", status="ended")
        await world.port.write_status(bare)
        assert await world.value("write_status", deal) == bare.model_dump(exclude={"deal_id"})

    async def test_a_renewal_opportunity_can_be_read_and_is_another_deal(self, world: CrmWorld) -> None:
        account, deal = await world.deal()
        made = await world.port.create_renewal_opportunity(_renewal(account, deal), key="renewal-opportunity:1")
        assert made.id != deal
        assert await world.port.read_opportunity(made.id) == made


def _status(deal: str, status: str) -> DealStatus:
    return DealStatus(
        deal_id=deal, contract="crm/1/1", status=status, erp_customer="C-1", erp_subscription="S-1",
        renewal_date=date(2027, 12, 1),
    )  # fmt: skip


def _renewal(account: str, deal: str) -> NewRenewalOpportunity:
    return NewRenewalOpportunity(
        account=account, renews_deal=deal, contract="crm/1/1", name="Hooli renewal", close_by=date(2027, 12, 1)
    )
