# SPDX-License-Identifier: GPL-3.0-or-later
"""What becomes of an active subscription: quantities, another term, its end, or that it never was."""

import datetime as dt

from trytond.pool import Pool, PoolMeta
from trytond.transaction import Transaction, without_check_access

from .errors import REJECTED, TenureError
from .selling import stock_term


class Command(metaclass=PoolMeta):
    __name__ = "tenure.command"

    @classmethod
    def do_amend_subscription(cls, given):
        """Target quantities from a day on. Periods that were billed keep theirs: a difference is not prorated."""
        pool = Pool()
        Line, Quantity = pool.get("sale.subscription.line"), pool.get("tenure.subscription.quantity")
        subscription = cls.active_subscription_of(given)
        effective, quantities = given.day("effective"), given.amounts("quantities")
        if subscription.tenure_ends and effective >= subscription.tenure_ends:
            raise TenureError(REJECTED, "the amendment takes effect when the term is over")
        lines = []
        for name, quantity in quantities.items():
            line = cls.line_of(subscription, name)
            if quantity < 0:
                raise given.invalid("quantities", f"{name}: it can't be negative")
            cls._check_decimals(given, f"quantities.{name}", quantity, line.unit)
            if not line.tenure_quantities:
                # what was sold, so that a period before the amendment still finds it
                Quantity.create([{"line": line.id, "effective": dt.date.min, "quantity": line.quantity}])
            Quantity.create([{"line": line.id, "effective": effective, "quantity": float(quantity)}])
            lines.append(Line(line.id))
        today = subscription.tenure_today()
        for line in lines:
            line.quantity = line.tenure_quantity(today)
        with cls.keeping("sale.subscription"):
            Line.save(lines)
        return {"id": str(subscription.id)}

    @classmethod
    def do_renew_subscription(cls, given):
        """One more term, which begins where the last one ends; with `as_new` as a subscription of its own."""
        subscription = cls.active_subscription_of(given)
        term, starts, ends = given.whole("term"), given.day("starts"), given.day("ends")
        if ends <= starts:
            raise given.invalid("ends", "a term must end after its start")
        if subscription.tenure_ends is None:
            raise TenureError(REJECTED, "the subscription has no end: there is nothing to renew")
        if starts != subscription.tenure_ends:
            raise TenureError(REJECTED, f"the term ends on {subscription.tenure_ends}: the next one must start then")
        with Transaction().set_context(company=subscription.company.id):
            if given.flag("as_new", False):
                if not all(line.tenure_line for line in subscription.lines):
                    raise TenureError(REJECTED, "the ERP's own people added lines: renew it as it is, or there")
                return {"id": str(cls._renew_as_new(subscription, term, ends).id)}
            cls._set_end(subscription, ends, tenure_term=term)
        return {"id": str(subscription.id)}

    @classmethod
    def do_end_subscription(cls, given):
        """Nothing is billed from that day on. What was billed beyond it stays: a credit is a decision of its own."""
        subscription = cls.active_subscription_of(given)
        cls._end(subscription, given.day("ends"), given.text("reason"))
        return {"id": str(subscription.id)}

    @classmethod
    def do_cancel_subscription(cls, given):
        """As if it had never been: only before anything of it was invoiced. The customer stays."""
        pool = Pool()
        Subscription, Consumption = pool.get("sale.subscription"), pool.get("sale.subscription.line.consumption")
        subscription = cls.subscription_of(given)
        if subscription.tenure_status() in ("ended", "cancelled"):
            raise TenureError(REJECTED, f"the subscription is {subscription.tenure_status()}")
        with without_check_access():
            invoiced = Consumption.search(
                [("line.subscription", "=", subscription.id), ("invoice_line", "!=", None)], limit=1
            )
        if invoiced:
            raise TenureError(REJECTED, "the subscription was invoiced: it can be ended, not cancelled")
        with Transaction().set_context(company=subscription.company.id):
            Consumption.tenure_undo(subscription)
            with cls.keeping("sale.subscription"):
                Subscription.write([subscription], {
                    "tenure_reason": given.text("reason"),
                    "lines": [("write", [line.id for line in subscription.lines], {"next_consumption_date": None})],
                })  # fmt: skip
            if subscription.state == "running":
                Subscription.draft([subscription])
            Subscription.cancel([subscription])
        return {"id": str(subscription.id)}

    @classmethod
    def _end(cls, subscription, ends, reason):
        Subscription = Pool().get("sale.subscription")
        with Transaction().set_context(company=subscription.company.id):
            cls._set_end(subscription, ends, tenure_ended=True, tenure_reason=reason)
            subscription = Subscription(subscription.id)
            if subscription.tenure_is_over():
                with without_check_access():  # `close` is no button: only the ERP's own processing does it
                    Subscription.close([subscription])

    @classmethod
    def _set_end(cls, subscription, ends, **values):
        """Move the end, and see which periods are still, or again, to be billed."""
        pool = Pool()
        Subscription, Line = pool.get("sale.subscription"), pool.get("sale.subscription.line")
        _, last = stock_term(subscription.start_date, ends)
        with cls.keeping("sale.subscription"):
            Subscription.write([subscription], {"tenure_ends": ends, "end_date": last, **values})
            lines = Subscription(subscription.id).lines
            for line in lines:
                if line.tenure_line:  # the ERP's own lines are none of ours to set back
                    line.next_consumption_date = line.compute_next_consumption_date()
            Line.save(lines)
        cls._drop_counted(subscription, ends)

    @classmethod
    @without_check_access
    def _drop_counted(cls, subscription, ends):
        """What the ERP's scheduler counted ahead and nobody invoiced yet is not billed after the end."""
        Consumption = Pool().get("sale.subscription.line.consumption")
        domain = [("line.subscription", "=", subscription.id), ("invoice_line", "=", None), ("date", ">=", ends)]
        Consumption.delete(Consumption.search(domain))

    @classmethod
    def _renew_as_new(cls, old, term, ends):
        """The lines go on as they are, from the day on which the old subscription ends."""
        pool = Pool()
        Subscription, Line = pool.get("sale.subscription"), pool.get("sale.subscription.line")
        starts = old.tenure_ends
        first, last = stock_term(starts, ends)
        new = Subscription(
            company=old.company, party=old.party, invoice_party=old.invoice_party, currency=old.currency,
            invoice_address=old.invoice_address, payment_term=old.payment_term, reference=old.reference,
            invoice_recurrence=old.invoice_recurrence, start_date=first, end_date=last,
        )  # fmt: skip
        new.tenure_external_id, new.tenure_contract, new.tenure_renews = cls.key(), old.tenure_contract, old
        new.tenure_activated_on, new.tenure_starts, new.tenure_ends, new.tenure_term = starts, starts, ends, term
        new.tenure_purchase_order = old.tenure_purchase_order
        new.lines = []
        for line in old.lines:
            if line.tenure_frequency == "once":
                continue
            copied = Line(service=line.service, unit=line.unit, unit_price=line.unit_price, start_date=first)
            for name in ("description", "consumption_recurrence", "tenure_line", "tenure_charge", "tenure_frequency"):
                setattr(copied, name, getattr(line, name))
            copied.quantity = line.tenure_quantity(starts)
            if line.tenure_billed_from:
                copied.tenure_billed_from = _first_period(line, starts)
                copied.tenure_accepted_on = line.tenure_accepted_on
            new.lines = [*new.lines, copied]
        with cls.keeping("sale.subscription", "create"):
            new.save()
        Subscription.quote([new])
        Subscription.run([new])
        cls._end(old, starts, f"renewed as {new.rec_name}")
        return new


def _first_period(line, starts):
    """The first period from that day on that the line's own rhythm has: the one before is billed to its end."""
    n = line.tenure_periods or 0
    while line.tenure_period(n) < starts:
        n += 1
    return line.tenure_period(n)
