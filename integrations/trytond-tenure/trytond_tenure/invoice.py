# SPDX-License-Identifier: GPL-3.0-or-later
"""Invoices: an external id, the three things that Tenure may do with one, and what is told of it."""

from decimal import Decimal

from trytond.model import ModelView, Unique, fields
from trytond.pool import Pool, PoolMeta
from trytond.pyson import Eval
from trytond.transaction import without_check_access

from .customers import customer_id
from .errors import REJECTED, TenureError

_STATUS = {"draft": "draft", "validated": "draft"}
# What has to change for something to be worth telling.
_TOLD = {"state", "payment_lines", "additional_moves", "cancel_move", "move"}


class Invoice(metaclass=PoolMeta):
    __name__ = "account.invoice"
    tenure_external_id = fields.Char("External Id", readonly=True, strip=False)

    @classmethod
    def __setup__(cls):
        super().__setup__()
        table = cls.__table__()
        cls._sql_constraints.append(
            ("tenure_external_id_unique", Unique(table, table.tenure_external_id), "tenure.msg_invoice_external_id")
        )
        cls._check_modify_exclude.add("tenure_external_id")
        cls._buttons.update(
            tenure_post={"invisible": ~Eval("state").in_(["draft", "validated"]), "depends": ["state"]},
            tenure_pay={"invisible": Eval("state") != "posted", "depends": ["state"]},
            tenure_credit={"invisible": Eval("state") != "posted", "depends": ["state"]},
        )

    @classmethod
    def __post_setup__(cls):
        super().__post_setup__()
        for button in ("tenure_post", "tenure_pay", "tenure_credit"):
            del cls.__rpc__[button]  # only through `perform`, which does them once

    @classmethod
    def copy(cls, invoices, default=None):
        default = dict(default or {})
        default.setdefault("tenure_external_id", None)
        return super().copy(invoices, default=default)

    @classmethod
    @ModelView.button
    @without_check_access
    def tenure_post(cls, invoices):
        """Post, on the invoice's own date. A date to come and a due date that is past are meant so."""
        Warning = Pool().get("res.user.warning")
        for invoice in invoices:
            for name in ("invoice_date_future", "invoice_payment_term"):
                Warning.skip(Warning.format(name, [invoice]))
        cls.post(invoices)
        for invoice in invoices:
            # those that nobody asked for
            names = [Warning.format(name, [invoice]) for name in ("invoice_date_future", "invoice_payment_term")]
            Warning.delete(Warning.search([("name", "in", names)]))

    @classmethod
    @ModelView.button
    @without_check_access
    def tenure_pay(cls, invoices, amount=None, date=None, method=None, description=None):
        """Register a payment of `amount`, in the invoice's currency; returns the payment's line."""
        MoveLine = Pool().get("account.move.line")
        paid = None
        for invoice in invoices:
            to_reconcile, remainder = invoice.get_reconcile_lines_for_amount(
                amount, invoice.currency, party=invoice.party
            )
            [paid] = invoice.pay_invoice(amount, method, date, description, 0, party=invoice.party)
            if not remainder and to_reconcile:
                MoveLine.reconcile([*to_reconcile, paid])
            cls.process([cls(invoice.id)])  # now, not when the scheduler comes to it
        return paid

    @classmethod
    @ModelView.button
    @without_check_access
    def tenure_credit(cls, invoices, date=None, external_id=None):
        """Credit in full, and settle the one with the other; returns the credit notes."""
        notes = cls.credit(invoices, refund=True, invoice_date=date)
        for note in notes:
            cls.write([note], {"tenure_external_id": external_id})
        cls.process(cls.browse(notes))
        return notes

    @classmethod
    def on_modification(cls, mode, invoices, field_names=None):
        super().on_modification(mode, invoices, field_names=field_names)
        if mode == "write" and (field_names is None or _TOLD & set(field_names)):
            Pool().get("tenure.outbox").touch([invoice for invoice in invoices if invoice.type == "out"])

    # ── what is so ──

    def tenure_status(self):
        return _STATUS.get(self.state, self.state)

    def tenure_subscriptions(self):
        pool = Pool()
        Line, InvoiceLine = pool.get("sale.subscription.line"), pool.get("account.invoice.line")
        found = set()
        for line in self.lines:
            origin = line.origin
            if isinstance(origin, InvoiceLine):  # of a credit note
                origin = origin.origin
            if isinstance(origin, Line) and origin.id >= 0:
                found.add(origin.subscription)
        return found

    def tenure_subscription(self):
        """The one subscription that it bills; None where it bills several, or none."""
        found = self.tenure_subscriptions()
        return found.pop() if len(found) == 1 else None

    def tenure_due_on(self):
        """The last day to pay what is next to be paid."""
        dates = [line.maturity_date for line in self.lines_to_pay if line.maturity_date and not line.reconciliation]
        dates = dates or [line.maturity_date for line in self.lines_to_pay if line.maturity_date][-1:]
        return min(dates) if dates else None

    def tenure_paid_on(self):
        """The day of what settled it last; None while it isn't paid."""
        if self.state != "paid":
            return None
        # Tryton dates a reconciliation no earlier than the due date
        settled = [line.date for line in (*self.payment_lines, *self.reconciliation_lines)]
        return max(settled, default=self.reconciled)

    def tenure_open(self):
        """What is still to be paid, in the invoice's currency."""
        return self.amount_to_pay if self.state == "posted" else Decimal(0)

    def tenure_json(self):
        subscription = self.tenure_subscription()
        return {
            "id": str(self.id),
            "number": self.number,
            "status": self.tenure_status(),
            "currency": self.currency.code,
            "total": str(self.total_amount),
            "open_amount": str(self.total_amount if self.tenure_status() == "draft" else self.tenure_open()),
            "issued_on": self.invoice_date.isoformat() if self.invoice_date else None,
            "due_on": self.tenure_due_on().isoformat() if self.tenure_due_on() else None,
            "contract": subscription.tenure_contract if subscription else None,
        }

    # ── what is told ──

    def tenure_facts(self):
        """Of an invoice that demands something. A credit note is told with the invoice that it settles."""
        if self.type != "out" or not self.move or self.move.state != "posted" or self.total_amount < 0:
            return None
        payments = {}
        for line in self.payment_lines:
            own = line.second_currency == self.currency and line.amount_second_currency is not None
            amount = -line.amount_second_currency if own else line.credit - line.debit
            payments[str(line.id)] = {"amount": str(amount), "on": line.date.isoformat()}
        credit = None
        if self.state == "cancelled" and self.cancel_move and isinstance(self.cancel_move.origin, type(self)):
            note = self.cancel_move.origin
            if note != self:
                credit = {"note": str(note.id), "amount": str(-note.total_amount)}
        due, paid = self.tenure_due_on(), self.tenure_paid_on()
        return {
            "status": self.tenure_status(),
            "amount": str(self.total_amount),
            "due_on": due.isoformat() if due else None,
            "paid_on": paid.isoformat() if paid else None,
            "open": str(self.tenure_open()),
            "payments": payments,
            "credit": credit,
        }

    @classmethod
    def tenure_told_domain(cls):
        return [("type", "=", "out"), ("state", "in", ["posted", "paid", "cancelled"]), ("move", "!=", None)]

    def tenure_events(self, before, facts, version):
        """What happened between two looks: the demand first, then what settles it."""
        if before is None:
            yield self._tenure_posted(facts, version)
            before = {"status": "posted", "due_on": facts["due_on"], "payments": {}, "credit": None}
        elif before["due_on"] != facts["due_on"] and facts["status"] == "posted":
            yield "invoice.due_date_changed", f"invoice/{self.id}/due/{version + 1}", self._tenure_data(facts)
        paid = before["status"] != "paid" and facts["status"] == "paid"
        new = [payment for payment in facts["payments"] if payment not in before["payments"]]
        for payment in before["payments"]:
            if payment not in facts["payments"]:
                yield self._tenure_reversed(payment, before, facts)
        settled = Decimal(facts["open"]) == 0 and facts["status"] == "posted"  # `paid` will follow
        for payment in new[:-1] if paid or settled else new:
            yield self._tenure_partly_paid(payment, facts)
        if paid:
            yield self._tenure_paid(facts, version)
        if before["status"] != "cancelled" and facts["status"] == "cancelled":
            yield self._tenure_gone(facts)

    def tenure_snapshots(self, facts, version):
        yield self._tenure_posted(facts, 0)
        payments = list(facts["payments"])
        for payment in payments[:-1] if facts["status"] == "paid" else payments:
            yield self._tenure_partly_paid(payment, facts)
        if facts["status"] == "paid":
            yield self._tenure_paid(facts, version)
        if facts["status"] == "cancelled":
            yield self._tenure_gone(facts)

    def _tenure_posted(self, facts, version):
        return "invoice.posted", f"invoice/{self.id}/posted/{facts['due_on']}", self._tenure_data(facts)

    def _tenure_partly_paid(self, payment, facts):
        made = facts["payments"][payment]
        more = {"payment": payment, "paid": made["amount"], "paid_on": made["on"]}
        return "invoice.partly_paid", f"invoice/{self.id}/payment/{payment}", {**self._tenure_data(facts), **more}

    def _tenure_paid(self, facts, version):
        last = next(reversed(facts["payments"]), "")
        return "invoice.paid", f"invoice/{self.id}/paid/{last}", {**self._tenure_data(facts), "payment": last}

    def _tenure_reversed(self, payment, before, facts):
        more = {"payment": payment, "paid": before["payments"][payment]["amount"]}
        return "payment.reversed", f"invoice/{self.id}/reversed/{payment}", {**self._tenure_data(facts), **more}

    def _tenure_gone(self, facts):
        if facts["credit"] is None:
            return "invoice.voided", f"invoice/{self.id}/voided", self._tenure_data(facts)
        more = {"credit_note": facts["credit"]["note"], "credited": facts["credit"]["amount"]}
        name = f"invoice/{self.id}/credited/{facts['credit']['note']}"
        return "invoice.credited", name, {**self._tenure_data(facts), **more}

    def _tenure_data(self, facts):
        subscription = self.tenure_subscription()
        return {
            "invoice": str(self.id),
            "number": self.number,
            "subscription": str(subscription.id) if subscription else None,
            "contract": subscription.tenure_contract if subscription else None,
            "customer": customer_id(self.party, self.company),
            "selling_entity": self.company.tenure_code,
            "amount": facts["amount"],
            "open_amount": facts["open"],
            "currency": self.currency.code,
            "issued_on": self.invoice_date.isoformat() if self.invoice_date else None,
            "due_on": facts["due_on"],
            "paid_on": facts["paid_on"],
        }


class Move(metaclass=PoolMeta):
    __name__ = "account.move"

    @classmethod
    def on_modification(cls, mode, moves, field_names=None):
        super().on_modification(mode, moves, field_names=field_names)
        if mode == "write" and (field_names is None or "state" in field_names):
            _touch_invoices_of({move.id for move in moves})


class MoveLine(metaclass=PoolMeta):
    __name__ = "account.move.line"

    @classmethod
    def on_modification(cls, mode, lines, field_names=None):
        super().on_modification(mode, lines, field_names=field_names)
        if mode == "write" and (field_names is None or "maturity_date" in field_names):
            _touch_invoices_of({line.move.id for line in lines})


@without_check_access
def _touch_invoices_of(moves):
    pool = Pool()
    of_moves = ["OR", ("move", "in", moves), ("additional_moves", "in", moves)]
    pool.get("tenure.outbox").touch(pool.get("account.invoice").search([of_moves, ("type", "=", "out")]))


def refuse_unless_posted(invoice):
    if invoice.state != "posted":
        raise TenureError(REJECTED, f"the invoice is {invoice.tenure_status()}, not posted")
