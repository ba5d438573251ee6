# SPDX-License-Identifier: GPL-3.0-or-later
"""Setting right what somebody changed by hand. Nothing that was invoiced changes; said again, it changes nothing."""

from trytond.pool import PoolMeta
from trytond.transaction import Transaction, without_check_access

from .errors import REJECTED, TenureError

_NEVER = "Tryton does not let that be changed of what is sold; do it there, or have the record made anew"


class Command(metaclass=PoolMeta):
    __name__ = "tenure.command"

    @classmethod
    def do_correct_customer(cls, given):
        """`fields`: the account that it stands for, the account above it."""
        party, company = cls.customer_of(given)
        fields = given.object("fields")
        fields.only("account", "parent_account")
        with without_check_access():
            references = [each for each in party.tenure_references if each.company == company]
            if len(references) != 1:
                raise TenureError(REJECTED, "several accounts share the customer, or none has it: set it right there")
            [reference] = references
        with cls.keeping("party.party"), Transaction().set_context(company=company.id):
            if account := fields.text("account", None):
                reference.account = account
            if fields.has("parent_account"):
                reference.parent_account = fields.text("parent_account", None)
                party.tenure_parent = None
                party.save()
            reference.save()
            cls._place_in_hierarchy(reference)
        return {}

    @classmethod
    def do_correct_subscription(cls, given):
        """`fields`: the contract that it names, the number of its term, and `status` active for one whose end is taken
        back, with the term's end. `lines`, by name: the price of what is billed from now on, the first billed day."""
        subscription, fields, lines = cls.subscription_of(given), given.object("fields"), given.object("lines")
        fields.only("contract", "term", "status", "ends", why=_NEVER)
        with cls.keeping("sale.subscription"), Transaction().set_context(company=subscription.company.id):
            if contract := fields.text("contract", None):
                subscription.reference = subscription.tenure_contract = contract
            if term := fields.whole("term", None):
                subscription.tenure_term = term
            subscription.save()
            for name in lines.names():
                cls._correct_line(cls.line_of(subscription, name), lines.object(name))
        if status := fields.text("status", None):
            cls._take_end_back(subscription, status, fields.day("ends", None))
        return {}

    @classmethod
    def do_retire_subscription(cls, given):
        """Cancel one that stands there twice, or for nobody: only before anything of it was invoiced."""
        if cls.subscription_of(given).tenure_status() not in ("ended", "cancelled"):
            cls.do_cancel_subscription(given)
        return {}

    @classmethod
    def _correct_line(cls, line, fields):
        fields.only("unit_price", "billed_from", "accepted_on", why=_NEVER)
        if (price := fields.amount("unit_price", None)) is not None:
            line.unit_price = price
        for name in ("billed_from", "accepted_on"):
            if fields.has(name) and (day := fields.day(name, None)) != getattr(line, f"tenure_{name}"):
                if line.tenure_periods and name == "billed_from":
                    raise TenureError(REJECTED, f"line {line.tenure_line} is billed already: credit that there first")
                setattr(line, f"tenure_{name}", day)
        line.next_consumption_date = line.compute_next_consumption_date()
        line.save()

    @classmethod
    def _take_end_back(cls, subscription, status, ends):
        known = subscription.tenure_status()
        if (known, status) == ("active", "active"):
            return
        if (known, status) != ("ended", "active") or subscription.state != "running":
            raise TenureError(REJECTED, f"what is {known} in Tryton does not become {status} again")
        with Transaction().set_context(company=subscription.company.id):
            cls._set_end(subscription, ends, tenure_ended=False, tenure_reason=None)
