# SPDX-License-Identifier: GPL-3.0-or-later
"""The base of the tests of commands: each runs as the technical user, with access checked, and is rolled back."""

import datetime as dt
import itertools

from dateutil.relativedelta import relativedelta
from trytond.exceptions import UserError
from trytond.model.exceptions import AccessButtonError, AccessError
from trytond.pool import Pool
from trytond.tests.test_tryton import TestCase, activate_module, with_transaction
from trytond.transaction import Transaction

from . import world

__all__ = ["DENIED", "OLD", "TODAY", "CommandTestCase"]

DENIED = (AccessError, AccessButtonError)

TODAY = dt.date.today()
OLD = (TODAY - relativedelta(months=3)).isoformat()

_numbers = itertools.count(1)


class CommandTestCase(TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        activate_module("tenure")
        world.build()
        cls.user = world.user()

    def run(self, result=None):
        name = self._testMethodName
        method = getattr(self, name)
        if not getattr(method, "_outside", False):

            def inside():
                with Transaction().set_context(_check_access=True):
                    method()

            setattr(self, name, with_transaction(self.user)(inside))
        return super().run(result)

    def perform(self, operation, arguments, key=None):
        Command = Pool().get("tenure.command")
        return Command.perform(key or f"{operation}:{next(_numbers)}", operation, arguments)

    def read(self, operation, **arguments):
        return Pool().get("tenure.command").read(operation, arguments)

    def refused(self, code, work, *arguments, **more):
        with self.assertRaises(UserError) as raised:
            work(*arguments, **more)
        self.assertEqual(raised.exception.description, f"tenure:{code}", raised.exception.message)
        return raised.exception.message

    # ── the way to what a test is about ──

    def customer(self, account="001", **changes):
        return self.perform("create_customer", world.customer(account, **changes))["id"]

    def sold(self, *lines, **changes):
        """A subscription that is still a draft."""
        customer = changes.pop("customer", None) or self.customer()
        return self.perform("create_subscription", world.subscription(customer, *lines, **changes))["id"]

    def active(self, *lines, starts="2026-01-01", ends="2027-01-01", **changes):
        made = self.sold(*lines, **changes)
        self.perform("activate_order", {"subscription": made, "on": starts, "starts": starts, "ends": ends})
        return made

    def billing(self, *lines, from_day=None, starts="2026-01-01", **changes):
        """An active one whose lines are all billed."""
        made = self.active(*lines, starts=starts, **changes)
        for name in [row["id"] for row in lines or [world.line()]]:
            self.start(made, name, from_day or starts)
        return made

    def start(self, subscription, name, starts, accepted=None):
        return self.perform(
            "start_billing",
            {"subscription": subscription, "line": name, "starts": starts, "accepted_on": accepted or starts},
        )

    def bill(self, subscription, until):
        return self.perform("bill", {"subscription": subscription, "until": until})["invoices"]

    def draft(self, contract="crm/006/1", customer=None, **changes):
        """The first invoice of a subscription: 500.00 USD."""
        made = self.billing(customer=customer or self.customer(contract), contract=contract, ends=None, **changes)
        [invoice] = self.bill(made, "2026-01-01")
        return invoice

    def post(self, invoice, on=OLD):
        return self.perform("post_invoice", {"invoice": invoice, "on": on})

    def pay(self, invoice, amount, on=None, key=None):
        asked = {"invoice": invoice, "amount": amount, "on": on or TODAY.isoformat()}
        return self.perform("register_payment", asked, key)

    def posted(self, on=OLD, **more):
        invoice = self.draft(**more)
        self.post(invoice, on)
        return invoice

    def customer_of(self, invoice):
        record = self.record("account.invoice", invoice)
        return f"{record.party.id}-{record.company.id}"

    def state(self, subscription):
        return self.read("subscription_state", subscription=subscription)

    def as_company(self, subscription):
        """As the ERP's scheduler works for the company of a subscription."""
        company = self.record("sale.subscription", subscription).company
        return Transaction().set_context(company=company.id)

    def record(self, model, record_id):
        return Pool().get(model)(int(record_id))

    def billed(self, invoice):
        """What an invoice bills: (period as told, quantity, price)."""
        return sorted(
            (line.description.rpartition("\n")[2], line.quantity, line.unit_price)
            for line in self.record("account.invoice", invoice).lines
        )


def outside(method):
    """A test that opens its own transactions."""
    method._outside = True
    return method
