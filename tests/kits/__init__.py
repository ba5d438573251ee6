"""Acceptance kits: what every adapter of a port must show, whatever the vendor. world.py: what a vendor brings."""

import pytest

pytest.register_assert_rewrite(
    "tests.kits.crm", "tests.kits.crm_reader", "tests.kits.cs", "tests.kits.effects", "tests.kits.erp",
    "tests.kits.erp_meaning", "tests.kits.feed", "tests.kits.reads", "tests.kits.support", "tests.kits.usage",
)  # fmt: skip
