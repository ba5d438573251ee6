# SPDX-License-Identifier: GPL-3.0-or-later
"""What becomes of an active subscription: another end, another term, its end, or that it never was."""

import datetime as dt

from trytond.pool import Pool, PoolMeta
from trytond.transaction import Transaction, without_check_access

from .books import refuse_closed
from .errors import REJECTED, TenureError
from .selling import stock_term
from .subscription import MONTHS


class Command(metaclass=PoolMeta):
    __name__ = "tenure.command"

    @classmethod
    def do_change_term(cls, given):
        """Another end of the same term. What is invoiced is not taken back: no end before it."""
        subscription = cls.active_subscription_of(given)
        ends, reason = given.day("ends", None), given.text("reason")
        if ends is not None:
            if subscription.tenure_starts and ends <= subscription.tenure_starts:
                raise given.invalid("ends", "a term must end after its start")
            refuse_closed(subscription.company, ends)
            cls._refuse_billed(subscription, ends)
        with Transaction().set_context(company=subscription.company.id):
            cls._set_end(subscription, ends, tenure_reason=reason)
        return {"id": str(subscription.id)}

    @classmethod
    def do_renew_subscription(cls, given):
        """One more term, which begins where the last one ends, and need not end; with `as_new` as a subscription of its
        own."""
        subscription = cls.active_subscription_of(given)
        term, starts, ends = given.whole("term"), given.day("starts"), given.day("ends", None)
        if ends is not None and ends <= starts:
            raise given.invalid("ends", "a term must end after its start")
        if subscription.tenure_ends is None:
            raise TenureError(REJECTED, "the subscription has no end: there is nothing to renew")
        if starts != subscription.tenure_ends:
            raise TenureError(REJECTED, f"the term ends on {subscription.tenure_ends}: the next one must start then")
        with Transaction().set_context(company=subscription.company.id):
            with cls.keeping("sale.subscription"):
                cls.name_purchase_order(subscription, given)
            if given.flag("as_new", False):
                if not all(line.tenure_line for line in subscription.lines):
                    raise TenureError(REJECTED, "the ERP's own people added lines: renew it as it is, or there")
                made = str(cls._renew_as_new(subscription, term, ends).id)
                return {"id": made, "subscription": made}
            cls._set_end(subscription, ends, tenure_term=term)
        return {"id": str(subscription.id)}

    @classmethod
    def do_end_subscription(cls, given):
        """Nothing is billed from that day on. What was billed beyond it stays: a credit is a decision of its own."""
        subscription = cls.active_subscription_of(given)
        refuse_closed(subscription.company, given.day("ends"))
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
    @without_check_access
    def _refuse_billed(cls, subscription, ends):
        """Whether an invoice, also a draft of one, holds a period that goes on after that day."""
        Consumption = Pool().get("sale.subscription.line.consumption")
        invoiced = [("line.subscription", "=", subscription.id), ("invoice_line", "!=", None)]
        for consumption in Consumption.search(invoiced):
            line = consumption.line
            if line.tenure_frequency in MONTHS and line.tenure_period_end(consumption.date) > ends:
                until = line.tenure_period_end(consumption.date)
                raise TenureError(REJECTED, f"line {line.tenure_line} is billed until {until}: no end before that day")
        begun = [line.tenure_billed_from for line in subscription.lines if line.tenure_billed_from]
        if begun and max(begun) >= ends:
            raise TenureError(REJECTED, f"billing of a line starts on {max(begun)}, which would be after the end")

    @classmethod
    def _set_end(cls, subscription, ends, **values):
        """Move the end, and see which periods are still, or again, to be billed."""
        Subscription = Pool().get("sale.subscription")
        _, last = stock_term(subscription.start_date, ends)
        with cls.keeping("sale.subscription"):
            Subscription.write([subscription], {"tenure_ends": ends, "end_date": last, **values})
            cls._reckon(Subscription(subscription.id).lines)

    @classmethod
    @without_check_access
    def _reckon(cls, lines):
        """What the ERP's scheduler counted ahead and nobody invoiced yet is not billed after a line's last day; and is
        counted again, should that day move on."""
        pool = Pool()
        Line, Consumption = pool.get("sale.subscription.line"), pool.get("sale.subscription.line.consumption")
        ours = []
        for line in lines:
            last = line.tenure_last()
            ahead = [("line", "=", line.id), ("invoice_line", "=", None), ("date", ">=", last or dt.date.max)]
            dropped = Consumption.search(ahead)
            Consumption.delete(dropped)
            if line.tenure_line:  # the ERP's own lines are none of ours to set back
                line.tenure_periods = (line.tenure_periods or 0) - len(dropped)
                line.next_consumption_date = line.compute_next_consumption_date()
                ours.append(line)
        Line.save(ours)

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
            if line.tenure_frequency == "once" or (line.tenure_ends and line.tenure_ends <= starts):
                continue
            copied = Line(service=line.service, unit=line.unit, unit_price=line.unit_price, start_date=first)
            for name in ("description", "consumption_recurrence", "tenure_line", "tenure_charge", "tenure_frequency"):
                setattr(copied, name, getattr(line, name))
            copied.quantity = line.tenure_quantity(starts)
            copied.tenure_starts, copied.tenure_ends = line.tenure_starts, line.tenure_ends
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
