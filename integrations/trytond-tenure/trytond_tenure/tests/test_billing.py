# SPDX-License-Identifier: GPL-3.0-or-later
import datetime as dt
from decimal import Decimal

from trytond.exceptions import UserError
from trytond.pool import Pool
from trytond.transaction import Transaction

from .case import OLD, TODAY, CommandTestCase


class BillingTestCase(CommandTestCase):
    def test_posting_past_due_and_ahead_warns_nobody(self):
        past = self.post(self.draft())
        self.assertEqual((past["status"], past["issued_on"], past["open_amount"]), ("posted", OLD, "500.00"))
        self.assertEqual(past["due_on"], (dt.date.fromisoformat(OLD) + dt.timedelta(30)).isoformat())
        self.assertTrue(past["number"])
        ahead = (TODAY + dt.timedelta(10)).isoformat()
        self.assertEqual(self.post(self.draft("crm/007/1"), ahead)["issued_on"], ahead)
        self.assertEqual(Pool().get("res.user.warning").search([], count=True), 0)

    def test_posting_twice_is_posting_once(self):
        invoice = self.draft()
        first = self.post(invoice)
        self.assertEqual(self.post(invoice, TODAY.isoformat()), first)

    def test_numbers_follow_the_dates(self):
        self.post(self.draft(), TODAY.isoformat())
        late = self.draft("crm/007/1")
        with self.assertRaises(UserError) as raised:
            self.post(late, OLD)
        self.assertNotIn("period_closed", raised.exception.description or "")

    def test_a_warning_that_is_not_meant_is_a_rejection(self):
        invoice = self.draft()
        record = self.record("account.invoice", invoice)
        tax = Pool().get("account.tax")
        with Transaction().set_context(_check_access=False, company=record.company.id):
            [account] = (
                Pool().get("account.account").search([("code", "=", "6.3.6"), ("company", "=", record.company.id)])
            )
            vat = tax(name="VAT", description="VAT", type="percentage", rate=Decimal("0.1"), company=record.company)
            vat.invoice_account = vat.credit_note_account = account
            vat.save()
            Pool().get("account.invoice.line").write(list(record.lines), {"taxes": [("add", [vat.id])]})
        self.refused("rejected", self.post, invoice)

    def test_a_closed_period_says_so(self):
        invoice = self.draft()
        company = self.record("account.invoice", invoice).company
        with Transaction().set_context(_check_access=False, company=company.id):
            period = Pool().get("account.period").find(company, date=dt.date.fromisoformat(OLD))
            Pool().get("account.period").close([period])
        self.refused("period_closed", self.post, invoice)
        self.refused("period_closed", self.post, invoice, "2001-01-01")
        self.assertEqual(self.record("account.invoice", invoice).state, "draft")

    def test_an_invoice_is_paid_in_parts(self):
        invoice = self.posted()
        part = self.pay(invoice, "200.00", key="payment:1")
        self.assertEqual((part["invoice"]["status"], part["invoice"]["open_amount"]), ("posted", "300.00"))
        self.assertEqual(self.pay(invoice, "200.00", key="payment:1"), part)
        self.refused("rejected", self.pay, invoice, "300.01")
        rest = self.pay(invoice, "300.00")
        self.assertEqual((rest["invoice"]["status"], rest["invoice"]["open_amount"]), ("paid", "0"))
        self.refused("rejected", self.pay, invoice, "1.00")

    def test_what_is_no_payment_is_refused(self):
        draft = self.draft()
        self.refused("rejected", self.pay, draft, "1.00")
        self.post(draft)
        for amount in ("0", "-1", "1.001", "NaN", "1e999999"):
            with self.subTest(amount=amount):
                self.refused("invalid", self.pay, draft, amount)
        self.refused("not_found", self.pay, "no-such", "1.00")

    def test_an_invoice_is_credited(self):
        invoice = self.posted()
        answer = self.perform("credit_invoice", {"invoice": invoice, "on": TODAY.isoformat()}, "credit:1")
        self.assertEqual((answer["invoice"]["status"], answer["invoice"]["open_amount"]), ("cancelled", "0"))
        note = self.record("account.invoice", answer["credit_note"])
        self.assertEqual(
            (note.total_amount, note.state, note.tenure_external_id), (Decimal("-500.00"), "paid", "credit:1")
        )
        self.assertEqual(note.tenure_json()["contract"], "crm/006/1")
        again = self.perform("credit_invoice", {"invoice": invoice, "on": TODAY.isoformat()}, "credit:1")
        self.assertEqual(again, answer)
        self.refused("rejected", self.perform, "credit_invoice", {"invoice": invoice, "on": TODAY.isoformat()})
        self.assertEqual(self.read("balance", customer=self.customer_of(invoice))["open_amount"], "0")

    def test_history_and_balance(self):
        customer = self.customer()
        empty = {"invoices": 0, "paid_late": 0, "overdue": 0, "currency": "USD", "overdue_amount": "0"}
        self.assertEqual(self.read("billing_history", customer=customer), empty)
        late, overdue = (self.posted(customer=customer, contract=f"crm/{n}/1") for n in range(2))
        self.posted(TODAY.isoformat(), customer=customer, contract="crm/9/1")
        self.pay(late, "500.00")
        self.pay(overdue, "100.00")
        history = self.read("billing_history", customer=customer)
        self.assertEqual(
            history, {"invoices": 3, "paid_late": 1, "overdue": 1, "currency": "USD", "overdue_amount": "400.00"}
        )
        since = (TODAY + dt.timedelta(1)).isoformat()
        self.assertEqual(self.read("billing_history", customer=customer, since=since)["invoices"], 1)
        balance = self.read("balance", customer=customer)
        self.assertEqual(balance, {"currency": "USD", "open_amount": "900.00", "overdue_amount": "400.00"})
        other = self.customer("002")
        self.assertEqual(self.read("balance", customer=other)["open_amount"], "0")

    def test_invoices_come_in_pages(self):
        customer = self.customer()
        made = [self.draft(customer=customer, contract=f"crm/{n}/1") for n in range(3)]
        self.post(made[0])
        first = self.read("invoices", customer=customer, limit=2)
        second = self.read("invoices", customer=customer, limit=2, cursor=first["cursor"])
        found = [*first["invoices"], *second["invoices"]]
        self.assertEqual([invoice["id"] for invoice in found], made)
        self.assertEqual([invoice["status"] for invoice in found], ["posted", "draft", "draft"])
        self.assertEqual([invoice["contract"] for invoice in found], ["crm/0/1", "crm/1/1", "crm/2/1"])
        self.assertIsNone(second["cursor"])
        for wrong in ({"limit": 0}, {"limit": "2"}, {"cursor": "x"}):
            self.refused("invalid", self.read, "invoices", customer=customer, **wrong)

    def test_a_probe_finds_what_is_missing(self):
        found = self.read("probe")
        self.assertEqual(found["problems"], [])
        self.assertTrue(found["clock"].endswith("+00:00"))
        company = self.record("account.invoice", self.draft()).company
        with Transaction().set_context(_check_access=False, company=company.id):
            Pool().get("account.period").close([Pool().get("account.period").find(company)])
        self.assertEqual(
            [p["what"] for p in self.read("probe")["problems"]], ["acme-us: no open accounting period today"]
        )
