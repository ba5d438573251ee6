"""The kit of the port Support."""

from tests.kits.reads import Read, ReadContract
from tests.kits.world import SupportWorld


class SupportContract(ReadContract):
    reads = ("open_cases", "probe")

    async def read(self, world: SupportWorld, reading: str) -> Read:
        return lambda port: port.open_cases("001")

    async def test_open_cases_are_counted_by_severity_per_account(self, world: SupportWorld) -> None:
        for severity in (1, 3, 3):
            await world.open_case("001", severity)
        await world.open_case("002", 4)
        assert (await world.port.open_cases("001")).by_severity == {1: 1, 3: 2}

    async def test_a_closed_case_is_not_open(self, world: SupportWorld) -> None:
        case = await world.open_case("001", 2)
        await world.close_case(case)
        assert (await world.port.open_cases("001")).by_severity == {}
