# SPDX-License-Identifier: GPL-3.0-or-later
"""What Tenure asks: billing history, balance, invoices, the state of a subscription, and whether all is ready."""

import datetime as dt
from decimal import Decimal
from importlib.metadata import version

from dateutil.relativedelta import relativedelta
from trytond.modules.account.exceptions import PeriodNotFoundError
from trytond.pool import Pool, PoolMeta
from trytond.transaction import Transaction, without_check_access

_LONGEST_PAGE = 500


class Command(metaclass=PoolMeta):
    __name__ = "tenure.command"

    @classmethod
    def read_billing_history(cls, given):
        """Invoices that were due since a day (a year ago) or will be; overdue ones of any age."""
        party, company = cls.customer_of(given)
        with Transaction().set_context(company=company.id):
            today = Pool().get("ir.date").today()
            since = given.day("since", None) or today - relativedelta(years=1)
            currency = cls._currency(party, company)
            recent = late = overdue = 0
            owed = Decimal(0)
            for invoice in cls._invoices(party, company, [("state", "in", ["posted", "paid"])]):
                due = invoice.tenure_due_on()
                if invoice.total_amount < 0 or due is None:
                    continue
                if due >= since:
                    recent += 1
                    late += bool(invoice.state == "paid" and invoice.reconciled and invoice.reconciled > due)
                if invoice.state == "posted" and due < today:
                    overdue += 1
                    owed += cls._in(currency, invoice.amount_to_pay_today, invoice.currency)
        return {
            "invoices": recent, "paid_late": late, "overdue": overdue, "currency": currency.code,
            "overdue_amount": str(owed),
        }  # fmt: skip

    @classmethod
    def read_balance(cls, given):
        party, company = cls.customer_of(given)
        with Transaction().set_context(company=company.id):
            today = Pool().get("ir.date").today()
            currency = cls._currency(party, company)
            owed = overdue = Decimal(0)
            for invoice in cls._invoices(party, company, [("state", "=", "posted")]):
                owed += cls._in(currency, invoice.amount_to_pay, invoice.currency)
                due = invoice.tenure_due_on()
                if due and due < today:
                    overdue += cls._in(currency, invoice.amount_to_pay_today, invoice.currency)
        return {"currency": currency.code, "open_amount": str(owed), "overdue_amount": str(overdue)}

    @classmethod
    def read_invoices(cls, given):
        """Every invoice of a customer, oldest first, drafts and credit notes as well."""
        party, company = cls.customer_of(given)
        cursor, limit = given.text("cursor", None), given.whole("limit", 100)
        if limit < 1:
            raise given.invalid("limit", "at least 1 is needed")
        limit = min(limit, _LONGEST_PAGE)
        if cursor is not None and not (cursor.isascii() and cursor.isdigit()):
            raise given.invalid("cursor", "it is not one that an earlier page gave")
        found = cls._invoices(party, company, [("id", ">", int(cursor or 0))], limit=limit + 1)
        return {
            "invoices": [invoice.tenure_json() for invoice in found[:limit]],
            "cursor": str(found[limit - 1].id) if len(found) > limit else None,
        }

    @classmethod
    def read_subscription_state(cls, given):
        subscription = cls.subscription_of(given)
        today = subscription.tenure_today()
        return {
            "id": str(subscription.id),
            "status": subscription.tenure_status(),
            "entitled": subscription.tenure_entitled(),
            "starts": _iso(subscription.tenure_starts),
            "ends": _iso(subscription.tenure_ends),
            "lines": [
                {
                    "line": line.tenure_line,
                    "quantity": line.tenure_quantity_text(today),
                    "billed_from": _iso(line.tenure_billed_from),
                    "accepted_on": _iso(line.tenure_accepted_on),
                    "revenue": line.tenure_revenue(today),
                    **line.tenure_days(),
                }
                for line in subscription.lines
                if line.tenure_line
            ],
        }

    @classmethod
    def read_priced_state(cls, given):
        """The state of a subscription with what each line is charged in a billing period, net of tax."""
        subscription, state = cls.subscription_of(given), cls.read_subscription_state(given)
        today = subscription.tenure_today()
        prices = {line.tenure_line: line.tenure_price(today) for line in subscription.lines if line.tenure_line}
        lines = [{**line, **prices[line["line"]]} for line in state["lines"]]
        return {**state, "currency": subscription.currency.code, "lines": lines}

    @classmethod
    def read_probe(cls, given):
        """What would make a command fail that has nothing wrong with it, and how to mend it."""
        pool = Pool()
        companies = pool.get("company.company").browse(list(pool.get("res.user").get_companies()))
        problems = []
        if not any(company.tenure_code for company in companies):
            problems.append(("no company of the user has a code", "give each selling entity's company its code"))
        for company in companies:
            if company.tenure_code:
                with Transaction().set_context(company=company.id), without_check_access():
                    problems += cls._problems(company)
        return {
            "clock": dt.datetime.now(dt.UTC).isoformat(),
            "problems": [{"what": what, "mend": mend} for what, mend in problems],
            "module_version": version("trytond-tenure"),
        }

    @classmethod
    def _problems(cls, company):
        pool = Pool()
        code, today = company.tenure_code, pool.get("ir.date").today()
        try:
            period = pool.get("account.period").find(company, date=today)
        except PeriodNotFoundError:
            yield f"{code}: no open accounting period today", "create or reopen the fiscal year's periods"
        else:
            if not period.fiscalyear.invoice_sequences:
                yield f"{code}: the fiscal year numbers no invoices", "give it invoice sequences"
        if not pool.get("account.configuration")(1).get_multivalue("default_account_receivable", company=company.id):
            yield f"{code}: no default receivable account", "set it in the accounting configuration"
        methods = pool.get("account.invoice.payment.method").search([("company", "=", company.id)])
        if not company.tenure_payment_method and len(methods) != 1:
            yield f"{code}: no payment method for payments from outside", "set the company's payment method"

    @classmethod
    def _invoices(cls, party, company, domain, limit=None):
        return Pool().get("account.invoice").search(
            [("type", "=", "out"), ("party", "=", party.id), ("company", "=", company.id), *domain],
            order=[("id", "ASC")], limit=limit,
        )  # fmt: skip

    @classmethod
    def _currency(cls, party, company):
        """The one in which the customer was made, else the company's."""
        for reference in party.tenure_references:
            if reference.company == company:
                return reference.currency
        return company.currency

    @classmethod
    def _in(cls, currency, amount, other):
        return amount if other == currency else Pool().get("currency.currency").compute(other, amount, currency)


def _iso(day):
    return day.isoformat() if day else None
