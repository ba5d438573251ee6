# SPDX-License-Identifier: GPL-3.0-or-later
from trytond.transaction import without_check_access

from . import world
from .case import CommandTestCase


class ListingTestCase(CommandTestCase):
    def listed(self, kind, about):
        return self.read("records", kind=kind, about=about)["records"]

    def subscription(self, made):
        [found] = self.listed("subscriptions", made)
        return found

    def correct(self, made, lines=None, **fields):
        self.perform("correct_subscription", {"subscription": made, "fields": fields, "lines": lines or {}})

    def test_pages_follow_each_other(self):
        made = [self.sold(contract=f"crm/{n}/1", customer=self.customer(f"00{n}")) for n in range(3)]
        cursor, seen = None, []
        while True:
            page = self.read("records", kind="subscriptions", limit=1, cursor=cursor)
            seen += [each["id"] for each in page["records"]]
            if (cursor := page["cursor"]) is None:
                break
        self.assertEqual(seen, made)
        self.assertEqual(len(self.read("records", kind="customers", limit=2)["records"]), 2)

    def test_who_asks_for_something_else_is_told(self):
        self.refused("invalid", self.read, "records", kind="invoices")
        self.refused("invalid", self.read, "records", kind="customers", cursor="1 OR 1")
        self.refused("invalid", self.read, "records", kind="customers", limit=0)

    def test_a_customer_that_accounts_share_is_nobodys_alone(self):
        shared = self.customer("001", tax_id="12-3456789", parent_account="000")
        self.assertEqual(self.customer("002", tax_id="12-3456789"), shared)
        [found] = self.listed("customers", "002")
        self.assertEqual((found["id"], found["account"], found["key"]), (shared, None, None))
        fields = {"account": "003"}
        self.refused("rejected", self.perform, "correct_customer", {"customer": shared, "fields": fields})

    def test_a_renewal_as_new_goes_on_under_the_first_id(self):
        made = self.billing(world.line(), world.line("setup", "SETUP", "1", "once", "one_time"), starts="2026-01-01")
        asked = {"subscription": made, "term": 2, "starts": "2027-01-01", "ends": "2028-01-01", "as_new": True}
        new = self.perform("renew_subscription", asked)["id"]
        self.assertNotEqual(new, made)
        for about in (made, "crm/006/1"):
            [found] = self.listed("subscriptions", about)
            self.assertEqual((found["id"], found["term"], found["ends"]), (made, 2, "2028-01-01"))
            self.assertEqual(found["status"], "active")
            self.assertEqual({line["id"]: line["billed_from"] for line in found["lines"]},
                             {"seat": "2026-01-01", "setup": "2026-01-01"})  # fmt: skip

    def test_a_line_that_somebody_added_there_is_seen(self):
        made = self.active()
        record = self.record("sale.subscription", made)
        line = record.lines[0]
        with without_check_access():
            [added] = type(line).copy([line])
        names = {each["id"] for each in self.subscription(made)["lines"]}
        self.assertEqual(names, {"seat", f"tryton:{added.id}"})

    def test_an_end_is_taken_back_while_it_is_to_come(self):
        made = self.active(starts="2026-01-01", ends="2030-01-01")
        self.perform("end_subscription", {"subscription": made, "ends": "2029-01-01", "reason": "by hand"})
        for _ in range(2):
            self.correct(made, status="active", ends="2030-01-01")
        found = self.subscription(made)
        self.assertEqual((found["status"], found["ends"]), ("active", "2030-01-01"))
        self.perform("cancel_subscription", {"subscription": made, "reason": "by hand"})
        self.refused("rejected", self.correct, made, status="active")

    def test_what_was_billed_stays(self):
        made = self.billing()
        self.bill(made, "2026-02-01")
        self.refused("rejected", self.correct, made, {"seat": {"billed_from": None}})
        self.correct(made, {"seat": {"unit_price": "45.00"}})
        [invoice] = self.bill(made, "2026-03-01")
        self.assertEqual([price for _, _, price in self.billed(invoice)], [45])
        self.refused("rejected", self.perform, "retire_subscription", {"subscription": made, "reason": "twice"})

    def test_what_tryton_keeps_as_it_is(self):
        made = self.active()
        for fields in ({"currency": "EUR"}, {"customer": "1-1"}, {"starts": "2026-02-01"}):
            self.refused("invalid", self.correct, made, **fields)
        self.refused("invalid", self.correct, made, {"seat": {"product": "BASE"}})
        self.refused("rejected", self.correct, made, {"nothing": {"unit_price": "1"}})

    def test_a_changed_quantity_is_billed_since_the_first_period_that_has_it(self):
        made = self.billing(ends=None)
        [line] = self.read("priced_state", subscription=made)["lines"]
        self.assertIsNone(line["quantity_since"])
        self.bill(made, "2026-03-01")
        asked = {"subscription": made, "effective": "2026-02-10", "quantities": {"seat": "12"}}
        self.perform("amend_subscription", asked)
        [line] = self.read("priced_state", subscription=made)["lines"]
        self.assertEqual((line["quantity"], line["quantity_since"]), ("12", "2026-04-01"))
        self.bill(made, "2026-05-01")
        [line] = self.read("priced_state", subscription=made)["lines"]
        self.assertEqual(line["quantity_since"], "2026-04-01")
