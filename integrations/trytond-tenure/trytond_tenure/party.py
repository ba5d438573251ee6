# SPDX-License-Identifier: GPL-3.0-or-later
"""Parties and companies as Tenure knows them: cross-references, hierarchy, credit holds, codes of selling entities."""

from sql import Literal
from trytond.model import Index, ModelSQL, Unique, fields
from trytond.pool import Pool, PoolMeta
from trytond.pyson import Eval
from trytond.transaction import Transaction, without_check_access

from .matching import name_key


class Company(metaclass=PoolMeta):
    __name__ = "company.company"
    tenure_code = fields.Char("Selling Entity", strip=True, help="The code by which orders name this company.")
    tenure_payment_method = fields.Many2One(
        "account.invoice.payment.method",
        "Payment Method",
        ondelete="RESTRICT",
        domain=[("company", "=", Eval("id", -1))],
        help="How payments that are registered from outside are booked.",
    )

    @classmethod
    def __setup__(cls):
        super().__setup__()
        table = cls.__table__()
        cls._sql_constraints.append(("tenure_code_unique", Unique(table, table.tenure_code), "tenure.msg_company_code"))


class Party(metaclass=PoolMeta):
    __name__ = "party.party"
    tenure_parent = fields.Many2One(
        "party.party", "Parent Account", ondelete="SET NULL", help="The party above this one in the account hierarchy."
    )
    tenure_references = fields.One2Many("tenure.reference", "party", "External Ids", readonly=True)
    tenure_name_key = fields.Char("Comparable Name", readonly=True)

    @classmethod
    def __setup__(cls):
        super().__setup__()
        table = cls.__table__()
        cls._sql_indexes.add(Index(table, (table.tenure_name_key, Index.Equality())))

    @classmethod
    def __register__(cls, module_name):
        fill = not cls.__table_handler__(module_name).column_exist("tenure_name_key")
        super().__register__(module_name)
        if fill:
            table = cls.__table__()
            cursor = Transaction().connection.cursor()
            cursor.execute(*table.select(table.id, table.name, where=table.name != Literal("")))
            for party, name in cursor.fetchall():
                cursor.execute(*table.update([table.tenure_name_key], [name_key(name)], where=table.id == party))

    def compute_fields(self, field_names=None):
        values = super().compute_fields(field_names=field_names)
        if field_names is None or "name" in field_names:
            comparable = name_key(self.name)
            if getattr(self, "tenure_name_key", None) != comparable:
                values["tenure_name_key"] = comparable
        return values

    @classmethod
    def copy(cls, parties, default=None):
        default = dict(default or {})
        default.setdefault("tenure_references", None)
        return super().copy(parties, default=default)

    @without_check_access
    def tenure_held(self, company):
        """Whether the party gets nothing more on credit from a company."""
        CreditHold = Pool().get("tenure.credit_hold")
        found = CreditHold.search([("party", "=", self.id), ("company", "=", company.id)])
        return bool(found) and found[0].held


class Reference(ModelSQL):
    "What a party is called outside: one row per external id, so that several can mean the same party"

    __name__ = "tenure.reference"
    external_id = fields.Char("External Id", required=True, strip=False)
    party = fields.Many2One(
        "party.party",
        "Party",
        required=True,
        ondelete="RESTRICT",
        context={"company": Eval("company", -1)},
        depends={"company"},
    )
    company = fields.Many2One("company.company", "Company", required=True, ondelete="RESTRICT")
    account = fields.Char("Account", required=True, strip=False)
    parent_account = fields.Char("Parent Account", strip=False)
    currency = fields.Many2One("currency.currency", "Currency", required=True, ondelete="RESTRICT")
    adopted = fields.Boolean("Adopted", help="The party was there before and was found by its tax id.")

    @classmethod
    def __setup__(cls):
        super().__setup__()
        table = cls.__table__()
        cls._sql_constraints.append(
            ("external_id_unique", Unique(table, table.external_id), "tenure.msg_reference_external_id")
        )
        cls._sql_indexes.update(
            {
                Index(table, (table.account, Index.Equality())),
                Index(table, (table.parent_account, Index.Equality())),
            }
        )


class CreditHold(ModelSQL):
    "Whether a party gets nothing more on credit from a company"

    __name__ = "tenure.credit_hold"
    party = fields.Many2One(
        "party.party",
        "Party",
        required=True,
        ondelete="CASCADE",
        context={"company": Eval("company", -1)},
        depends={"company"},
    )
    company = fields.Many2One("company.company", "Company", required=True, ondelete="CASCADE")
    held = fields.Boolean("Held")
    reason = fields.Text("Reason")

    @classmethod
    def __setup__(cls):
        super().__setup__()
        table = cls.__table__()
        cls._sql_constraints.append(
            ("party_unique", Unique(table, table.party, table.company), "tenure.msg_credit_hold_party")
        )


class Replace(metaclass=PoolMeta):
    __name__ = "party.replace"

    @classmethod
    def fields_to_replace(cls):
        return [*super().fields_to_replace(), ("tenure.reference", "party"), ("party.party", "tenure_parent")]
