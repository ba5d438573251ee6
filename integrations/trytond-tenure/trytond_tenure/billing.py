# SPDX-License-Identifier: GPL-3.0-or-later
"""The ERP's own side of a lifecycle: bill one subscription, post, register a payment, credit."""

from trytond.pool import Pool, PoolMeta
from trytond.transaction import Transaction, without_check_access

from .arguments import record_of
from .errors import REJECTED, TenureError
from .invoice import refuse_unless_posted
from .locks import alone_in_the_books


class Command(metaclass=PoolMeta):
    __name__ = "tenure.command"

    @classmethod
    def do_bill(cls, given):
        """Draft one invoice of what is due of this subscription alone; none where nothing is."""
        pool = Pool()
        Line, Consumption = pool.get("sale.subscription.line"), pool.get("sale.subscription.line.consumption")
        Subscription = pool.get("sale.subscription")
        subscription, until = cls.subscription_of(given), given.day("until")
        if subscription.tenure_status() not in ("active", "ended"):
            raise TenureError(REJECTED, f"the subscription is {subscription.tenure_status()}: nothing is billed")
        pool.get("ir.model.access").check("sale.subscription", "write")
        with Transaction().set_context(company=subscription.company.id), without_check_access():
            counted, lines = [], list(subscription.lines)
            for line in lines:
                while line.next_consumption_date and line.next_consumption_date <= until:
                    if consumption := line.get_consumption(line.next_consumption_date):
                        counted.append(consumption)
                    line.next_consumption_date = line.compute_next_consumption_date()
            Consumption.save(counted)
            Line.save(lines)
            invoices = cls._invoice(subscription)
            Subscription.process([Subscription(subscription.id)])
        return {"invoices": [str(invoice.id) for invoice in invoices]}

    @classmethod
    def do_post_invoice(cls, given):
        Invoice = Pool().get("account.invoice")
        invoice, on = cls.invoice_of(given), given.day("on")
        if invoice.state in ("posted", "paid"):
            return invoice.tenure_json()
        with Transaction().set_context(company=invoice.company.id):
            alone_in_the_books(invoice.company)
            with without_check_access():
                Invoice.write([invoice], {"invoice_date": on})
            Invoice.tenure_post([invoice])
        return Invoice(invoice.id).tenure_json()

    @classmethod
    def do_register_payment(cls, given):
        """A part or all of what is open, in the invoice's currency."""
        Invoice = Pool().get("account.invoice")
        invoice, amount, on = cls.invoice_of(given), given.amount("amount"), given.day("on")
        refuse_unless_posted(invoice)
        if amount <= 0 or amount != invoice.currency.round(amount):
            raise given.invalid("amount", "it must be more than 0, in whole units of the currency's smallest")
        if amount > invoice.amount_to_pay:
            raise TenureError(REJECTED, f"only {invoice.amount_to_pay} {invoice.currency.code} are open")
        with Transaction().set_context(company=invoice.company.id):
            alone_in_the_books(invoice.company)
            line = Invoice.tenure_pay(
                [invoice], amount=amount, date=on, method=cls._payment_method(invoice.company), description=cls.key()
            )
        return {"payment": str(line.id), "invoice": Invoice(invoice.id).tenure_json()}

    @classmethod
    def do_credit_invoice(cls, given):
        """In full, and only while it is not paid: what was paid is refunded, which is no command of ours."""
        Invoice = Pool().get("account.invoice")
        invoice, on = cls.invoice_of(given), given.day("on")
        refuse_unless_posted(invoice)
        with Transaction().set_context(company=invoice.company.id):
            alone_in_the_books(invoice.company)
            [note] = Invoice.tenure_credit([invoice], date=on, external_id=cls.key())
        return {"credit_note": str(note.id), "invoice": Invoice(invoice.id).tenure_json()}

    @classmethod
    def invoice_of(cls, given):
        return record_of(Pool().get("account.invoice"), given.text("invoice"), "invoice")

    @classmethod
    def _invoice(cls, subscription):
        """One draft of all that was counted of the subscription and not invoiced yet."""
        pool = Pool()
        Consumption = pool.get("sale.subscription.line.consumption")
        Invoice, InvoiceLine = pool.get("account.invoice"), pool.get("account.invoice.line")
        due = Consumption.search([("line.subscription", "=", subscription.id), ("invoice_line", "=", None)])
        if not due:
            return []
        invoice = subscription._get_invoice()
        invoice.invoice_date = None  # the day on which it is posted
        invoice.tenure_external_id = cls.key()
        invoice.save()
        lines, groups = Consumption.get_invoice_lines(due, invoice)
        InvoiceLine.save(lines)
        for line, group in zip(lines, groups, strict=True):
            for consumption in group:
                consumption.invoice_line = line
        Consumption.save([consumption for group in groups for consumption in group])
        Invoice.update_taxes([invoice])
        return [invoice]

    @classmethod
    def _payment_method(cls, company):
        """The one that the company names, else the only one it has."""
        if company.tenure_payment_method:
            return company.tenure_payment_method
        found = Pool().get("account.invoice.payment.method").search([("company", "=", company.id)])
        if len(found) != 1:
            raise TenureError(REJECTED, "the company has no payment method for this; set the one of Tenure")
        return found[0]
