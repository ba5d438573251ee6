# SPDX-License-Identifier: GPL-3.0-or-later
"""How the module refuses: a `UserError` whose description is `tenure:<code>[:<detail>]`, for a program to branch on."""

from contextlib import contextmanager

from trytond.exceptions import UserError, UserWarning
from trytond.modules.account.exceptions import FiscalYearNotFoundError, PeriodNotFoundError

NOT_FOUND = "not_found"
REJECTED = "rejected"
INVALID = "invalid"
KEY_MISMATCH = "key_mismatch"
PERIOD_CLOSED = "period_closed"
AMBIGUOUS = "ambiguous"


class TenureError(UserError):
    """A refusal with a code, and what belongs to it. The message is one line for a person and names no customer."""

    def __init__(self, code, message, detail=""):
        super().__init__(message, f"tenure:{code}:{detail}" if detail else f"tenure:{code}")


@contextmanager
def coded():
    """Give the refusals of Tryton itself that a caller has to tell apart a code.

    Other `UserError` pass as they are: they are rejections. A warning that nobody acknowledged is one, too.
    """
    try:
        yield
    except (PeriodNotFoundError, FiscalYearNotFoundError) as error:
        raise TenureError(PERIOD_CLOSED, error.message) from error
    except UserWarning as warning:
        raise TenureError(REJECTED, warning.message) from warning
