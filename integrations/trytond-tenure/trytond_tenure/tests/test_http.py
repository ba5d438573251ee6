# SPDX-License-Identifier: GPL-3.0-or-later
import datetime as dt
import functools
import itertools
import unittest

import httpx
from trytond import backend
from trytond.cache import Cache
from trytond.pool import Pool
from trytond.tests.test_tryton import DB_NAME, TestCase, activate_module
from trytond.transaction import Transaction

from . import world
from .server import Refused, Server

CALLERS = 8
TODAY = dt.date.today().isoformat()
_accounts = itertools.count(1000)


@unittest.skipUnless(backend.name == "postgresql", "SQLite has no parallel writers")
class HttpTestCase(TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        activate_module("tenure")
        world.build()
        cls.server = Server()
        cls.addClassCleanup(cls.server.stop)
        cls.server.login()

    def count(self, model, *domain):
        Cache.drop(DB_NAME)
        with Transaction().start(DB_NAME, 1, readonly=True, context={"active_test": False}):
            return Pool().get(model).search(list(domain), count=True)

    def eight(self, key, operation, arguments):
        """Eight callers with one key: the one answer that all of them got."""
        work = functools.partial(self.server.perform, key, operation, arguments)
        answers = self.server.at_once(*[work] * CALLERS)
        self.assertEqual(answers, [answers[0]] * CALLERS)
        self.assertNotIsInstance(answers[0], Refused)
        return answers[0]

    def test_eight_callers_have_each_effect_once(self):
        account = f"account-{next(_accounts)}"
        contract = f"crm/{account}/1"
        customer = self.eight(f"customer:{account}", "create_customer", world.customer(account))["id"]
        self.assertEqual(self.count("tenure.reference", ("account", "=", account)), 1)
        party = int(customer.partition("-")[0])

        sold = world.subscription(customer, contract=contract)
        made = self.eight(f"subscription:{contract}", "create_subscription", sold)["id"]
        mine = ("line.subscription", "=", int(made))
        self.assertEqual(self.count("sale.subscription", ("party", "=", party)), 1)

        activation = {"subscription": made, "on": "2026-01-01", "starts": "2026-01-01", "ends": "2027-01-01"}
        self.eight(f"activation:{contract}", "activate_order", activation)
        start = {"subscription": made, "line": "seat", "starts": "2026-01-01", "accepted_on": "2026-01-01"}
        self.eight(f"billing-start:{contract}:seat:1", "start_billing", start)
        amendment = {"subscription": made, "effective": "2026-03-01", "quantities": {"seat": "12"}}
        self.eight(f"amendment:{contract}:1", "amend_subscription", amendment)
        self.assertEqual(self.count("tenure.subscription.quantity", mine), 2)  # as sold, and as amended

        [invoice] = self.eight(f"bill:{contract}", "bill", {"subscription": made, "until": "2026-02-01"})["invoices"]
        self.assertEqual(self.count("account.invoice", ("party", "=", party)), 1)
        self.assertEqual(self.count("sale.subscription.line.consumption", mine), 2)
        posted = self.eight(f"post:{invoice}", "post_invoice", {"invoice": invoice, "on": TODAY})
        self.assertEqual(posted["status"], "posted")
        payment = {"invoice": invoice, "amount": "400.00", "on": TODAY}
        paid = self.eight(f"payment:{invoice}", "register_payment", payment)
        self.assertEqual(paid["invoice"]["open_amount"], "600.00")
        self.assertEqual(self.count("account.move.line", ("party", "=", party), ("credit", ">", 0)), 1)
        self.eight(f"credit:{invoice}", "credit_invoice", {"invoice": invoice, "on": TODAY})
        self.assertEqual(self.count("account.invoice", ("party", "=", party)), 2)

        renewal = {"subscription": made, "term": 2, "starts": "2027-01-01", "ends": "2028-01-01", "as_new": True}
        new = self.eight(f"renewal:{contract}:2", "renew_subscription", renewal)["id"]
        self.assertEqual(self.count("sale.subscription", ("party", "=", party)), 2)
        ending = {"subscription": new, "ends": "2027-06-01", "reason": "churn"}
        self.eight(f"ending:{contract}", "end_subscription", ending)
        self.eight(f"hold:{account}:1", "set_credit_hold", {"customer": customer, "held": True, "reason": "overdue"})
        self.assertEqual(self.count("tenure.credit_hold", ("party", "=", party)), 1)

        other = world.subscription(customer, contract=f"{contract}/b")
        draft = self.server.perform(f"subscription:{contract}/b", "create_subscription", other)["id"]
        self.eight(f"cancellation:{contract}/b", "cancel_subscription", {"subscription": draft, "reason": "a mistake"})

    def test_eight_accounts_with_one_tax_id_are_one_party(self):
        accounts = [f"account-{next(_accounts)}" for _ in range(CALLERS)]
        before = self.count("party.party")
        answers = self.server.at_once(*[
            functools.partial(
                self.server.perform, f"customer:{account}", "create_customer",
                world.customer(account, tax_id="98-7654321"),
            ) for account in accounts
        ])  # fmt: skip
        self.assertEqual(len({answer["id"] for answer in answers}), 1)
        self.assertEqual(self.count("party.party"), before + 1)
        self.assertEqual(self.count("tenure.reference", ("account", "in", accounts)), CALLERS)

    def test_eight_invoices_of_one_entity_are_numbered_without_a_gap(self):
        drafts = [self.draft() for _ in range(CALLERS)]
        answers = self.server.at_once(*[
            functools.partial(self.server.perform, f"post:{draft}", "post_invoice", {"invoice": draft, "on": TODAY})
            for draft in drafts
        ])  # fmt: skip
        self.assertEqual([answer["status"] for answer in answers], ["posted"] * CALLERS)
        numbers = sorted(int(answer["number"]) for answer in answers)
        self.assertEqual(numbers, list(range(numbers[0], numbers[0] + CALLERS)))

    def test_eight_payments_never_pay_too_much(self):
        invoice = self.draft()
        self.server.perform(f"post:{invoice}", "post_invoice", {"invoice": invoice, "on": TODAY})
        answers = self.server.at_once(*[
            functools.partial(
                self.server.perform, f"payment:{invoice}:{n}", "register_payment",
                {"invoice": invoice, "amount": "200.00", "on": TODAY},
            ) for n in range(CALLERS)
        ])  # fmt: skip
        refused = [answer for answer in answers if isinstance(answer, Refused)]
        self.assertEqual((len(refused), {answer.code for answer in refused}), (CALLERS - 2, {"rejected"}))

    def test_two_bills_of_one_subscription_bill_a_period_once(self):
        made = self.subscription()
        answers = self.server.at_once(*[
            functools.partial(
                self.server.perform, f"bill:{made}:{n}", "bill", {"subscription": made, "until": "2026-03-01"}
            ) for n in range(CALLERS)
        ])  # fmt: skip
        self.assertEqual(sorted(len(answer["invoices"]) for answer in answers), [0] * (CALLERS - 1) + [1])
        self.assertEqual(self.count("sale.subscription.line.consumption", ("line.subscription", "=", int(made))), 3)

    def test_what_is_not_for_everybody_is_refused_from_outside(self):
        for method, params in (
            ("model.account.invoice.tenure_post", [[1]]),
            ("model.tenure.request.create", [[{}]]),
            ("model.tenure.event.search", [[], 0, None, None]),
        ):
            with self.subTest(method=method):
                with self.assertRaises((httpx.HTTPStatusError, Refused)) as refused:
                    self.server.call(method, *params)
                self.assertNotIn("503", str(refused.exception))

    # ── the way there ──

    def subscription(self):
        account = f"account-{next(_accounts)}"
        customer = self.server.perform(f"customer:{account}", "create_customer", world.customer(account))["id"]
        sold = world.subscription(customer, contract=f"crm/{account}/1")
        made = self.server.perform(f"subscription:{account}", "create_subscription", sold)["id"]
        activation = {"subscription": made, "on": "2026-01-01", "starts": "2026-01-01", "ends": None}
        self.server.perform(f"activation:{account}", "activate_order", activation)
        start = {"subscription": made, "line": "seat", "starts": "2026-01-01", "accepted_on": "2026-01-01"}
        self.server.perform(f"billing-start:{account}", "start_billing", start)
        return made

    def draft(self):
        made = self.subscription()
        return self.server.perform(f"bill:{made}", "bill", {"subscription": made, "until": "2026-01-01"})["invoices"][0]
