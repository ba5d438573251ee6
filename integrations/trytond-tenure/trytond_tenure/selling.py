# SPDX-License-Identifier: GPL-3.0-or-later
"""From the order to the first bill: a subscription as sold, its activation, and the billing start of each line."""

import datetime as dt

from trytond.pool import Pool, PoolMeta
from trytond.transaction import Transaction

from .arguments import record_of
from .books import refuse_closed
from .errors import NOT_FOUND, REJECTED, TenureError
from .subscription import MONTHS

_CHARGES = ("one_time", "recurring", "usage", "prepaid")


class Command(metaclass=PoolMeta):
    __name__ = "tenure.command"

    @classmethod
    def do_create_subscription(cls, given):
        """A draft: its term may be unknown until activation, and nothing of it is billed."""
        pool = Pool()
        Subscription, Currency = pool.get("sale.subscription"), pool.get("currency.currency")
        party, company = cls.customer_of(given)
        if company.tenure_code != given.text("selling_entity"):
            raise given.invalid("customer", f"it is not one of {given.text('selling_entity')!r}")
        currency = Currency.search([("code", "=", given.text("currency"))])
        if not currency:
            raise given.invalid("currency", "the ERP does not know it")
        starts, ends = given.day("starts", None), given.day("ends", None)
        _check_term(given, starts, ends)
        with Transaction().set_context(company=company.id):
            today = pool.get("ir.date").today()
            subscription = Subscription(
                company=company, party=party, currency=currency[0], invoice_address=party.address_get(type="invoice")
            )
            subscription.payment_term = cls._payment_term(given)
            subscription.start_date, subscription.end_date = stock_term(starts or today, ends)
            subscription.tenure_starts, subscription.tenure_ends = starts, ends
            subscription.reference = subscription.tenure_contract = given.text("contract")
            subscription.tenure_external_id = cls.key()
            subscription.tenure_purchase_order = given.text("purchase_order", None)
            subscription.lines = [cls._line(row, subscription) for row in given.rows("lines")]
            names = [line.tenure_line for line in subscription.lines]
            if len(set(names)) != len(names):
                raise given.invalid("lines", "two of them have the same id")
            months = min((MONTHS.get(line.tenure_frequency, 12) for line in subscription.lines), default=12)
            subscription.invoice_recurrence = cls._recurrence(months)
            with cls.keeping("sale.subscription", "create"):
                subscription.save()
        return {"id": str(subscription.id)}

    @classmethod
    def do_activate_order(cls, given):
        Subscription = Pool().get("sale.subscription")
        subscription = cls.subscription_of(given)
        starts, ends, on = given.day("starts"), given.day("ends", None), given.day("on")
        _check_term(given, starts, ends)
        answer = {"subscription": str(subscription.id), "on": on.isoformat()}
        if subscription.tenure_activated_on:
            known = (subscription.tenure_activated_on, subscription.tenure_starts, subscription.tenure_ends)
            if known == (on, starts, ends):
                return answer
            raise TenureError(REJECTED, "the subscription is active already, with other dates")
        if subscription.state not in ("draft", "quotation"):
            raise TenureError(REJECTED, f"the subscription is {subscription.tenure_status()}, not a draft")
        if subscription.party.tenure_held(subscription.company):
            raise TenureError(REJECTED, "the customer is on credit hold")
        with Transaction().set_context(company=subscription.company.id):
            first, last = stock_term(starts, ends)
            with cls.keeping("sale.subscription"):
                Subscription.write([subscription], {
                    "start_date": first, "end_date": last, "tenure_activated_on": on,
                    "tenure_starts": starts, "tenure_ends": ends, "tenure_term": 1,
                    "lines": [("write", [line.id for line in subscription.lines], {"start_date": first})],
                })  # fmt: skip
            if subscription.state == "draft":
                Subscription.quote([subscription])
            Subscription.run([subscription])
        return answer

    @classmethod
    def do_start_billing(cls, given):
        """Let a line be billed from a day on; the acceptance triggers its revenue. Both may be corrected until then."""
        Line = Pool().get("sale.subscription.line")
        subscription = cls.active_subscription_of(given)
        line = cls.line_of(subscription, given.text("line"))
        starts, accepted = given.day("starts"), given.day("accepted_on")
        answer = {"id": str(line.id), "line": line.tenure_line, "starts": starts.isoformat()}
        if (line.tenure_billed_from, line.tenure_accepted_on) == (starts, accepted):
            return answer
        if line.tenure_periods:
            raise TenureError(REJECTED, "the line is billed already, from another day")
        last = line.tenure_last()
        if last and starts >= last:
            raise TenureError(REJECTED, f"billing can't start when the line is over, on {last}")
        if line.tenure_starts and starts < line.tenure_starts:
            raise TenureError(REJECTED, f"billing can't start before the line does, on {line.tenure_starts}")
        refuse_closed(subscription.company, starts, accepted)
        line.tenure_billed_from, line.tenure_accepted_on = starts, accepted
        line.next_consumption_date = line.compute_next_consumption_date()
        with cls.keeping("sale.subscription"):
            Line.save([line])
            cls.name_purchase_order(subscription, given)
        return answer

    @classmethod
    def name_purchase_order(cls, subscription, given):
        """What is billed from now on names another purchase order, where one is told."""
        number = given.text("purchase_order", None)
        if number and number != subscription.tenure_purchase_order:
            subscription.tenure_purchase_order = number
            subscription.save()

    @classmethod
    def subscription_of(cls, given, name="subscription"):
        Subscription = Pool().get("sale.subscription")
        subscription = record_of(Subscription, given.text(name), "subscription")
        if not subscription.tenure_contract:
            raise TenureError(NOT_FOUND, "the subscription is none of Tenure's")
        return subscription

    @classmethod
    def active_subscription_of(cls, given):
        subscription = cls.subscription_of(given)
        if subscription.tenure_status() != "active":
            raise TenureError(REJECTED, f"the subscription is {subscription.tenure_status()}, not active")
        return subscription

    @classmethod
    def line_of(cls, subscription, name):
        found = [line for line in subscription.lines if line.tenure_line == name]
        if not found:
            raise TenureError(REJECTED, f"the line {name!r} was not sold with this subscription")
        return found[0]

    @classmethod
    def _line(cls, given, subscription):
        pool = Pool()
        Line, Service = pool.get("sale.subscription.line"), pool.get("sale.subscription.service")
        found = Service.search([("product.code", "=", given.text("product"))])
        if not found:
            known = pool.get("product.product").search([("code", "=", given.text("product"))])
            why = "it is no subscription service of the ERP" if known else "the ERP has no such product"
            raise given.invalid("product", why)
        charge, frequency = given.text("charge"), given.text("frequency")
        if charge not in _CHARGES:
            raise given.invalid("charge", f"one of {', '.join(_CHARGES)} is needed")
        if frequency != "once" and frequency not in MONTHS:
            raise given.invalid("frequency", f"one of once, {', '.join(MONTHS)} is needed")
        quantity = given.amount("quantity")
        if quantity <= 0:
            raise given.invalid("quantity", "it must be more than 0")
        line = Line(subscription=subscription, service=found[0], quantity=float(quantity))
        line.on_change_service()  # unit and list price
        cls._check_decimals(given, "quantity", quantity, line.unit)
        price = given.amount("unit_price", None)
        if price is not None:
            line.unit_price = price
        line.description = found[0].product.name
        line.start_date = subscription.start_date
        line.tenure_line, line.tenure_charge = given.text("id"), charge
        line.tenure_starts, line.tenure_ends = given.day("starts", None), given.day("ends", None)
        if line.tenure_starts and line.tenure_ends and line.tenure_ends <= line.tenure_starts:
            raise given.invalid("ends", "a line must end after its start")
        line.tenure_frequency = "once" if charge == "one_time" else frequency
        line.consumption_recurrence = cls._recurrence(MONTHS.get(line.tenure_frequency, 12))
        line.consumption_delay = None
        return line

    @classmethod
    def _check_decimals(cls, given, name, quantity, unit):
        """Tryton's own refusal names neither the product nor the unit."""
        if unit and round(quantity, unit.digits) != quantity:
            allowed = f"the ERP's unit {unit.name} allows {unit.digits}"
            raise given.invalid(name, f"{quantity} has too many decimals: {allowed}; sell the product in a finer unit")

    @classmethod
    def _recurrence(cls, months):
        name = {1: "monthly", 3: "quarterly", 12: "annual"}[months]
        return Pool().get("ir.model.data").get_id("tenure", f"recurrence_{name}")

    @classmethod
    def _payment_term(cls, given):
        """The term that is due that many days after the invoice, all at once."""
        days = given.whole("payment_terms_days")
        for term in Pool().get("account.invoice.payment_term").search([], order=[("id", "ASC")]):
            if len(term.lines) == 1 and term.lines[0].type == "remainder":
                shown = (dt.date(2025, 1, 1), dt.date(2025, 2, 1), dt.date(2025, 3, 15))
                if all(term.lines[0].get_date(day) == day + dt.timedelta(days) for day in shown):
                    return term
        raise given.invalid("payment_terms_days", f"the ERP has no payment term of {days} days")


def stock_term(starts, ends):
    """(start, inclusive end) as Tryton keeps it; a term has a day at least there, also one that never began."""
    return starts, None if ends is None else max(starts, ends - dt.timedelta(1))


def _check_term(given, starts, ends):
    if ends is not None and starts is None:
        raise given.invalid("starts", "a term that ends has to start")
    if ends is not None and ends <= starts:
        raise given.invalid("ends", "a term must end after its start")
