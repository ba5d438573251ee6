# SPDX-License-Identifier: GPL-3.0-or-later
from trytond.pool import Pool

from . import world
from .case import CommandTestCase


class ChangingTestCase(CommandTestCase):
    def amend(self, subscription, effective, **quantities):
        asked = {"subscription": subscription, "effective": effective, "quantities": quantities}
        return self.perform("amend_subscription", asked)

    def renew(self, subscription, term, starts, ends, **more):
        asked = {"subscription": subscription, "term": term, "starts": starts, "ends": ends, **more}
        return self.perform("renew_subscription", asked)["id"]

    def end(self, subscription, ends):
        return self.perform("end_subscription", {"subscription": subscription, "ends": ends, "reason": "churn"})

    def cancel(self, subscription):
        return self.perform("cancel_subscription", {"subscription": subscription, "reason": "a mistake"})

    def quantities(self, invoice):
        return [quantity for _, quantity, _ in self.billed(invoice)]

    def test_an_amendment_holds_from_its_day_on(self):
        made = self.billing()
        self.amend(made, "2026-03-01", seat="15")
        self.amend(made, "2026-05-01", seat="8")
        [invoice] = self.bill(made, "2026-06-01")
        self.assertEqual(self.quantities(invoice), [10, 10, 15, 15, 8, 8])
        self.assertEqual(self.state(made)["lines"][0]["quantity"], "8")

    def test_what_was_billed_keeps_its_quantity(self):
        made = self.billing()
        [before] = self.bill(made, "2026-02-01")
        self.amend(made, "2026-01-15", seat="20")
        [after] = self.bill(made, "2026-03-01")
        self.assertEqual((self.quantities(before), self.quantities(after)), ([10, 10], [20]))

    def test_an_amendment_to_come_changes_nothing_today(self):
        ahead = world.months_ago(-1).isoformat()
        made = self.billing(ends=None)
        self.amend(made, ahead, seat="15")
        self.assertEqual(self.state(made)["lines"][0]["quantity"], "10")

    def test_an_amendment_is_refused(self):
        made = self.active()
        self.refused("invalid", self.amend, made, "2026-02-01", seat="2.5")
        self.refused("rejected", self.amend, made, "2026-02-01", unsold="1")
        self.refused("rejected", self.amend, made, "2027-01-01", seat="1")
        self.refused("invalid", self.amend, made, "2026-02-01", seat="-1")
        self.refused("invalid", self.amend, made, "2026-02-01")
        draft = self.sold(contract="crm/007/1")
        self.refused("rejected", self.amend, draft, "2026-02-01", seat="1")

    def test_a_term_that_is_billed_to_its_end_can_be_renewed(self):
        made = self.billing(world.line(frequency="annual"))
        self.assertEqual(len(self.bill(made, "2026-12-31")), 1)
        self.assertEqual(self.bill(made, "2027-12-31"), [])
        self.assertEqual(self.state(made)["status"], "active")
        self.assertEqual(self.renew(made, 2, "2027-01-01", "2028-01-01"), made)
        self.assertEqual(self.state(made)["ends"], "2028-01-01")
        [invoice] = self.bill(made, "2027-12-31")
        self.assertEqual([period for period, _, _ in self.billed(invoice)], ["2027-01-01 – 2027-12-31"])

    def test_a_renewal_keeps_the_rhythm_of_a_late_start(self):
        made = self.billing(world.line(frequency="annual"), from_day="2026-03-15")
        self.bill(made, "2026-12-31")
        self.renew(made, 2, "2027-01-01", "2028-01-01")
        [invoice] = self.bill(made, "2027-12-31")
        self.assertEqual([period for period, _, _ in self.billed(invoice)], ["2027-03-15 – 2028-03-14"])

    def test_a_renewal_can_be_a_subscription_of_its_own(self):
        made = self.billing(world.line(), world.line("setup", "SETUP", "1", "once", "one_time"))
        self.amend(made, "2026-06-01", seat="12")
        new = self.renew(made, 2, "2027-01-01", "2028-01-01", as_new=True)
        self.assertNotEqual(new, made)
        record = self.record("sale.subscription", new)
        self.assertEqual((str(record.tenure_renews.id), record.tenure_contract), (made, "crm/006/1"))
        self.assertEqual([line["line"] for line in self.state(new)["lines"]], ["seat"])
        self.assertEqual(self.state(made)["status"], "ended")
        [old] = self.bill(made, "2027-12-31")
        self.assertEqual(len([p for p, _, _ in self.billed(old) if " – " in p]), 12)
        [renewed] = self.bill(new, "2027-01-31")
        self.assertEqual([(p, q) for p, q, _ in self.billed(renewed)], [("2027-01-01 – 2027-01-31", 12)])

    def test_what_is_billed_names_the_purchase_order_that_came_later(self):
        made = self.active(world.line(frequency="annual"))
        start = {"subscription": made, "line": "seat", "starts": "2026-01-01", "accepted_on": "2026-01-01"}
        self.perform("start_billing", {**start, "purchase_order": "PO-1"})
        [first] = self.bill(made, "2026-12-31")
        self.assertEqual(self.record("account.invoice", first).reference, "PO-1")
        self.renew(made, 2, "2027-01-01", "2028-01-01", purchase_order="PO-2")
        [second] = self.bill(made, "2027-12-31")
        self.assertEqual(self.record("account.invoice", second).reference, "PO-2")
        new = self.renew(made, 3, "2028-01-01", "2029-01-01", purchase_order="PO-3", as_new=True)
        self.assertEqual(self.record("sale.subscription", new).tenure_purchase_order, "PO-3")

    def test_a_renewal_is_refused(self):
        made = self.active()
        self.refused("rejected", self.renew, made, 2, "2027-02-01", "2028-02-01")
        self.refused("rejected", self.renew, made, 2, "2026-12-01", "2028-02-01")
        self.refused("invalid", self.renew, made, 2, "2027-01-01", "2027-01-01")
        evergreen = self.active(contract="crm/007/1", ends=None)
        self.refused("rejected", self.renew, evergreen, 2, "2027-01-01", "2028-01-01")
        self.end(made, "2026-06-01")
        self.refused("rejected", self.renew, made, 2, "2026-06-01", "2027-06-01")

    def test_nothing_is_billed_from_the_end_on(self):
        made = self.billing(ends=None)
        self.end(made, "2026-04-01")
        [invoice] = self.bill(made, "2027-12-31")
        self.assertEqual(len(self.quantities(invoice)), 3)
        state = self.state(made)
        self.assertEqual((state["status"], state["ends"], state["entitled"]), ("ended", "2026-04-01", False))
        self.assertEqual(self.record("sale.subscription", made).state, "closed")

    def test_an_end_to_come_is_served_until_then(self):
        made = self.billing(ends=None)
        self.end(made, world.months_ago(-2).isoformat())
        state = self.state(made)
        self.assertEqual((state["status"], state["entitled"]), ("ended", True))
        self.assertEqual(self.record("sale.subscription", made).state, "running")

    def test_an_end_within_what_is_billed(self):
        made = self.billing(world.line(frequency="annual"))
        self.bill(made, "2026-01-01")
        self.end(made, "2026-07-01")
        self.assertEqual(self.state(made)["ends"], "2026-07-01")
        self.assertEqual(self.bill(made, "2028-01-01"), [])

    def test_what_the_scheduler_counted_ahead_is_not_billed_after_the_end(self):
        made = self.billing(ends=None)
        with self.as_company(made):
            Pool().get("sale.subscription.line").generate_consumption(date=world.months_ago(-3))
        self.end(made, "2026-03-01")
        [invoice] = self.bill(made, "2027-12-31")
        self.assertEqual(len(self.quantities(invoice)), 2)

    def test_a_term_may_end_on_the_day_it_starts(self):
        made = self.billing()
        self.end(made, "2026-01-01")
        self.assertEqual(self.bill(made, "2026-12-31"), [])
        state = self.state(made)
        self.assertEqual((state["status"], state["starts"], state["ends"]), ("ended", "2026-01-01", "2026-01-01"))
        self.assertFalse(state["entitled"])

    def test_a_cancelled_one_never_was(self):
        customer = self.customer()
        draft, active = self.sold(customer=customer), self.billing(customer=customer, contract="crm/007/1")
        for made in (draft, active):
            self.cancel(made)
            self.assertEqual(self.state(made)["status"], "cancelled")
            self.refused("rejected", self.bill, made, "2026-12-31")
            self.refused("rejected", self.cancel, made)
        self.assertEqual(self.read("invoices", customer=customer)["invoices"], [])

    def test_what_was_invoiced_is_not_cancelled(self):
        made = self.billing()
        self.bill(made, "2026-01-31")
        self.refused("rejected", self.cancel, made)
        self.assertEqual(self.state(made)["status"], "active")
