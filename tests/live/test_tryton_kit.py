"""TrytonErp passes the whole kits of its ports on a live Tryton; effects are counted in Tryton's own tables."""

from collections.abc import AsyncIterator

import pytest

from tests.kits.erp import ErpContract
from tests.kits.erp_records import ErpRecordsContract
from tests.live.tryton import Tryton
from tests.live.worlds.tryton import TrytonWorld, tryton_world


class TestTrytonErp(ErpContract):
    @pytest.fixture
    async def world(self, tryton: Tryton) -> AsyncIterator[TrytonWorld]:
        async with tryton_world(tryton) as world:
            yield world


class TestTrytonRecords(ErpRecordsContract):
    @pytest.fixture
    async def world(self, tryton: Tryton) -> AsyncIterator[TrytonWorld]:
        async with tryton_world(tryton) as world:
            yield world
