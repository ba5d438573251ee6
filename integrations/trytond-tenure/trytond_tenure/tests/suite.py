# SPDX-License-Identifier: GPL-3.0-or-later
"""All the tests of the module, on one database."""

import unittest

# those that commit come last: the others count what is there
_NAMES = (
    "module",
    "matching",
    "access",
    "billing",
    "changing",
    "customers",
    "keys",
    "listing",
    "outbox",
    "selling",
    "feed",
    "http",
)


def load_tests(loader, tests, pattern):
    return unittest.TestSuite(loader.loadTestsFromName(f"trytond_tenure.tests.test_{name}") for name in _NAMES)
