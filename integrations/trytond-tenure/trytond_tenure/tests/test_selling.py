# SPDX-License-Identifier: GPL-3.0-or-later
import datetime as dt
from decimal import Decimal

from trytond.pool import Pool

from . import world
from .case import CommandTestCase

ACTIVATION = {"on": "2026-01-01", "starts": "2026-01-01", "ends": "2027-01-01"}


class SellingTestCase(CommandTestCase):
    def test_a_subscription_is_sold_as_it_is_sold(self):
        made = self.sold(
            world.line(quantity="12", price="41.2500", frequency="quarterly"),
            world.line("setup", "SETUP", "1", "once", "one_time", None),
        )
        record = self.record("sale.subscription", made)
        seat, setup = record.lines
        self.assertEqual((seat.quantity, seat.unit_price, seat.service.product.code), (12, Decimal("41.2500"), "SEAT"))
        self.assertEqual((setup.unit_price, setup.tenure_frequency), (Decimal("500"), "once"))
        self.assertEqual((record.state, record.reference), ("draft", "crm/006/1"))
        self.assertTrue(record.payment_term.name.startswith("Net 30"))
        state = self.state(made)
        self.assertEqual(
            (state["status"], state["entitled"], state["starts"], state["ends"]), ("draft", False, None, None)
        )
        self.assertEqual(
            state["lines"][0],
            {"line": "seat", "quantity": "12", "billed_from": None, "accepted_on": None, "revenue": "none"},
        )

    def test_what_can_not_be_sold_is_invalid(self):
        customer = self.customer()
        for changes in (
            {"selling_entity": "acme-de"},
            {"currency": "XXX"},
            {"payment_terms_days": 45},
            {"payment_terms_days": "30"},
            {"lines": []},
            {"lines": [world.line(), world.line()]},
            {"lines": [world.line(product="NOTHING")]},
            {"lines": [world.line(quantity="0")]},
            {"lines": [world.line(quantity="NaN")]},
            {"lines": [world.line(price="a lot")]},
            {"lines": [world.line(frequency="daily")]},
            {"lines": [world.line(charge="gift")]},
            {"starts": "2026-02-30"},
            {"starts": "2026-02-01", "ends": "2026-02-01"},
            {"starts": None, "ends": "2026-02-01"},
        ):
            with self.subTest(changes=changes):
                sold = {**world.subscription(customer), **changes}
                self.refused("invalid", self.perform, "create_subscription", sold)
        self.assertEqual(Pool().get("sale.subscription").search([], count=True), 0)

    def test_a_quantity_that_the_unit_can_not_hold_is_refused_in_plain_words(self):
        sold = world.subscription(self.customer(), world.line(quantity="2.5"))
        message = self.refused("invalid", self.perform, "create_subscription", sold)
        self.assertIn("quantity: 2.5 has too many decimals: the ERP's unit Unit allows 0", message)

    def test_an_activation_anchors_the_term(self):
        made = self.sold()
        starts, ends = world.months_ago(3), world.months_ago(-9)
        term = {"starts": starts.isoformat(), "ends": ends.isoformat()}
        answer = self.perform("activate_order", {"subscription": made, "on": term["starts"], **term})
        self.assertEqual(answer, {"subscription": made, "on": term["starts"]})
        state = self.state(made)
        self.assertEqual((state["status"], state["starts"], state["ends"]), ("active", term["starts"], term["ends"]))
        self.assertTrue(state["entitled"])
        record = self.record("sale.subscription", made)
        self.assertEqual((record.state, record.end_date), ("running", ends - dt.timedelta(1)))

    def test_a_second_activation_with_other_dates_is_refused(self):
        made = self.active()
        again = self.perform("activate_order", {"subscription": made, **ACTIVATION})
        self.assertEqual(again["subscription"], made)
        other = {"subscription": made, **ACTIVATION, "ends": "2028-01-01"}
        self.refused("rejected", self.perform, "activate_order", other)
        self.assertEqual(self.state(made)["ends"], "2027-01-01")

    def test_nothing_is_billed_of_a_held_line(self):
        made = self.active(world.line(), world.line("base", "BASE"), ends=None)
        self.assertEqual(self.bill(made, "2026-12-31"), [])
        Pool().get("sale.subscription.line").generate_consumption(date=world.months_ago(-24))  # the ERP's scheduler
        self.assertEqual(self.bill(made, "2026-12-31"), [])
        self.start(made, "seat", "2026-03-15", "2026-03-10")
        [invoice] = self.bill(made, "2026-04-30")
        self.assertEqual(
            [(period, quantity) for period, quantity, _ in self.billed(invoice)],
            [("2026-03-15 – 2026-04-14", 10), ("2026-04-15 – 2026-05-14", 10)],
        )
        seat, base = self.state(made)["lines"]
        self.assertEqual((seat["billed_from"], seat["accepted_on"]), ("2026-03-15", "2026-03-10"))
        self.assertEqual((seat["revenue"], base["revenue"], base["billed_from"]), ("running", "none", None))

    def test_billing_does_not_start_before_activation_or_of_what_was_not_sold(self):
        draft = self.sold()
        self.refused("rejected", self.start, draft, "seat", "2026-01-01")
        made = self.active(contract="crm/007/1")
        self.refused("rejected", self.start, made, "unsold", "2026-01-01")
        self.refused("rejected", self.start, made, "seat", "2027-01-01")
        self.refused("not_found", self.start, "no-such", "seat", "2026-01-01")
        self.refused("not_found", self.start, "99999999", "seat", "2026-01-01")

    def test_a_billing_start_may_be_corrected_until_it_was_billed(self):
        made = self.active()
        first = self.start(made, "seat", "2026-02-01")
        self.assertEqual((first["line"], first["starts"]), ("seat", "2026-02-01"))
        self.start(made, "seat", "2026-03-01")
        self.bill(made, "2026-03-01")
        self.assertEqual(self.start(made, "seat", "2026-03-01")["id"], first["id"])
        self.refused("rejected", self.start, made, "seat", "2026-04-01")

    def test_revenue_follows_acceptance_and_term(self):
        ahead = world.months_ago(-2).isoformat()
        made = self.active(
            world.line(), world.line("setup", "SETUP", "1", "once", "one_time"), world.line("base", "BASE"),
            starts=world.months_ago(3).isoformat(), ends=world.months_ago(-9).isoformat(),
        )  # fmt: skip
        self.start(made, "seat", world.months_ago(3).isoformat())
        self.start(made, "setup", world.months_ago(3).isoformat())
        self.start(made, "base", ahead, ahead)
        self.assertEqual([line["revenue"] for line in self.state(made)["lines"]], ["running", "complete", "scheduled"])

    def test_the_last_day_of_a_month_comes_back(self):
        made = self.billing(from_day="2026-01-31", ends="2026-06-01")
        [invoice] = self.bill(made, "2026-12-31")
        starts = [period.partition(" ")[0] for period, _, _ in self.billed(invoice)]
        self.assertEqual(starts, ["2026-01-31", "2026-02-28", "2026-03-31", "2026-04-30", "2026-05-31"])

    def test_what_is_charged_once_is_billed_once(self):
        lines = world.line("setup", "SETUP", "1", "once", "one_time"), world.line("base", "BASE", frequency="annual")
        made = self.billing(*lines, ends=None)
        [invoice] = self.bill(made, "2027-06-01")
        periods = [period for period, _, _ in self.billed(invoice)]
        self.assertEqual(periods, ["2026-01-01", "2026-01-01 – 2026-12-31", "2027-01-01 – 2027-12-31"])
        self.assertEqual(self.bill(made, "2027-06-01"), [])

    def test_usage_is_not_billed_by_the_calendar(self):
        made = self.billing(world.line(charge="usage"))
        self.assertEqual(self.bill(made, "2026-12-31"), [])

    def test_an_invoice_says_whom_it_bills_and_for_what_order(self):
        made = self.billing()
        [invoice] = self.bill(made, "2026-01-01")
        record = self.record("account.invoice", invoice)
        self.assertEqual((record.reference, record.state, record.invoice_date), ("PO-7", "draft", None))
        self.assertEqual(record.total_amount, Decimal("500.00"))

    def test_the_other_subscriptions_are_not_billed(self):
        made = self.billing()
        other = self.billing(contract="crm/007/1", customer=self.customer("002"))
        [invoice] = self.bill(made, "2026-01-31")
        [mine] = self.record("account.invoice", invoice).tenure_subscriptions()
        self.assertEqual(str(mine.id), made)
        [theirs] = self.bill(other, "2026-01-31")
        self.assertNotEqual(invoice, theirs)
