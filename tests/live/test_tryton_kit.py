"""TrytonErp passes the whole kit of its port on a live Tryton; effects are counted in Tryton's own tables."""

from collections.abc import AsyncIterator

import pytest

from tests.kits.erp import ErpContract
from tests.live.tryton import Tryton
from tests.live.worlds.tryton import TrytonWorld, tryton_world


class TestTrytonErp(ErpContract):
    @pytest.fixture
    async def world(self, tryton: Tryton) -> AsyncIterator[TrytonWorld]:
        async with tryton_world(tryton) as world:
            yield world
