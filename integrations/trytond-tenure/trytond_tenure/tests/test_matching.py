# SPDX-License-Identifier: GPL-3.0-or-later
from unittest import TestCase

from trytond_tenure.matching import mail_domain, name_key, site_domain, tax_identifiers


class MatchingTestCase(TestCase):
    def test_names(self):
        for one, other in (
            ("Hooli, Inc.", "HOOLI"),
            ("Müller & Söhne GmbH & Co. KG", "Muller Sohne"),
            ("Straße AG", "strasse"),
            ("Société Générale S.A.", "societe generale"),
            ("Łódź sp. z o.o.", "lodz sp z oo"),
            ("O’Brien Ltd", "O'Brien"),
        ):
            with self.subTest(one=one):
                self.assertEqual(name_key(one), name_key(other))
        self.assertNotEqual(name_key("Hooli"), name_key("Hooligan"))
        self.assertEqual(name_key("The Company Ltd"), "the company ltd")  # nothing else is left
        self.assertEqual(name_key(None), "")

    def test_domains(self):
        self.assertEqual(mail_domain("Ap@Hooli.Example"), "hooli.example")
        for public in ("x@gmail.com", "x@t-online.de", "x", None, "x@", "x@localhost"):
            self.assertIsNone(mail_domain(public))
        self.assertEqual(site_domain("https://www.hooli.example:443/a?b"), "hooli.example")
        self.assertEqual(site_domain("hooli.example"), "hooli.example")

    def test_tax_ids(self):
        self.assertEqual(tax_identifiers("12-3456789", "US"), [("us_ein", "123456789")])
        german = [("de_vat", "136695976"), ("eu_vat", "DE136695976")]
        for written in ("DE 136695976", "136 695 976", "de136695976"):
            self.assertEqual(tax_identifiers(written, "DE"), german)
        self.assertEqual(tax_identifiers("DE136695976", "FR"), german)  # registered elsewhere in the union
        self.assertEqual(tax_identifiers("DE136695976", None), german)
        self.assertEqual(tax_identifiers("ATU13585627", "AT")[0], ("at_uid", "U13585627"))
        for wrong in (("12", "US"), ("136695976", None), ("x", "AQ")):
            with self.assertRaises(ValueError) as raised:
                tax_identifiers(*wrong)
            self.assertNotIn(wrong[0], str(raised.exception).split())
