# SPDX-License-Identifier: GPL-3.0-or-later
"""All the tests of the module, on one database, in the order of their names."""

import unittest

_NAMES = (
    "access",
    "billing",
    "changing",
    "customers",
    "feed",
    "http",
    "keys",
    "matching",
    "module",
    "outbox",
    "selling",
)


def load_tests(loader, tests, pattern):
    return unittest.TestSuite(loader.loadTestsFromName(f"trytond_tenure.tests.test_{name}") for name in _NAMES)
