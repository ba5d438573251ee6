# SPDX-License-Identifier: GPL-3.0-or-later
"""Seeds a fresh Tryton database with the selling company: `seed.py TRYTOND_CONF DATABASE COMPANY_TOML`.

One legal entity per selling entity, with its chart of accounts, fiscal years, tax and bank; payment terms; the products
as subscription services; the technical user. In process, before anything is served.
"""

import configparser
import datetime as dt
import sys
import tomllib
from decimal import Decimal
from pathlib import Path
from typing import Any

import pycountry
from proteus import Model, Wizard
from proteus import config as proteus
from trytond.modules.account.tests.tools import create_chart, create_fiscalyear, create_tax, get_accounts
from trytond.modules.account_invoice.tests.tools import set_fiscalyear_invoice_sequences

get = Model.get
TODAY = dt.date.today()
YEARS = range(TODAY.year - 1, TODAY.year + 5)
TERMS = (0, 7, 10, 14, 15, 21, 30, 45, 60, 90)
TAXES = {"DE": ("USt 19 %", Decimal("0.19")), "US": ("Sales tax 8 %", Decimal("0.08"))}
ZONES = {"DE": "Europe/Berlin", "US": "America/New_York"}
# units of each currency for one euro: Tryton wants a rate, and the books of each entity are in its own currency
RATES = {"EUR": Decimal(1), "USD": Decimal("1.10"), "CHF": Decimal("0.95"), "GBP": Decimal("0.85")}
PRICES = {"base": Decimal(50), "add_on": Decimal(20), "service": Decimal(1500)}
RECURRENCES = (("Monthly", "monthly", 1), ("Quarterly", "monthly", 3), ("Yearly", "yearly", 1))
USER, GROUP = "tenure", "Tenure"


def connect(configuration: str, database: str) -> Any:
    parser = configparser.ConfigParser(interpolation=None)
    parser.read(configuration)
    head, _, query = parser["database"]["uri"].partition("?")
    return proteus.set_trytond(f"{head}{database}?{query}", user="admin", config_file=configuration)


def countries(with_subdivisions: set[str]) -> dict[str, Any]:
    """Every country, and the states of those where we sell from."""
    Country, Subdivision = get("country.country"), get("country.subdivision")
    context = proteus.get_config().context
    Country._proxy.create(
        [{"name": each.name, "code": each.alpha_2, "code3": each.alpha_3} for each in pycountry.countries], context
    )
    found = {country.code: country for country in Country.find([])}
    states = (each for each in pycountry.subdivisions if each.country_code in with_subdivisions)
    Subdivision._proxy.create(
        [
            {"name": each.name, "code": each.code, "type": each.type.lower(), "country": found[each.country_code].id}
            for each in states
        ],
        context,
    )
    return found


def currencies(codes: set[str]) -> dict[str, Any]:
    Currency, Rate = get("currency.currency"), get("currency.currency.rate")
    found = {}
    for code in sorted(codes):
        known = pycountry.currencies.get(alpha_3=code)
        found[code] = Currency(name=known.name, symbol=code, code=code, rounding=Decimal("0.01"))
        found[code].save()
        Rate(date=dt.date(2020, 1, 1), rate=RATES.get(code, Decimal(1)), currency=found[code]).save()
    return found


def legal_entity(entity: dict[str, Any], country: Any, currency: Any) -> Any:
    Party, Company = get("party.party"), get("company.company")
    party = Party(name=entity["name"])
    (address,) = party.addresses
    address.country = country
    party.save()
    wizard = Wizard("company.company.config")
    wizard.execute("company")
    wizard.form.party, wizard.form.currency = party, currency
    wizard.form.timezone = ZONES.get(entity["country"], "UTC")
    wizard.execute("add")
    (company,) = Company.find([("party", "=", party.id)])
    company.tenure_code = entity["id"]
    company.save()
    return company


def books(entity: dict[str, Any], company: Any) -> tuple[dict[str, Any], Any]:
    """Chart, fiscal years with their invoice numbers, tax and bank of one entity. Its accounts, and its tax."""
    create_chart(company)
    accounts = get_accounts(company)
    for year in YEARS:
        fiscal = create_fiscalyear(company, (dt.date(year, 1, 1), dt.date(year, 12, 31)))
        fiscal.name = f"{entity['id']} {year}"
        fiscal = set_fiscalyear_invoice_sequences(fiscal)
        (sequences,) = fiscal.invoice_sequences
        numbers = sequences.out_invoice_sequence
        numbers.prefix, numbers.padding = f"{entity['id']}-{year}-", 5
        numbers.save()
        fiscal.start_date, fiscal.end_date = dt.date(year, 1, 1), dt.date(year, 12, 31)
        fiscal.save()
        fiscal.click("create_period")
    tax = None
    if entity["country"] in TAXES:
        name, rate = TAXES[entity["country"]]
        tax = create_tax(rate, company)
        tax.name = tax.description = name
        tax.save()
    (journal,) = get("account.journal").find([("type", "=", "cash")], limit=1)
    bank = {"credit_account": accounts["cash"], "debit_account": accounts["cash"]}
    get("account.invoice.payment.method")(name=f"Bank {entity['id']}", company=company, journal=journal, **bank).save()
    return accounts, tax


def payment_terms() -> None:
    Term = get("account.invoice.payment_term")
    for days in TERMS:
        term = Term(name=f"Net {days}")
        line = term.lines.new(type="remainder")
        line.relativedeltas.new(days=days)
        term.save()


def category(companies: list[tuple[Any, dict[str, Any], Any]]) -> Any:
    """One accounting category; accounts and taxes are kept in it company by company."""
    Category, config = get("product.category"), proteus.get_config()
    revenue = Category(name="Subscriptions", accounting=True)
    for company, accounts, tax in companies:
        with config.set_context(company=company.id):
            revenue = Category(revenue.id) if revenue.id > 0 else revenue
            revenue.account_revenue, revenue.account_expense = accounts["revenue"], accounts["expense"]
            if tax is not None:
                revenue.customer_taxes.append(get("account.tax")(tax.id))
            revenue.save()
    return revenue


def products(wanted: list[dict[str, Any]], revenue: Any) -> None:
    """Each SKU is a product by its code, and a service that a subscription's line can carry."""
    Recurrence, Template, Service = (
        get("sale.subscription.recurrence.rule.set"),
        get("product.template"),
        get("sale.subscription.service"),
    )
    recurrences = {}
    for name, frequency, interval in RECURRENCES:
        recurrences[name] = Recurrence(name=name)
        (rule,) = recurrences[name].rules
        rule.freq, rule.interval = frequency, interval
        recurrences[name].save()
    (unit,) = get("product.uom").find([("name", "=", "Unit")])
    sold = get("product.uom")(
        name="Sold unit", symbol="su", category=unit.category
    )  # orders have decimals, a Unit none
    sold.factor = sold.rate = 1.0
    sold.rounding, sold.digits = 0.0001, 4
    sold.save()
    for each in wanted:
        template = Template(name=each["name"], default_uom=sold, type="service", salable=True)
        template.list_price, template.account_category = PRICES[each["kind"]], revenue
        (product,) = template.products
        product.suffix_code = each["sku"]
        template.save()
        Service(product=template.products[0], consumption_recurrence=recurrences["Monthly"]).save()


def dunning(companies: list[Any]) -> None:
    Procedure, Configuration = get("account.dunning.procedure"), get("account.configuration")
    procedure = Procedure(name="Standard")
    for days in (1, 14, 30):
        procedure.levels.new(overdue=dt.timedelta(days=days))
    procedure.save()
    for company in companies:
        with proteus.get_config().set_context(company=company.id):
            configuration = Configuration(1)
            configuration.default_dunning_procedure = procedure
            configuration.save()


def grant(user: Any, companies: list[Any]) -> None:
    """A user may act for every legal entity."""
    Company = get("company.company")
    present = {company.id for company in user.companies}
    user.companies.extend(Company(each.id) for each in companies if each.id not in present)
    user.company, user.company_filter = Company(companies[0].id), "all"
    user.save()


def seed(company: dict[str, Any]) -> None:
    config, User = proteus.get_config(), get("res.user")
    entities = company["entities"]
    lands = countries({entity["country"] for entity in entities})
    money = currencies({code for entity in entities for code in entity["currencies"]} | {"EUR"})
    made = [legal_entity(each, lands[each["country"]], money[each["currencies"][0]]) for each in entities]
    (admin,) = User.find([("login", "=", "admin")])
    grant(admin, made)
    config._context = User.get_preferences(True, {})
    kept = []
    for entity, each in zip(entities, made, strict=True):
        with config.set_context(company=each.id):
            kept.append((each, *books(entity, each)))
    payment_terms()
    products(company["products"], category(kept))
    dunning(made)
    (group,) = get("res.group").find([("name", "=", GROUP)])
    technical = User(name="Tenure", login=USER)
    technical.groups.append(group)
    grant(technical, made)


if __name__ == "__main__":
    connect(sys.argv[1], sys.argv[2])
    seed(tomllib.loads(Path(sys.argv[3]).read_text(encoding="utf-8")))
