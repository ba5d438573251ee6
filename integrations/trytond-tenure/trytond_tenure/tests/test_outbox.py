# SPDX-License-Identifier: GPL-3.0-or-later
import datetime as dt
import json

from trytond.pool import Pool
from trytond.transaction import Transaction

from .case import OLD, TODAY, CommandTestCase


class OutboxTestCase(CommandTestCase):
    """What is written into the outbox within the transaction that does it. Reading it: test_feed.py."""

    def told(self, about=""):
        with Transaction().set_context(_check_access=False):
            events = Pool().get("tenure.event").search([("kind", "like", f"{about}%")], order=[("id", "ASC")])
            return [(event.kind, event.name, json.loads(event.data)) for event in events]

    def kinds(self, about=""):
        return [kind for kind, _, _ in self.told(about)]

    def test_an_invoice_is_told_when_it_is_posted(self):
        customer = self.customer()
        draft = self.draft(customer=customer)
        self.assertEqual(self.kinds("invoice"), [])
        answer = self.post(draft)
        [(kind, name, data)] = self.told("invoice")
        self.assertEqual((kind, name), ("invoice.posted", f"invoice/{draft}/posted/{answer['due_on']}"))
        [line] = self.record("account.invoice", draft).lines
        self.assertEqual(data, {
            "invoice": draft, "number": answer["number"], "subscription": str(line.origin.subscription.id),
            "contract": "crm/006/1", "customer": customer, "selling_entity": "acme-us", "amount": "500.00",
            "open_amount": "500.00", "currency": "USD", "issued_on": OLD, "due_on": answer["due_on"], "paid_on": None,
            "version": 1,
        })  # fmt: skip

    def test_payments_are_told_one_by_one_and_the_last_as_paid(self):
        invoice = self.posted()
        first, last = self.pay(invoice, "200.00"), self.pay(invoice, "300.00")
        _, part, paid = self.told("invoice")
        self.assertEqual((part[0], paid[0]), ("invoice.partly_paid", "invoice.paid"))
        self.assertEqual(
            (part[2]["payment"], part[2]["paid"], part[2]["paid_on"]), (first["payment"], "200.00", TODAY.isoformat())
        )
        self.assertEqual((paid[2]["payment"], paid[2]["paid_on"]), (last["payment"], TODAY.isoformat()))
        self.assertEqual([data["version"] for _, _, data in self.told("invoice")], [1, 2, 3])

    def test_what_is_paid_before_it_is_due_is_paid_on_that_day(self):
        invoice = self.draft()
        self.assertGreater(self.post(invoice, on=TODAY.isoformat())["due_on"], TODAY.isoformat())
        self.pay(invoice, "500.00")
        self.assertEqual(self.told("invoice.paid")[0][2]["paid_on"], TODAY.isoformat())

    def test_a_payment_at_once_is_told_as_paid_alone(self):
        self.pay(self.posted(), "500.00")
        self.assertEqual(self.kinds("invoice"), ["invoice.posted", "invoice.paid"])

    def test_a_credit_is_told_with_its_note_and_nothing_else(self):
        invoice = self.posted()
        self.pay(invoice, "200.00")
        answer = self.perform("credit_invoice", {"invoice": invoice, "on": TODAY.isoformat()})
        kind, _, data = self.told("invoice")[-1]
        self.assertEqual(
            (kind, data["credit_note"], data["credited"]), ("invoice.credited", answer["credit_note"], "500.00")
        )
        self.assertEqual({data["invoice"] for _, _, data in self.told("invoice")}, {invoice})

    def test_a_new_due_date_is_told_once(self):
        invoice = self.posted()
        with Transaction().set_context(_check_access=False):
            [line] = self.record("account.invoice", invoice).lines_to_pay
            for _ in range(2):
                Pool().get("account.move.line").write([line], {"maturity_date": TODAY + dt.timedelta(40)})
        kind, _, data = self.told("invoice")[-1]
        self.assertEqual(
            (kind, data["due_on"], data["version"]),
            ("invoice.due_date_changed", (TODAY + dt.timedelta(40)).isoformat(), 2),
        )
        self.assertEqual(len(self.told("invoice")), 2)

    def test_what_the_erps_own_people_do_is_told_as_well(self):
        invoice = self.draft()
        with Transaction().set_context(_check_access=False, _skip_warnings=True):
            Invoice = Pool().get("account.invoice")
            record = self.record("account.invoice", invoice)
            with Transaction().set_context(company=record.company.id):
                Invoice.post([record])
                record.company.cancel_invoice_out = True
                record.company.save()
                Invoice.cancel([Invoice(record.id)])
        self.assertEqual(self.kinds("invoice"), ["invoice.posted", "invoice.voided"])

    def test_an_overdue_invoice_is_not_told(self):
        self.posted(OLD)
        self.assertEqual(self.kinds("invoice"), ["invoice.posted"])

    def test_a_subscription_is_told_as_it_lives(self):
        made = self.billing(ends=None)
        self.perform(
            "amend_subscription", {"subscription": made, "effective": "2026-02-01", "quantities": {"seat": "12"}}
        )
        self.perform("end_subscription", {"subscription": made, "ends": "2026-03-01", "reason": "churn"})
        draft = self.sold(contract="crm/007/1", customer=self.customer("002"))
        self.perform("cancel_subscription", {"subscription": draft, "reason": "a mistake"})
        told = [
            (kind.partition(".")[2], data["contract"], data["version"]) for kind, _, data in self.told("subscription")
        ]
        self.assertEqual(told, [
            ("active", "crm/006/1", 1), ("changed", "crm/006/1", 2), ("changed", "crm/006/1", 3),
            ("ended", "crm/006/1", 4), ("cancelled", "crm/007/1", 1),
        ])  # fmt: skip
        changed = self.told("subscription")[2][2]
        self.assertEqual(changed["lines"], {"seat": {"quantity": "12", "billed_from": "2026-01-01"}})

    def test_a_back_fill_tells_what_is_so_by_the_same_names(self):
        paid, credited, draft = self.posted(), self.posted(contract="crm/007/1"), self.draft("crm/008/1")
        self.pay(paid, "200.00")
        self.pay(paid, "300.00")
        self.perform("credit_invoice", {"invoice": credited, "on": TODAY.isoformat()})
        found, position = [], ""
        while position is not None:
            page = self.read("back_fill", position=position, limit=1)
            self.assertLessEqual(len({e["data"].get("invoice") for e in page["events"]}), 1)
            found, position = found + page["events"], page["cursor"]
        named = {(event["kind"], event["id"]) for event in found if event["kind"].startswith("invoice")}
        self.assertEqual(named, {(kind, name) for kind, name, _ in self.told("invoice")})
        self.assertNotIn(draft, {event["data"].get("invoice") for event in found})
        self.assertEqual({e["data"]["contract"] for e in found if e["kind"] == "subscription.active"},
                         {"crm/006/1", "crm/007/1", "crm/008/1"})  # fmt: skip
        ahead = self.read("back_fill", since="2999-01-01T00:00:00+00:00")
        self.assertEqual(ahead["events"], [])
        for wrong in ({"position": "x"}, {"position": "account.invoice:x"}, {"since": "yesterday"}):
            self.refused("invalid", self.read, "back_fill", **wrong)
