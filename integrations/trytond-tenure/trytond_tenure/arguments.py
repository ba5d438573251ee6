# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading the arguments of a command, which are plain JSON: every mistake is `invalid`, and says which argument."""

import datetime as dt
import math
from decimal import Decimal, InvalidOperation

from .errors import INVALID, NOT_FOUND, TenureError

_MISSING = object()


class Arguments:
    """The arguments of one command, or an object or row within them."""

    def __init__(self, values, where=""):
        if not isinstance(values, dict):
            raise TenureError(INVALID, f"{where or 'the arguments'}: an object is needed")
        self._values = values
        self._where = where

    def text(self, name, default=_MISSING):
        value = self._value(name, default)
        if value is None or (isinstance(value, str) and value.strip()):
            return value
        if isinstance(value, str) and default is not _MISSING:
            return default
        raise self._invalid(name, "a text is needed")

    def day(self, name, default=_MISSING):
        value = self._value(name, default)
        if value is None:
            return None
        try:
            return dt.date.fromisoformat(value)
        except (TypeError, ValueError):
            raise self._invalid(name, "a date like 2027-01-31 is needed") from None

    def amount(self, name, default=_MISSING):
        value = self._value(name, default)
        return None if value is None else self._decimal(name, value)

    def whole(self, name, default=_MISSING):
        value = self._value(name, default)
        if value is None or (isinstance(value, int) and not isinstance(value, bool)):
            return value
        raise self._invalid(name, "a whole number is needed")

    def flag(self, name, default=_MISSING):
        value = self._value(name, default)
        if isinstance(value, bool):
            return value
        raise self._invalid(name, "true or false is needed")

    def amounts(self, name):
        """A map of texts to amounts; empty where there is none."""
        value = self._value(name, {})
        if not isinstance(value, dict):
            raise self._invalid(name, "an object is needed")
        return {key: self._decimal(f"{name}.{key}", amount) for key, amount in value.items()}

    def object(self, name):
        return Arguments(self._value(name, _MISSING), self._path(name))

    def names(self):
        return list(self._values)

    def has(self, name):
        """Whether it was given, also as nothing."""
        return name in self._values

    def only(self, *names, why="it can't be set"):
        """Refuse what else is given."""
        for name in self._values:
            if name not in names:
                raise self._invalid(name, why)

    def texts(self, name):
        """A list of texts; empty where there is none."""
        value = self._value(name, [])
        if not isinstance(value, (list, tuple)) or not all(isinstance(text, str) and text for text in value):
            raise self._invalid(name, "a list of texts is needed")
        return list(value)

    def rows(self, name, default=_MISSING):
        value = self._value(name, default)
        if not isinstance(value, (list, tuple)) or (not value and default is _MISSING):
            raise self._invalid(name, "a list that is not empty is needed")
        return [Arguments(row, f"{self._path(name)}.{n}") for n, row in enumerate(value)]

    def invalid(self, name, why):
        """The error to raise for an argument that is well formed and still can't be used."""
        return self._invalid(name, why)

    def _decimal(self, name, value):
        try:
            if isinstance(value, (bool, float)):
                raise ValueError
            number = Decimal(value)
            if not math.isfinite(number):
                raise ValueError
        except (TypeError, ValueError, InvalidOperation):
            raise self._invalid(name, 'an amount like "12.50" is needed') from None
        return number

    def _value(self, name, default):
        value = self._values.get(name)
        if value is None and default is _MISSING:
            raise self._invalid(name, "it is missing")
        return default if value is None else value

    def _path(self, name):
        return f"{self._where}.{name}" if self._where else name

    def _invalid(self, name, why):
        return TenureError(INVALID, f"{self._path(name)}: {why}")


def record_of(Model, text, what):
    """The record that an id in an argument means, under the access rights of the caller."""
    found = Model.search([("id", "=", int(text))]) if text.isascii() and text.isdigit() and len(text) < 10 else []
    if not found:
        raise TenureError(NOT_FOUND, f"there is no {what} with this id")
    return found[0]
