"""Stripe passes the kit of the port Erp, on a stand-in that is held to the library's own types."""

from collections.abc import AsyncIterator

import pytest

from tests.kits.erp import SEAT, SETUP, ErpContract
from tests.stripe.world import StripeWorld, stripe_world


class TestStripeBilling(ErpContract):
    @pytest.fixture
    async def world(self) -> AsyncIterator[StripeWorld]:
        async with stripe_world(SEAT, SETUP) as world:
            yield world
