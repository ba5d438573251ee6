"""The kit of the port Usage."""

from decimal import Decimal

import pytest

from domain.errors import NotFound
from tests.kits.reads import Read, ReadContract
from tests.kits.world import UsageWorld


class UsageContract(ReadContract):
    reads = ("adoption", "probe")

    async def read(self, world: UsageWorld, reading: str) -> Read:
        await world.report("001", Decimal(1), Decimal(2))
        return lambda port: port.adoption("001")

    async def test_the_last_report_is_the_adoption(self, world: UsageWorld) -> None:
        await world.report("001", Decimal(40), Decimal(50))
        await world.report("002", Decimal(1), Decimal(10))
        await world.report("001", Decimal("12.5"), Decimal(50))
        adoption = await world.port.adoption("001")
        assert (adoption.active, adoption.entitled) == (Decimal("12.5"), Decimal(50))

    async def test_an_account_never_reported_is_not_found(self, world: UsageWorld) -> None:
        with pytest.raises(NotFound):
            await world.port.adoption("no-such")
