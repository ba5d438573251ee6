# SPDX-License-Identifier: GPL-3.0-or-later
from trytond.pool import Pool

from . import world
from .case import CommandTestCase


class CustomerTestCase(CommandTestCase):
    def parties(self):
        return Pool().get("party.party").search([("tenure_references.id", ">", 0)], count=True)

    def test_the_same_external_id_is_the_same_customer(self):
        first = self.perform("create_customer", world.customer(external_id="customer:001:acme-us"), "key:1")
        second = self.perform("create_customer", world.customer(external_id="customer:001:acme-us"), "key:2")
        self.assertEqual(first, second)
        self.assertEqual(self.read("find_customer", external_id="customer:001:acme-us"), first)
        self.assertEqual(self.read("find_customer", external_id="customer:002:acme-us"), {"id": None})
        self.assertEqual(self.parties(), 1)

    def test_a_new_customer_has_its_addresses_tax_id_and_mail(self):
        billing = {"street": "Ufer 1", "city": "Berlin", "postal_code": "10115", "country": "DE", "state": None}
        made = self.customer(
            billing_address=billing, tax_id=" DE 136 695 976", entity="acme-de", currency="EUR", name="Häuser GmbH"
        )
        party = self.record("party.party", made.partition("-")[0])
        invoice, delivery = party.address_get("invoice"), party.address_get("delivery")
        self.assertEqual((invoice.street, invoice.city, invoice.postal_code), ("Ufer 1", "Berlin", "10115"))
        self.assertEqual((delivery.city, delivery.subdivision.code), ("Springfield", "US-CA"))
        self.assertEqual([(i.type, i.code_compact) for i in party.identifiers], [("de_vat", "136695976")])
        self.assertEqual([(m.type, m.value) for m in party.contact_mechanisms], [("email", "ap@hooli.example")])
        self.assertEqual(self.read("balance", customer=made)["currency"], "EUR")

    def test_a_known_tax_id_is_adopted(self):
        identifiers = [("create", [{"type": "us_ein", "code": "12-3456789"}])]
        [stock] = Pool().get("party.party").create([{"name": "Hooli of old", "identifiers": identifiers}])
        made = self.customer(tax_id="123456789")
        self.assertEqual(made.partition("-")[0], str(stock.id))
        self.assertEqual(stock.name, "Hooli of old")
        self.assertTrue(stock.tenure_references[0].adopted)
        self.assertEqual(len(stock.identifiers), 1)
        self.assertEqual(stock.addresses[0].city, "Springfield")

    def test_two_entities_share_a_party(self):
        here = self.customer(tax_id="12-3456789")
        there = self.customer(tax_id="12-3456789", entity="acme-de", currency="EUR")
        self.assertEqual(here.partition("-")[0], there.partition("-")[0])
        self.assertNotEqual(here, there)
        self.assertEqual(self.parties(), 1)

    def test_the_union_number_and_the_national_one_are_the_same(self):
        identifiers = [("create", [{"type": "eu_vat", "code": "DE136695976"}])]
        [stock] = Pool().get("party.party").create([{"name": "Haus", "identifiers": identifiers}])
        billing = {"city": "Berlin", "country": "DE"}
        made = self.customer(tax_id="136695976", billing_address=billing, entity="acme-de", currency="EUR")
        self.assertEqual(made.partition("-")[0], str(stock.id))

    def test_a_tax_id_of_several_is_ambiguous(self):
        identifiers = [("create", [{"type": "us_ein", "code": "12-3456789"}])]
        Pool().get("party.party").create([{"name": n, "identifiers": identifiers} for n in "ab"])
        self.refused("ambiguous", self.customer, tax_id="12-3456789")

    def test_what_can_not_be_is_invalid(self):
        address = dict(world.customer()["billing_address"])
        for changes in (
            {"tax_id": "12-34"},
            {"tax_id": "DE136695971", "billing_address": {"country": "DE"}},
            {"tax_id": "1", "billing_address": {"city": "nowhere"}},
            {"currency": "XXX"},
            {"entity": "acme-mars"},
            {"name": " "},
            {"billing_address": {**address, "country": "ZZ"}},
            {"billing_address": {**address, "state": "ZZ"}},
        ):
            with self.subTest(changes=changes):
                self.refused("invalid", self.customer, **changes)
        self.assertEqual(self.parties(), 0)

    def test_a_state_of_a_country_without_subdivisions_is_kept(self):
        made = self.customer(billing_address={"city": "Lyon", "state": "ARA", "country": "FR"})
        party = self.record("party.party", made.partition("-")[0])
        self.assertEqual(party.address_get("invoice").city, "Lyon, ARA")

    def test_the_hierarchy_is_kept_whoever_comes_first(self):
        child = self.customer("child", parent_account="parent")
        parent = self.customer("parent", parent_account="top")
        top = self.customer("top", parent_account="child")  # a ring, in the CRM: it ends somewhere
        party = {name: self.record("party.party", of.partition("-")[0])
                 for name, of in (("child", child), ("parent", parent), ("top", top))}  # fmt: skip
        self.assertEqual(party["child"].tenure_parent, party["parent"])
        self.assertEqual(party["parent"].tenure_parent, party["top"])
        self.assertIsNone(party["top"].tenure_parent)

    def test_the_similar_are_proposed_and_nothing_is_changed(self):
        Party = Pool().get("party.party")
        mail = [("create", [{"type": "email", "value": "billing@hooli.example"}])]
        site = [("create", [{"type": "website", "value": "https://www.hooli.example/about"}])]
        public = [("create", [{"type": "email", "value": "hooli@gmail.com"}])]
        by_mail, by_site, by_name, _, _ = Party.create([
            {"name": "Other", "contact_mechanisms": mail}, {"name": "Another", "contact_mechanisms": site},
            {"name": "HOOLI Ltd"}, {"name": "Free", "contact_mechanisms": public}, {"name": "Hooligan Inc"},
        ])  # fmt: skip
        asked = world.customer(name="Hooli, Inc.", email="new@hooli.example")
        found = {c["id"].partition("-")[0]: c["alike"] for c in self.read("similar_customers", **asked)["candidates"]}
        expected = {str(by_mail.id): "domain", str(by_site.id): "domain", str(by_name.id): "name"}
        self.assertEqual(found, expected)
        self.assertEqual(self.parties(), 0)
        gmail = world.customer(name="Nobody", email="x@gmail.com")
        self.assertEqual(self.read("similar_customers", **gmail)["candidates"], [])

    def test_a_customer_is_not_similar_to_itself(self):
        self.customer()
        self.assertEqual(self.read("similar_customers", **world.customer())["candidates"], [])

    def test_an_unknown_customer_is_not_found(self):
        for name in ("no-such", "1", "999999-1", "1-999999", "²-1"):
            with self.subTest(name=name):
                self.refused("not_found", self.read, "balance", customer=name)

    def test_a_credit_hold_is_a_level(self):
        made = self.customer()
        hold = {"customer": made, "held": True, "reason": "overdue"}
        self.perform("set_credit_hold", hold)
        self.perform("set_credit_hold", hold)
        draft = self.sold(customer=made)
        activation = {"subscription": draft, "on": "2026-01-01", "starts": "2026-01-01", "ends": "2027-01-01"}
        self.refused("rejected", self.perform, "activate_order", activation)
        self.perform("set_credit_hold", {**hold, "held": False, "reason": "paid"})
        self.perform("activate_order", activation)
