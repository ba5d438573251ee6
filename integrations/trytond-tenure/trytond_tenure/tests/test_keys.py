# SPDX-License-Identifier: GPL-3.0-or-later
from trytond.pool import Pool

from . import world
from .case import CommandTestCase


class KeyTestCase(CommandTestCase):
    def test_the_same_key_is_answered_again(self):
        made = self.customer()
        first = self.perform("create_subscription", world.subscription(made), "subscription:1")
        second = self.perform("create_subscription", world.subscription(made), "subscription:1")
        self.assertEqual(first, second)
        found = Pool().get("sale.subscription").search([("tenure_external_id", "=", "subscription:1")], count=True)
        self.assertEqual(found, 1)

    def test_a_key_means_one_thing(self):
        made = self.customer()
        self.perform("create_subscription", world.subscription(made), "subscription:1")
        other = world.subscription(made, world.line(quantity="11"))
        self.refused("key_mismatch", self.perform, "create_subscription", other, "subscription:1")
        self.refused(
            "key_mismatch", self.perform, "bill", {"subscription": "1", "until": "2026-01-01"}, "subscription:1"
        )

    def test_a_customer_is_meant_by_account_and_entity_alone(self):
        first = self.perform("create_customer", world.customer(), "customer:001:acme-us")
        renamed = world.customer(name="Hooli International, Inc.", email=None)
        self.assertEqual(self.perform("create_customer", renamed, "customer:001:acme-us"), first)

    def test_what_is_no_command_is_invalid(self):
        for key, operation, arguments in (
            ("", "bill", {}), (None, "bill", {}), (7, "bill", {}), ("k" * 501, "bill", {}), ("k", "bill", None),
            ("k", "no_such", {}), ("k", "__init__", {}), ("k", None, {}), ("k", "bill", {}),
            ("another", "bill", {"subscription": 7, "until": "2026-01-01"}),
        ):  # fmt: skip
            with self.subTest(key=key, operation=operation, arguments=arguments):
                self.refused("invalid", Pool().get("tenure.command").perform, key, operation, arguments)
        for operation in ("no_such", "balance", "changes"):
            with self.subTest(operation=operation):
                self.refused("invalid", Pool().get("tenure.command").read, operation, {"cursor": 7})
