# SPDX-License-Identifier: GPL-3.0-or-later
"""Customers: made, adopted by tax id, or proposed where one looks alike.

A customer is a party at a company: its id is `<party>-<company>`, whoever made it. A merged party is followed.
"""

from trytond.pool import Pool, PoolMeta
from trytond.transaction import Transaction, without_check_access

from .errors import AMBIGUOUS, NOT_FOUND, TenureError
from .locks import alone
from .matching import mail_domain, name_key, site_domain, tax_identifiers

_MOST_CANDIDATES = 10


def customer_id(party, company):
    return f"{party.id}-{company.id}"


class Command(metaclass=PoolMeta):
    __name__ = "tenure.command"

    @classmethod
    def do_create_customer(cls, given):
        pool = Pool()
        Reference, Currency = pool.get("tenure.reference"), pool.get("currency.currency")
        company = cls.company_of(given.text("selling_entity"))
        external_id = given.text("external_id", None) or cls.key()
        currency = Currency.search([("code", "=", given.text("currency"))])
        if not currency:
            raise given.invalid("currency", "the ERP does not know it")
        with Transaction().set_context(company=company.id):
            known = Reference.search([("external_id", "=", external_id)])
            if known:
                return {"id": customer_id(known[0].party, known[0].company)}
            party = cls._with_tax_id(given)
            adopted = party is not None
            if party is None:
                party = cls._make_party(given)
            elif not party.addresses:
                party.addresses = cls._addresses(given)
                with cls.keeping("party.party"):
                    party.save()
            reference = Reference(external_id=external_id, party=party, company=company, adopted=adopted)
            reference.account, reference.parent_account = given.text("account"), given.text("parent_account", None)
            reference.currency = currency[0]
            with cls.keeping("party.party"):
                reference.save()
                cls._place_in_hierarchy(reference)
        return {"id": customer_id(party, company)}

    @classmethod
    def do_set_credit_hold(cls, given):
        CreditHold = Pool().get("tenure.credit_hold")
        party, company = cls.customer_of(given)
        values = {"held": given.flag("held"), "reason": given.text("reason")}
        with without_check_access():
            alone(f"hold:{party.id}:{company.id}")
            found = CreditHold.search([("party", "=", party.id), ("company", "=", company.id)])
            if found:
                CreditHold.write(found, values)
            else:
                CreditHold.create([{"party": party.id, "company": company.id, **values}])
        return {"id": customer_id(party, company)}

    @classmethod
    def read_find_customer(cls, given):
        found = Pool().get("tenure.reference").search([("external_id", "=", given.text("external_id"))])
        return {"id": customer_id(found[0].party, found[0].company) if found else None}

    @classmethod
    def read_similar_customers(cls, given):
        """Parties that may be the one meant: none that has an external id at this company, and nobody where the tax id
        names the one."""
        pool = Pool()
        Party, Mechanism = pool.get("party.party"), pool.get("party.contact_mechanism")
        company = cls.company_of(given.text("selling_entity"))
        likeness = {}
        kinds = cls._tax_identifiers(given)
        if kinds and cls._named_by(kinds):
            return {"candidates": []}
        if domain := mail_domain(given.text("email", None)):
            escaped = domain.replace("\\", r"\\").replace("_", r"\_").replace("%", r"\%")
            candidates = Mechanism.search(
                ["OR", [("type", "=", "email"), ("value", "ilike", f"%@{escaped}")],
                 [("type", "=", "website"), ("value", "ilike", f"%{escaped}%")]],
                limit=20 * _MOST_CANDIDATES, order=[("id", "ASC")],
            )  # fmt: skip
            for mechanism in candidates:
                of = mail_domain(mechanism.value) if mechanism.type == "email" else site_domain(mechanism.value)
                if of == domain:
                    likeness.setdefault(mechanism.party.id, "domain")
        if comparable := name_key(given.text("name")):
            same = Party.search(
                [("tenure_name_key", "=", comparable)], limit=2 * _MOST_CANDIDATES, order=[("id", "ASC")]
            )
            for party in same:
                likeness.setdefault(party.id, "name")
        alike = Party.search([("id", "in", list(likeness))], order=[("id", "ASC")])
        with without_check_access():
            unknown = [
                party
                for party in alike
                if not any(reference.company == company for reference in party.tenure_references)
            ]
        return {
            "candidates": [
                {"id": customer_id(party, company), "name": party.name or "", "alike": likeness[party.id]}
                for party in unknown[:_MOST_CANDIDATES]
            ]
        }

    @classmethod
    def customer_of(cls, given, name="customer"):
        """(party, company) of a customer's id. Raises not_found, also where the user does not work for the company."""
        pool = Pool()
        party, dash, company = given.text(name).partition("-")
        if dash and all(part.isascii() and part.isdigit() and len(part) < 10 for part in (party, company)):
            with Transaction().set_context(active_test=False):
                found = pool.get("party.party").search([("id", "=", int(party))])
            if found and int(company) in pool.get("res.user").get_companies():
                party = found[0]
                while party.replaced_by:
                    party = party.replaced_by
                return party, pool.get("company.company")(int(company))
        raise TenureError(NOT_FOUND, "there is no customer with this id")

    @classmethod
    def _with_tax_id(cls, given):
        """The one party that has the tax id. Whoever asks for the same one meanwhile waits."""
        kinds = cls._tax_identifiers(given)
        if not kinds:
            return None
        alone(f"tax-id:{kinds[0]}")
        parties = cls._named_by(kinds)
        if len(parties) > 1:
            raise TenureError(AMBIGUOUS, "tax_id: several customers of the ERP have it; merge them or correct them")
        return parties.pop() if parties else None

    @classmethod
    def _named_by(cls, kinds):
        Identifier = Pool().get("party.identifier")
        found = Identifier.search(["OR", *([("type", "=", kind), ("code_compact", "=", code)] for kind, code in kinds)])
        return {identifier.party for identifier in found if identifier.party.active}

    @classmethod
    def _tax_identifiers(cls, given):
        tax_id = given.text("tax_id", None)
        if tax_id is None:
            return []
        country = given.object("billing_address").text("country", None)
        try:
            kinds = tax_identifiers(tax_id, country)
        except ValueError as reason:
            raise given.invalid("tax_id", str(reason)) from None
        allowed = dict(Pool().get("party.configuration")(1).get_identifier_types())
        kinds = [kind for kind in kinds if kind[0] in allowed]
        if not kinds:
            raise given.invalid("tax_id", "the ERP is not configured for identifiers of this kind")
        return kinds

    @classmethod
    def _make_party(cls, given):
        pool = Pool()
        Party, Identifier = pool.get("party.party"), pool.get("party.identifier")
        Mechanism = pool.get("party.contact_mechanism")
        party = Party(name=given.text("name"), addresses=cls._addresses(given))
        if kinds := cls._tax_identifiers(given):
            party.identifiers = [Identifier(type=kinds[0][0], code=kinds[0][1])]
        if email := given.text("email", None):
            party.contact_mechanisms = [Mechanism(type="email", value=email)]
        with cls.keeping("party.party", "create"):
            party.save()
        return party

    @classmethod
    def _addresses(cls, given):
        billing, shipping = (cls._address(given.object(name)) for name in ("billing_address", "shipping_address"))
        Address = Pool().get("party.address")
        if billing == shipping:
            return [Address(invoice=True, delivery=True, **billing)]
        return [Address(invoice=True, **billing), Address(delivery=True, **shipping)]

    @classmethod
    def _address(cls, given):
        pool = Pool()
        Country, Subdivision = pool.get("country.country"), pool.get("country.subdivision")
        values = {name: given.text(name, None) for name in ("street", "city", "postal_code")}
        code, state = given.text("country", None), given.text("state", None)
        if code is None:
            return values
        country = Country.search([("code", "=", code)])
        if not country:
            raise given.invalid("country", f"the ERP does not know the country {code!r}")
        values["country"] = country[0].id
        if state is not None:
            found = Subdivision.search([("country", "=", country[0].id), ("code", "=", f"{code}-{state}")])
            if found:
                values["subdivision"] = found[0].id
            elif Subdivision.search([("country", "=", country[0].id)], limit=1):
                raise given.invalid("state", f"the ERP does not know the subdivision {code}-{state}")
            else:  # no subdivision of the country is loaded: nothing is lost, `probe` tells
                values["city"] = ", ".join(part for part in (values["city"], state) if part)
        return values

    @classmethod
    def _place_in_hierarchy(cls, reference):
        """Under its parent, when that is a customer already; over its children, which may have come first."""
        Reference = Pool().get("tenure.reference")
        here = [("company", "=", reference.company.id)]
        for child in Reference.search([("parent_account", "=", reference.account)]):
            if not child.party.tenure_parent:
                cls._put_under(child.party, reference.party)
        if reference.parent_account:
            parents = Reference.search([("account", "=", reference.parent_account), *here], limit=1)
            if not parents:
                parents = Reference.search([("account", "=", reference.parent_account)], limit=1)
            if parents:
                cls._put_under(reference.party, parents[0].party)

    @classmethod
    def _put_under(cls, party, parent):
        above = parent
        while above and above != party:
            above = above.tenure_parent
        if above is None:  # never under itself, however many steps up
            party.tenure_parent = parent
            party.save()
