# SPDX-License-Identifier: GPL-3.0-or-later
import datetime as dt

from trytond.pool import Pool

from . import world
from .case import CommandTestCase


class AmendingTestCase(CommandTestCase):
    def amend(self, subscription, effective, **changes):
        return self.perform("amend_subscription", {"subscription": subscription, "effective": effective, **changes})

    def move(self, subscription, ends):
        asked = {"subscription": subscription, "ends": ends, "reason": "co-term"}
        return self.perform("change_term", asked)

    def line(self, subscription, name):
        [line] = [line for line in self.state(subscription)["lines"] if line["line"] == name]
        return line

    def periods(self, invoice):
        return [period for period, _, _ in self.billed(invoice)]

    def scheduler(self, subscription, day):
        """What the ERP does every night."""
        pool = Pool()
        with self.as_company(subscription):
            pool.get("sale.subscription.line").generate_consumption(date=day)
            before = pool.get("account.invoice").search([])
            pool.get("sale.subscription").generate_invoice(date=day)
            return [str(each.id) for each in pool.get("account.invoice").search([]) if each not in before]

    # ── lines with days of their own ──

    def test_a_ramp_is_billed_line_by_line(self):
        first = world.line("first", quantity="10") | {"ends": "2026-04-01"}
        then = world.line("then", quantity="25") | {"starts": "2026-04-01"}
        made = self.active(first, then)
        self.start(made, "first", "2026-01-01")
        self.start(made, "then", "2026-04-01")
        [invoice] = self.bill(made, "2026-06-01")
        self.assertEqual([quantity for _, quantity, _ in self.billed(invoice)], [10, 10, 10, 25, 25, 25])
        self.assertEqual((self.line(made, "first")["ends"], self.line(made, "then")["starts"]), ("2026-04-01",) * 2)

    def test_a_line_is_billed_within_its_days(self):
        made = self.active(world.line("ramp") | {"starts": "2026-03-01", "ends": "2026-06-01"})
        self.refused("rejected", self.start, made, "ramp", "2026-02-28")
        self.refused("rejected", self.start, made, "ramp", "2026-06-01")
        self.refused(
            "invalid", self.sold, world.line() | {"starts": "2026-03-01", "ends": "2026-03-01"}, contract="crm/007/1"
        )

    # ── what it is worth ──

    def test_a_period_is_priced_as_it_is_billed(self):
        made = self.active(world.line(quantity="10", price="50.00"), world.line("calls", charge="usage"))
        self.amend(made, (dt.date.today() + dt.timedelta(20)).isoformat(), quantities={"seat": "12"})
        state = self.read("priced_state", subscription=made)
        lines = {line["line"]: line for line in state["lines"]}
        self.assertEqual((state["currency"], state["status"]), ("USD", "active"))
        self.assertEqual((lines["seat"]["amount"], lines["seat"]["quantity"]), ("500.00", "10"))
        self.assertEqual((lines["seat"]["target"], lines["seat"]["frequency"]), ("12", "monthly"))
        self.assertEqual((lines["calls"]["amount"], lines["calls"]["charge"]), (None, "usage"))

    # ── lines that come and go ──

    def test_a_line_comes_another_goes(self):
        made = self.billing()
        self.amend(made, "2026-03-01", added=[world.line("base", "BASE", "1", price="900.00")], removed=["seat"])
        self.start(made, "base", "2026-03-01")
        [invoice] = self.bill(made, "2026-04-01")
        self.assertEqual([quantity for _, quantity, _ in self.billed(invoice)], [10, 10, 1, 1])
        self.assertEqual((self.line(made, "seat")["ends"], self.line(made, "base")["starts"]), ("2026-03-01",) * 2)

    def test_what_was_counted_ahead_of_a_removal_is_not_billed(self):
        made = self.billing()
        with self.as_company(made):
            Pool().get("sale.subscription.line").generate_consumption(date=dt.date(2026, 4, 1))
        self.amend(made, "2026-03-01", removed=["seat"])
        [invoice] = self.bill(made, "2026-12-01")
        self.assertEqual(len(self.periods(invoice)), 2)

    def test_a_removal_is_taken_back(self):
        made = self.billing()
        self.bill(made, "2026-02-01")
        self.amend(made, "2026-05-01", removed=["seat"])
        self.amend(made, "2026-05-01", added=[world.line() | {"quantity": "12"}])
        [invoice] = self.bill(made, "2026-06-01")
        self.assertEqual([quantity for _, quantity, _ in self.billed(invoice)], [10, 10, 10, 10])
        self.assertNotIn("ends", self.line(made, "seat"))

    def test_an_amendment_of_lines_is_refused(self):
        made = self.billing()
        self.refused("rejected", self.amend, made, "2026-03-01", added=[world.line()])
        self.refused("rejected", self.amend, made, "2026-03-01", removed=["unsold"])
        self.refused("invalid", self.amend, made, "2026-03-01", added=[world.line("x", product="NONE")])
        self.refused("invalid", self.amend, made, "2026-03-01", added=[world.line("x") | {"ends": "2026-03-01"}])
        self.amend(made, "2026-03-01", removed=["seat"])
        self.refused("rejected", self.amend, made, "2026-04-01", removed=["seat"])
        self.refused("rejected", self.amend, made, "2026-04-01", added=[world.line()])

    def test_a_renewal_of_its_own_leaves_out_what_was_removed(self):
        made = self.billing(world.line(), world.line("base", "BASE", "1"))
        self.amend(made, "2026-06-01", removed=["base"])
        asked = {"subscription": made, "term": 2, "starts": "2027-01-01", "ends": "2028-01-01", "as_new": True}
        new = self.perform("renew_subscription", asked)["id"]
        self.assertEqual([line["line"] for line in self.state(new)["lines"]], ["seat"])

    # ── another end ──

    def test_a_term_gets_another_end(self):
        made = self.billing()
        self.bill(made, "2026-12-31")
        self.move(made, "2027-04-01")
        [invoice] = self.bill(made, "2027-12-31")
        self.assertEqual(len(self.periods(invoice)), 3)
        self.move(made, None)
        self.assertIsNone(self.state(made)["ends"])
        [invoice] = self.bill(made, "2027-05-01")
        self.assertEqual(len(self.periods(invoice)), 2)
        self.move(made, "2027-06-01")
        self.assertEqual(self.bill(made, "2027-12-31"), [])

    def test_what_was_counted_beyond_a_shorter_term_is_counted_again_with_a_longer(self):
        made = self.billing()
        with self.as_company(made):
            Pool().get("sale.subscription.line").generate_consumption(date=dt.date(2026, 12, 1))
        self.move(made, "2026-07-01")
        self.move(made, "2027-01-01")
        [invoice] = self.bill(made, "2026-12-31")
        self.assertEqual(len(self.periods(invoice)), 12)

    def test_no_end_before_what_is_billed(self):
        made = self.billing(world.line(frequency="annual"))
        self.refused("invalid", self.move, made, "2026-01-01")
        self.move(made, "2026-07-01")
        self.move(made, "2027-01-01")
        self.bill(made, "2026-06-01")
        self.refused("rejected", self.move, made, "2026-12-31")
        self.assertEqual(self.state(made)["ends"], "2027-01-01")
        self.move(made, "2028-01-01")
        later = self.billing(from_day="2026-05-01", contract="crm/007/1")
        self.refused("rejected", self.move, later, "2026-05-01")

    def test_a_renewal_without_end(self):
        made = self.billing()
        asked = {"subscription": made, "term": 2, "starts": "2027-01-01", "ends": None}
        self.perform("renew_subscription", asked)
        self.assertIsNone(self.state(made)["ends"])
        [invoice] = self.bill(made, "2027-02-01")
        self.assertEqual(len(self.periods(invoice)), 14)

    # ── the books ──

    def close_month(self, day):
        Period = Pool().get("account.period")
        company = self.record("sale.subscription", self.sold(contract="crm/009/1")).company
        with self.as_company(self.sold(contract="crm/009/2")):
            period = Period.find(company, date=day)
            Period.close([period])

    def test_a_closed_period_refuses_and_says_from_when_on_one_is_open(self):
        from trytond.transaction import without_check_access

        made = self.active()
        with without_check_access():
            self.close_month(dt.date(2026, 3, 1))
        for work in (
            lambda: self.start(made, "seat", "2026-03-10"),
            lambda: self.start(made, "seat", "2026-04-10", "2026-03-31"),
            lambda: self.amend(made, "2026-03-01", quantities={"seat": "5"}),
            lambda: self.perform("end_subscription", {"subscription": made, "ends": "2026-03-31", "reason": "churn"}),
            lambda: self.move(made, "2026-03-31"),
        ):
            self.assertIn("open from 2026-04-01 on", self.refused("period_closed:2026-04-01", work))
        self.start(made, "seat", "2026-04-01")
        self.amend(made, "2026-02-28", quantities={"seat": "5"})

    # ── the scheduler ──

    def test_a_line_that_is_billed_later_is_invoiced_when_its_period_begins(self):
        made = self.active(world.line(frequency="annual"))
        self.start(made, "seat", "2026-03-15")
        self.assertEqual(self.scheduler(made, dt.date(2026, 1, 1)), [])
        self.assertEqual(len(self.scheduler(made, dt.date(2026, 3, 15))), 1)
        self.assertEqual(self.scheduler(made, dt.date(2026, 3, 16)), [])
        self.amend(made, "2026-06-01", added=[world.line("more")])
        self.start(made, "more", "2026-06-01")
        self.assertEqual(len(self.scheduler(made, dt.date(2026, 6, 1))), 1)
        self.assertEqual(len(self.scheduler(made, dt.date(2026, 7, 1))), 1)
