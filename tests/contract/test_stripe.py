"""Stripe passes the kit of the port Erp, on a stand-in that is held to the library's own types."""

from tests.kits.contracts import erp_contract
from tests.stripe.world import stripe_world

TestStripeBilling = erp_contract(stripe_world)
