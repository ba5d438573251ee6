# SPDX-License-Identifier: GPL-3.0-or-later
"""A small company in the database of the tests: two selling entities, what they sell, and the technical user."""

import datetime as dt
from decimal import Decimal

from dateutil.relativedelta import relativedelta
from trytond.modules.account.tests import create_chart, get_fiscalyear
from trytond.modules.account_invoice.tests import set_invoice_sequences
from trytond.modules.company.tests import create_company, set_company
from trytond.modules.currency.tests import add_currency_rate, create_currency
from trytond.pool import Pool
from trytond.tests.test_tryton import DB_NAME
from trytond.transaction import Transaction, TransactionError

PASSWORD = "a-long-enough-password"
LOGIN, STRANGER = "tenure", "stranger"
MARK = "Tenure Test Stranger"


def build():
    """Make it, once for the database."""
    extras = {}
    while True:
        with Transaction().start(DB_NAME, 1, close=True, **extras) as transaction:
            pool = Pool()
            try:
                if not pool.get("res.user").search([("login", "=", LOGIN)]):
                    _build(pool)
                transaction.commit()
                return
            except TransactionError as again:  # it wants a table locked from the start
                transaction.rollback()
                again.fix(extras)


def user(login=LOGIN):
    """The id of a user."""
    with Transaction().start(DB_NAME, 1, readonly=True):
        [found] = Pool().get("res.user").search([("login", "=", login)])
        return found.id


def _build(pool):
    currencies = {}
    for code, rate in (("USD", Decimal("1.10")), ("EUR", Decimal(1))):
        currencies[code] = create_currency(code)
        add_currency_rate(currencies[code], rate)
    pool.get("country.country").create([{"code": code, "name": code} for code in ("US", "DE", "FR", "AT")])
    [us] = pool.get("country.country").search([("code", "=", "US")])
    pool.get("country.subdivision").create([{"country": us.id, "code": "US-CA", "name": "California", "type": "state"}])
    category = pool.get("product.category")(name="Services", accounting=True)
    category.save()
    companies = {}
    for code, currency in (("acme-us", "USD"), ("acme-de", "EUR")):
        companies[code] = company = create_company(code, currencies[currency])
        with set_company(company):
            create_chart(company)
            _accounting(pool, company, code, category)
    _terms(pool)
    _products(pool, category, companies.values())
    User, Group = pool.get("res.user"), pool.get("res.group")
    [group] = Group.search([("name", "=", "Tenure")])
    sales = Group.search([("name", "in", ["Sales", "Accounting"])])
    common = {
        "password": PASSWORD, "companies": [("add", [c.id for c in companies.values()])],
        "company": companies["acme-us"].id, "company_filter": "all",
    }  # fmt: skip
    User.create([
        {"name": "Tenure", "login": LOGIN, "groups": [("add", [group.id])], **common},
        {"name": MARK, "login": STRANGER, "groups": [("add", [g.id for g in sales])], **common},
    ])  # fmt: skip


def _accounting(pool, company, code, category):
    today = dt.date.today()
    FiscalYear, Account = pool.get("account.fiscalyear"), pool.get("account.account")
    for year in (today.year - 1, today.year, today.year + 1):
        fiscal = set_invoice_sequences(
            get_fiscalyear(company, start_date=dt.date(year, 1, 1), end_date=dt.date(year, 12, 31))
        )
        fiscal.name = f"{code} {year}"
        fiscal.save()
        FiscalYear.create_period([fiscal])
    [revenue] = Account.search(
        [("type.revenue", "=", True), ("company", "=", company.id), ("closed", "!=", True)], limit=1
    )
    [expense] = Account.search(
        [("type.expense", "=", True), ("company", "=", company.id), ("closed", "!=", True)], limit=1
    )
    [cash] = Account.search([("code", "=", "1.1.1"), ("company", "=", company.id)], limit=1)
    [journal] = pool.get("account.journal").search([("type", "=", "cash")], limit=1)
    with Transaction().set_context(company=company.id):
        category = pool.get("product.category")(category.id)
        category.account_revenue, category.account_expense = revenue, expense
        category.save()
    method = pool.get("account.invoice.payment.method")(
        name="Bank", company=company, journal=journal, credit_account=cash, debit_account=cash
    )
    method.save()
    company.tenure_code, company.tenure_payment_method = code, method
    company.save()


def _terms(pool):
    for days in (0, 14, 30):
        delta = [("create", [{"days": days}])]
        pool.get("account.invoice.payment_term").create([
            {"name": f"Net {days}", "lines": [("create", [{"type": "remainder", "relativedeltas": delta}])]}
        ])  # fmt: skip


def _products(pool, category, companies):
    [unit] = pool.get("product.uom").search([("name", "=", "Unit")])
    for code, name, price in (("SEAT", "Seat", "50"), ("BASE", "Platform", "1000"), ("SETUP", "Setup", "500")):
        template = pool.get("product.template")(
            name=name, default_uom=unit, type="service", salable=True, sale_uom=unit, account_category=category
        )
        template.products = [pool.get("product.product")(suffix_code=code)]
        template.save()
        for company in companies:
            with Transaction().set_context(company=company.id):
                priced = pool.get("product.template")(template.id)
                priced.list_price = Decimal(price)
                priced.save()
        pool.get("sale.subscription.service")(product=template.products[0]).save()


def months_ago(n, day=1):
    return dt.date.today().replace(day=day) - relativedelta(months=n)


def customer(account="001", entity="acme-us", **changes):
    address = {"street": "1 Main St", "city": "Springfield", "postal_code": "94000", "state": "CA", "country": "US"}
    return {
        "account": account, "selling_entity": entity, "name": "Hooli, Inc.", "currency": "USD",
        "billing_address": address, "shipping_address": address, "email": "ap@hooli.example", "tax_id": None,
        "parent_account": None, **changes,
    }  # fmt: skip


def line(name="seat", product="SEAT", quantity="10", frequency="monthly", charge="recurring", price="50.00"):
    return {
        "id": name, "product": product, "quantity": quantity, "unit_price": price, "charge": charge,
        "frequency": frequency,
    }  # fmt: skip


def subscription(customer, *lines, **changes):
    return {
        "contract": "crm/006/1", "customer": customer, "selling_entity": "acme-us", "currency": "USD", "starts": None,
        "ends": None, "payment_terms_days": 30, "purchase_order": "PO-7", "lines": list(lines) or [line()], **changes,
    }  # fmt: skip
