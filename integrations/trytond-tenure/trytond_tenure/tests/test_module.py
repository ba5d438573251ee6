# SPDX-License-Identifier: GPL-3.0-or-later
from trytond.modules.company.tests import CompanyTestMixin, PartyCompanyCheckEraseMixin
from trytond.modules.party.tests import PartyCheckReplaceMixin
from trytond.tests.test_tryton import ModuleTestCase


class TenureTestCase(PartyCompanyCheckEraseMixin, PartyCheckReplaceMixin, CompanyTestMixin, ModuleTestCase):
    "What Tryton asks of every module"

    module = "tenure"


del ModuleTestCase
