"""A stand-in for Stripe that is held to Stripe's own types, and the kit's world on it."""

import pytest

pytest.register_assert_rewrite("tests.stripe.typed", "tests.stripe.world")
